"""Stages that work while the scan runs: what they cost its updates, and what kills leave; called by Tools/live-stages.

The rate is that of a worker that always has something to do: the scan comes from a file, windows move by one
projection, and updates are counted from outside from the first one to the last. The worker has one thread, so that the
other stages have the cores that are left; runs with and without the chain are made in turn, and each pair gives a
ratio. Killed runs are slower on purpose: a stage that dies five times in a row before it has said anything has ended.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import slipring

CHAIN = "denoise,method=median segment,reads=denoise analyse,reads=segment"
STAGES = ("denoise", "segment", "analyse")
#: Deaths in a run, of all three.
KILLS_OF_RUN = 10
#: A run that goes on for longer has gone wrong.
SECONDS_OF_RUN = 600


def start(arguments, scan, output, more):
    return subprocess.Popen(
        [arguments.program, "recon", scan, "--output-folder", output, "--json", "--quiet", "--workers", "1",
            "--threads", "1", "--rotation-axis", str(arguments.columns // 2), "--algorithm", "sirt",
            "--window-length", "12", "--window-step", "1", "--lag-max", "0", "--final", "fbp", *more],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def opened(process, output):
    while process.poll() is None:
        try:
            return slipring.open(output)
        except slipring.SlipringError:
            time.sleep(0.01)
    raise SystemExit(f"the run did not begin: {process.returncode}")


def result(process):
    out = process.communicate(timeout=SECONDS_OF_RUN)[0]
    assert process.returncode == 0, f"the run ended with {process.returncode}"
    return json.loads(out)


def rate(arguments, scan, output, more):
    """Updates a second, counted every 20 ms."""
    process = start(arguments, scan, output, more)
    run, seen = opened(process, output), []
    while process.poll() is None:
        updates = run.updates()
        count = int((updates["phase"] == 1).sum())
        if count and (not seen or count > seen[-1][0]):
            seen.append((count, time.monotonic()))
        time.sleep(0.02)
    told = result(process)
    assert len(seen) > 2, "the updates were over before they were counted: measure more, or larger, projections"
    (first, began), (last, ended) = seen[0], seen[-1]
    shutil.rmtree(output)
    return (last - first) / (ended - began), told


def kill(run, chosen):
    """Whether one of the chain's processes was there to be killed."""
    programs = [program for program in run.status.get("programs") or () if program.get("pid")]
    if not programs:
        return None
    program = chosen.choice(programs)
    try:
        # The status is up to a second old: the number may be another process's by now.
        if b"slipring" not in pathlib.Path(f"/proc/{program['pid']}/cmdline").read_bytes():
            return None
        os.kill(program["pid"], signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return program["pid"]


def killed(arguments, scan, output, chosen):
    process = start(arguments, scan, output, ["--stage", CHAIN, "--rate", str(arguments.projections / 30)])
    run, dead = opened(process, output), set()
    while process.poll() is None and len(dead) < KILLS_OF_RUN:
        time.sleep(chosen.uniform(0.5, 4))
        pid = kill(run, chosen)
        if pid:
            dead.add(pid)
    return result(process)


def digests(told):
    return {program["name"]: program.get("sha256") for program in told["programs"]}


def main():
    parser = argparse.ArgumentParser(prog="Tools/live-stages")
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--projections", type=int, default=180)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--columns", type=int, default=512)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments = parser.parse_args()
    chosen = random.Random(arguments.seed)
    print(f"seed {arguments.seed}", file=sys.stderr)
    total = {"seed": arguments.seed, "cores": len(os.sched_getaffinity(0))}
    with tempfile.TemporaryDirectory(prefix="slipring-live-stages-", dir=arguments.folder) as made:
        folder = pathlib.Path(made)

        def measure(name, rows, columns):
            subprocess.run(
                [arguments.program, "simulate", folder / name, "--quiet", "--rows", str(rows), "--columns",
                    str(columns), "--projections", str(arguments.projections)], check=True)
            return folder / name

        scan, output = measure("foam.h5", arguments.rows, arguments.columns), folder / "out"
        pairs = []
        for round_ in range(arguments.rounds):
            arms = [[], ["--stage", CHAIN]]
            rates = {}
            for arm in arms if round_ % 2 == 0 else reversed(arms):
                rates[bool(arm)], told = rate(arguments, scan, output, arm)
                if arm:
                    total["said"] = {program["name"]: program["said"] for program in told["programs"]}
            pairs.append((rates[False], rates[True]))
            print(f"{rates[False]:.2f} → {rates[True]:.2f} updates a second", file=sys.stderr)
        if pairs:
            total["updatesPerSecond"] = [round(statistics.median(side), 2) for side in zip(*pairs)]
            total["ratio"] = round(statistics.median(chain / alone for alone, chain in pairs), 4)
            total["ratios"] = [round(chain / alone, 4) for alone, chain in pairs]
        arguments.columns = 128
        scan = measure("small.h5", 16, arguments.columns)
        process = start(arguments, scan, output, ["--stage", CHAIN])
        whole = digests(result(process))
        shutil.rmtree(output)
        total |= {"kills": 0, "runs": 0, "differing": 0}
        while total["kills"] < arguments.kills:
            assert total["runs"] < 100, "runs enough, and too few kills in them"
            told = killed(arguments, scan, output, chosen)
            total["runs"] += 1
            total["kills"] += sum(program["restarts"] for program in told["programs"])
            states = [program["state"] for program in told["programs"]]
            total["differing"] += digests(told) != whole or states != ["ended"] * len(STAGES)
            shutil.rmtree(output)
            print(json.dumps(total), file=sys.stderr)
    print(json.dumps(total))
    return total["differing"] > 0


sys.exit(main())
