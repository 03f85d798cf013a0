"""Topics from outside, under kills and for speed; called by Tools/door.

Kills: half in a topic of one's own, of which now the writer dies and now the reader; half in live runs, whose acquire
dies, or the reader of its projections. A reader keeps the sequence that it is at in a file, as one that wants to go on
has to; whatever it says twice or leaves out, or says otherwise than it was written, ends the tool.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

import slipring

ROWS, COLUMNS = 100, 200
READER = """
import sys, numpy as np, slipring
run, name, log = slipring.open(sys.argv[1]), sys.argv[2], open(sys.argv[3], "a+b")
log.seek(0)
lines = log.read().split(b"\\n")
log.truncate(sum(len(line) + 1 for line in lines[:-1]))   # A line that its writer did not finish is none.
topic = None
while topic is None:
    try:
        topic = run.topic(name)
    except slipring.Unavailable:
        pass
for event in topic.events(len(lines) - 1, wait=60):
    total = int(event.payload.sum(dtype=np.uint64))
    if not event.is_current():
        event = topic.get(event.sequence, stable=True)
        total = int(event.payload.sum(dtype=np.uint64))
    log.write(b"%d %d %d\\n" % (event.sequence, event.kind, total))
    log.flush()
"""
WRITER = """
import sys, numpy as np, slipring
with slipring.open(sys.argv[1]).topic_writer("mine", payload_max=40000, bytes_max=4 << 30) as topic:
    while True:
        n = topic.next
        topic.append(np.full((100, 200), n % 65536, np.uint16))
        if n % 7 == 0:
            topic.flush()
"""


def python(text, *words):
    return subprocess.Popen([sys.executable, "-c", text, *map(str, words)])


def end(process):
    process.kill()
    process.wait()


def lines(log):
    found = [tuple(map(int, line.split())) for line in log.read_text().splitlines()]
    for index, (sequence, _, _) in enumerate(found):
        assert sequence == index, f"event {sequence} came where {index} was expected"
    return found


def make_scan(path, projections, rows, columns):
    """A DXchange file of noise: it is read, not looked at."""
    generator = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        block = generator.integers(8000, 20000, (min(projections, 50), rows, columns), np.uint16)
        data = file.create_dataset("exchange/data", (projections, rows, columns), "<u2")
        for first in range(0, projections, len(block)):
            data[first:first + len(block)] = np.roll(block, first, 2)[:projections - first]
        file["exchange/data_white"] = np.full((2, rows, columns), 21000, np.uint16)
        file["exchange/data_dark"] = np.full((2, rows, columns), 100, np.uint16)
        file["exchange/theta"] = np.linspace(0, 180, projections, endpoint=False)


def start(program, scan, output, *options):
    process = subprocess.Popen(
        [program, "recon", scan, "--output-folder", output, "--quiet", "--workers", "1", *options],
        stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            run = slipring.open(output)
            run.status
            return process, run
        except slipring.SlipringError:
            time.sleep(0.01)
    raise SystemExit(f"the run did not begin: {process.poll()}")


def kill_in_own_topic(run, log, kills, chosen):
    writer, reader, read = python(WRITER, run.folder), python(READER, run.folder, "mine", log), 0
    for number in range(kills):
        deadline = time.monotonic() + 60
        while (count := len(log.read_bytes().splitlines()) if log.exists() else 0) <= read:
            assert time.monotonic() < deadline, "nothing is read any more"
            assert writer.poll() is None and reader.poll() is None, "a process ended by itself"
            time.sleep(0.005)
        time.sleep(chosen.uniform(0, 0.1))
        read = count
        if number % 2:
            end(reader)
            reader = python(READER, run.folder, "mine", log)
        else:
            end(writer)
            writer = python(WRITER, run.folder)
    end(writer)
    last = run.topic("mine").end
    deadline = time.monotonic() + 60
    while len(log.read_bytes().splitlines()) < last:
        assert time.monotonic() < deadline, "the reader stands still"
        time.sleep(0.01)
    end(reader)
    found = lines(log)
    for sequence, kind, total in found:
        expected = ROWS * COLUMNS * ((sequence % 65536 & 255) + (sequence % 65536 >> 8))
        assert (kind, total) == (11, expected), f"event {sequence}: {kind} {total}"
    return len(found)


def kill_in_run(program, scan, folder, kills, chosen):
    """Returns the events that were read, and the kills that were made."""
    output, log, made = folder / "live", folder / "live.log", 0
    process, run = start(program, scan, output, "--rate", "40", "--rotation-axis", "32", "--window-step", "4")
    reader = python(READER, run.folder, "projections", log)
    log.touch()
    while made < kills and process.poll() is None:
        time.sleep(chosen.uniform(0.05, 0.3))
        if made % 2:
            end(reader)
            reader = python(READER, run.folder, "projections", log)
        else:
            acquire = [stage for stage in run.status["stages"] if stage["name"] == "acquire"]
            if acquire and acquire[0].get("pid") and acquire[0].get("state") in (None, "running"):
                try:
                    os.kill(acquire[0]["pid"], signal.SIGKILL)
                except ProcessLookupError:
                    pass
        made += 1
    assert process.wait(120) == 0, f"the run ended with {process.returncode}"
    assert reader.wait(120) == 0, "the reader failed"
    found = lines(log)
    with h5py.File(scan) as file:
        sums = {
            kind: [int(frame.view(np.uint8).sum(dtype=np.uint64)) for frame in file[f"exchange/{name}"]]
            for kind, name in ((1, "data"), (2, "data_white"), (3, "data_dark"))}
    for kind, expected in sums.items():
        assert [total for _, found_kind, total in found if found_kind == kind] == expected, f"kind {kind}"
    log.unlink()
    shutil.rmtree(output)
    return len(found), made


def measure(program, folder, projections):
    scan, output = folder / "large.h5", folder / "large"
    make_scan(scan, projections, 256, 1024)
    process, run = start(
        program, scan, output, "--rotation-axis", "512", "--window-step", "0", "--final-iterations", "1",
        "--algorithm", "sirt")
    topic = run.topic("projections")
    deadline = time.monotonic() + 300
    while topic.end < projections + 4:
        assert process.poll() is None and time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.05)
    process.kill()
    process.wait()
    subprocess.run([program, "abort", run.folder], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    best, results = None, []
    for _ in range(4):
        topic, count = run.topic("projections"), 0
        read_before = int(pathlib.Path("/proc/self/io").read_text().split()[1])
        began = time.monotonic()
        for event in topic.events(stable=True):
            if event.kind == 1:
                np.bitwise_xor.reduce(event.payload.view("<u8"))
                count += 1
        seconds = time.monotonic() - began
        copied = int(pathlib.Path("/proc/self/io").read_text().split()[1]) - read_before
        assert count == projections, f"{count} of {projections} projections"
        results.append(round(count * 256 * 1024 * 2 / seconds / 1e9, 3))
        best = copied if best is None else min(best, copied)
    return {"first": results[0], "warm": max(results[1:]), "bytesByReadCalls": best}


def main():
    parser = argparse.ArgumentParser(prog="Tools/door")
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--projections", type=int, default=2000, help="of the scan that is read for speed; 0 for none")
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments = parser.parse_args()
    chosen = random.Random(arguments.seed)
    print(f"seed {arguments.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="slipring-door-", dir=arguments.folder) as made:
        folder, result = pathlib.Path(made), {"seed": arguments.seed}
        if arguments.kills:
            scan = folder / "small.h5"
            make_scan(scan, 60, 8, 64)
            process, run = start(arguments.program, scan, folder / "own", "--rotation-axis", "32", "--rate", "100")
            assert process.wait(120) == 0
            half = arguments.kills // 2
            result["ownEvents"] = kill_in_own_topic(run, folder / "own.log", arguments.kills - half, chosen)
            result["runEvents"], kills = 0, 0
            while kills < half:
                events, some = kill_in_run(arguments.program, scan, folder, min(8, half - kills), chosen)
                result["runEvents"], kills = result["runEvents"] + events, kills + max(1, some)
            result["kills"] = arguments.kills - half + kills
        if arguments.projections:
            result["gigabytesPerSecond"] = measure(arguments.program, folder, arguments.projections)
        print(json.dumps(result))


main()
