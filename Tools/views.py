"""Views under kills; called by Tools/views.

Each run joins every update with its projections, and projections with their mirrors, while `join` and the readers of
both views are killed. A reader keeps a hash of all that it was handed out with its cursor; at the end it must be the
hash of the view as it is, and the view that of the run's projections and updates. A stage may die ten times a minute,
so there are as many runs as the kills need.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

import slipring

VIEWS = "windows,from=projections,with=updates,match=window mirrors,from=projections,match=theta:180+-0.001"
READER = """
import hashlib, sys, slipring
run = slipring.open(sys.argv[1])
with run.view(sys.argv[2], name="trainer", wait=60, synced=False) as view:
    for item in view:
        before, pixels = view.state or bytes(32), item.arrays()[0]
        word = repr((item.number, item.pointers)).encode() + b"".join(array.tobytes() for array in pixels)
        item.done(hashlib.sha256(before + word).digest())
"""
#: Deaths of a stage in a minute, with which it is still started again.
KILLS_OF_RUN = 10


def make_scan(path, projections):
    generator = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        file["exchange/data"] = generator.integers(8000, 20000, (projections, 1, 16), np.uint16)
        file["exchange/data_white"] = np.full((2, 1, 16), 21000, np.uint16)
        file["exchange/data_dark"] = np.full((2, 1, 16), 100, np.uint16)
        file["exchange/theta"] = np.arange(projections) * (360 / projections)


def start(program, scan, output, rate):
    process = subprocess.Popen(
        [program, "recon", scan, "--output-folder", output, "--json", "--quiet", "--workers", "1", "--threads", "1",
            "--rotation-axis", "8", "--algorithm", "sirt", "--window-length", "4", "--window-step", "1",
            "--final-iterations", "1", "--lag-max", "0", "--rate", str(rate), "--view", VIEWS],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            run = slipring.open(output)
            if any(stage["name"] == "join" for stage in run.status["stages"]):
                return process, run
        except slipring.SlipringError:
            pass
        time.sleep(0.01)
    raise SystemExit(f"the run did not begin: {process.poll()}")


def kill_join(run):
    join = [stage for stage in run.status["stages"] if stage["name"] == "join"]
    if not join or not join[0]["isRunning"]:
        return False
    try:
        # The status is up to a second old: the number may be another process's by now.
        words = pathlib.Path(f"/proc/{join[0]['pid']}/cmdline").read_bytes().split(b"\0")
        if words[1:3] != [b"stage", b"join"]:
            return False
        os.kill(join[0]["pid"], signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return True


def kill_in_run(program, scan, output, projections, rate, kills, chosen):
    process, run = start(program, scan, output, rate)
    readers = {}

    def read(view):
        readers[view] = subprocess.Popen([sys.executable, "-c", READER, run.folder, view])

    for view in ("windows", "mirrors"):
        read(view)
    seconds, done = projections / rate, [0, 0]
    while process.poll() is None and min(done) < kills:
        time.sleep(chosen.uniform(0.3, 1.2) * seconds / (2 * kills + 4))
        if done[0] <= done[1]:
            done[0] += kill_join(run)
        else:
            view = chosen.choice(list(readers))
            readers[view].kill()
            readers[view].wait()
            read(view)
            done[1] += 1
    result = json.loads(process.communicate(timeout=300)[0])
    assert process.returncode == 0, f"the run ended with {process.returncode}"
    for view, reader in readers.items():
        assert reader.wait(120) == 0, f"the reader of {view} failed"
    views = {view["name"]: view for view in result["views"]}
    assert all(view["isComplete"] and not view["dropped"] for view in views.values()), views
    check(run)
    return views["windows"]["items"], views["mirrors"]["items"], done, result["restarts"]["join"]


def check(run):
    updates = run.updates()
    windowed = updates[updates["phase"] == 1]
    for name in ("windows", "mirrors"):
        state, used, items = bytes(32), [], 0
        with run.view(name, name="check") as view:
            for item in view:
                assert item.number == items, f"item {item.number} of {name} came where {items} was expected"
                items += 1
                state = hashlib.sha256(state + repr((item.number, item.pointers)).encode() + b"".join(
                    array.tobytes() for array in item.arrays()[0])).digest()
                numbers = [event.projection for side in (1, 2) for event in item.events(side) if event.pixel]
                if name == "windows":
                    row = windowed[item.number]
                    assert numbers == list(range(row["first_projection"], row["end_projection"])), item.pointers
                    update = item.pointers[-1]
                    assert (update.sequence, update.generation) == (item.number, row["generation"]), item.pointers
                else:
                    used += numbers
        assert name == "mirrors" or items == len(windowed), f"{items} items of {len(windowed)} updates"
        assert sorted(used) == list(range(len(used))) and (name == "windows" or len(used) == len(run.projections))
        with run.view(name, name="trainer") as view:
            assert view.next == items and view.state == state, f"the reader of {name} was handed out something else"


def main():
    parser = argparse.ArgumentParser(prog="Tools/views")
    parser.add_argument("program")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=200, help="of join, and as many of readers")
    parser.add_argument("--rate", type=float, default=500, help="projections a second")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments = parser.parse_args()
    chosen = random.Random(arguments.seed)
    print(f"seed {arguments.seed}", file=sys.stderr)
    names = ("runs", "windows", "mirrors", "joinKills", "readerKills", "restarts")
    total = {"seed": arguments.seed, **dict.fromkeys(names, 0)}
    began = time.monotonic()
    projections = max(40, arguments.items * KILLS_OF_RUN // max(arguments.kills, KILLS_OF_RUN)) // 2 * 2 + 4
    with tempfile.TemporaryDirectory(prefix="slipring-views-", dir=arguments.folder) as made:
        folder = pathlib.Path(made)
        make_scan(folder / "scan.h5", projections)
        while total["windows"] < arguments.items or total["joinKills"] < arguments.kills:
            windows, mirrors, kills, restarts = kill_in_run(
                arguments.program, folder / "scan.h5", folder / "out", projections, arguments.rate, KILLS_OF_RUN,
                chosen)
            for key, value in zip(names, (1, windows, mirrors, *kills, restarts)):
                total[key] += value
            assert total["runs"] < 1000, "runs enough, and too few kills in them"
            print(json.dumps(total), file=sys.stderr)
            shutil.rmtree(folder / "out")
    total["seconds"] = round(time.monotonic() - began, 1)
    total["readerMiB"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print(json.dumps(total))


main()
