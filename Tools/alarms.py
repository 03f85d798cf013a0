"""What a run's alarms tell of faults that are done to it; called by Tools/alarms.

Each try is a live scan of its own, of a detector that this program plays. After some seconds something goes wrong: a
worker is stopped for a growing share of the time, the disk takes fewer bytes a second (blkio), somebody else fills it
(a disk in memory), the detector sends less often, the beam is lost, rows become dark. The alarms of the run's topic are
compared with the moment at which that began, and with the run's own reaction, where it has one: updates are made less
often, the disk buffer is full, a stage waits for room on disk. Quiet runs have no fault: what they tell is false.

A fault that no alarm told of within the try is missed. An alarm of a trigger before the fault began is early, and told
of as such: the delay is then that of the next one.
"""

import argparse
import concurrent.futures
import csv
import datetime
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
import threading
import time

import numpy as np
import zmq

ROWS, COLUMNS, RATE, FIELDS = 64, 256, 40.0, 5
BYTES = ROWS * COLUMNS * 2
#: GiB that may wait for the disk.
BUFFER = 0.012
#: A try's seconds behind the fault's beginning, and the room of its disk where that is filled.
WATCHED, DISK = 40.0, 700 << 20
TICKS = os.sysconf("SC_CLK_TCK")


class Fault:
    """What goes wrong in a try, drawn from its seed."""

    #: Triggers that tell of each fault, and the gauge and bound of the run's own reaction.
    KINDS = {
        "slow worker": ({"slow-worker", "falls-behind"}, "step"),
        "slow disk": ({"disk-slow"}, "buffered"),
        "filling disk": ({"disk-fills"}, "disk-full"),
        "slowing detector": ({"detector-slows"}, None),
        "lost beam": ({"beam-lost"}, None),
        "dead rows": ({"dead-rows"}, None),
    }

    def __init__(self, kind, seed):
        chosen = random.Random(f"{kind} {seed}")
        self.kind, self.seed = kind, seed
        self.onset, self.growth = chosen.uniform(14, 22), chosen.uniform(1, 10)
        self.depth = chosen.uniform(0.3, 1)
        self.counts, self.noise = chosen.uniform(500, 20_000), chosen.uniform(0.001, 0.01)
        self.first_row = chosen.randrange(ROWS - 16)

    def extent(self, time):
        """How far it has grown, 0…1, so many seconds after the first projection."""
        return min(max(0, (time - self.onset) / self.growth), 1)


class Detector(threading.Thread):
    """Sends a scan as array-1.0, at its rate, until it is told to end."""

    def __init__(self, fault, projections, context):
        super().__init__(daemon=True)
        self.fault, self.projections = fault, projections
        self.socket = context.socket(zmq.PUSH)
        self.socket.sndhwm = 64
        self.socket.linger = 0
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.started, self.ended = threading.Event(), threading.Event()
        self.begin = self.dropped = 0

    def seconds(self):
        return time.monotonic() - self.begin if self.started.is_set() else 0.0

    def send(self, number, key, image, theta=None):
        header = {"htype": "array-1.0", "shape": [ROWS, COLUMNS], "type": "uint16", "frame": number, "image_key": key}
        if theta is not None:
            header["theta"] = theta
        parts = [json.dumps(header).encode(), image.astype("<u2").tobytes()]
        while not self.ended.is_set():
            try:
                return self.socket.send_multipart(parts, zmq.NOBLOCK)
            except zmq.Again:
                if self.started.is_set():
                    # A detector does not wait.
                    self.dropped += 1
                    return
                time.sleep(0.01)

    def run(self):
        generator = np.random.default_rng(self.fault.seed if self.fault else 1)
        counts = self.fault.counts if self.fault else 5000.0
        for number in range(FIELDS):
            self.send(number, 2, np.full((ROWS, COLUMNS), 100.0))
        for number in range(FIELDS, 2 * FIELDS):
            self.send(number, 1, 100 + generator.poisson(counts, (ROWS, COLUMNS)))
        x = np.linspace(-1.25, 1.25, COLUMNS)
        sample = np.exp(-1.5 * np.sqrt(np.clip(1 - x * x, 0, None)))[None, :].repeat(ROWS, 0)
        pictures = [generator.standard_normal((ROWS, COLUMNS)) for _ in range(16)]
        self.begin = time.monotonic()
        self.started.set()
        due = 0.0
        for index in range(self.projections):
            kind, extent = (self.fault.kind, self.fault.extent(due)) if self.fault else (None, 0)
            beam = 1 + (self.fault.noise if self.fault else 0.004) * generator.standard_normal()
            beam *= 1 - 0.004 * (due / 120 % 1)
            if kind == "lost beam":
                beam *= 1 - self.fault.depth * extent
            mean = sample * counts * max(beam, 0)
            image = 100 + np.clip(mean + np.sqrt(mean) * pictures[index % 16], 0, 60_000)
            if kind == "dead rows" and due >= self.fault.onset:
                image[self.fault.first_row : self.fault.first_row + max(1, round(16 * self.fault.depth))] = 100
            if self.ended.wait(max(0, self.begin + due - time.monotonic())):
                return
            self.send(2 * FIELDS + index, 0, image, index * 180 / self.projections)
            slowed = 1 - 0.7 * self.fault.depth * extent if kind == "slowing detector" else 1
            due += 1 / (RATE * slowed)

    def end(self):
        self.ended.set()
        self.join(10)
        self.socket.close()


class Disk:
    """The throttle of a run's writes, or a file that grows: what is done to the disk of a try."""

    CGROUP = pathlib.Path("/sys/fs/cgroup/blkio")

    def __init__(self, folder, kind):
        self.folder, self.kind, self.group, self.device = pathlib.Path(folder), kind, None, None
        self.folder.mkdir()
        if kind == "filling disk":
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", folder], check=True)
        if kind == "slow disk":
            self.group = self.CGROUP / f"slipring-alarms-{os.getpid()}-{self.folder.name}"
            self.group.mkdir()
            # The whole disk: a partition has no throttle of its own.
            number = os.stat(folder).st_dev
            node = pathlib.Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
            if (node / "partition").exists():
                node = node.parent
            self.device = (node / "dev").read_text().strip()

    def command(self, words):
        if not self.group:
            return words
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.group / "cgroup.procs"), *words]

    def turn(self, fault, seconds):
        extent = fault.extent(seconds)
        if self.kind == "slow disk" and extent > 0:
            # From twice of what is needed down to a tenth or two thirds of it.
            share = 2 + (1 - 0.95 * fault.depth - 2) * extent
            limit = max(4096, int(share * BYTES * RATE))
            (self.group / "blkio.throttle.write_bps_device").write_text(f"{self.device} {limit}\n")
        if self.kind == "filling disk" and extent > 0:
            room = os.statvfs(self.folder)
            # All of it within 15 to 30 seconds, a turn being a tenth of one.
            step = min(int(DISK * (0.3 + 0.4 * fault.depth) / 100), room.f_bavail * room.f_frsize)
            with open(self.folder / "somebody-elses", "ab") as file:
                if step:
                    os.posix_fallocate(file.fileno(), file.tell(), step)

    def close(self):
        if self.kind == "filling disk":
            subprocess.run(["umount", "--lazy", self.folder], check=True)
        if self.group:
            deadline = time.monotonic() + 10
            while True:
                try:
                    return self.group.rmdir()
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)


def read_json(path):
    """What is in a file that another process replaces as a whole; empty where there is none yet."""
    try:
        return json.loads(pathlib.Path(path).read_text())
    except FileNotFoundError:
        return {}


def stages(run):
    known = read_json(run / "status.json").get("stages", [])
    return {stage["name"]: stage["pid"] for stage in known if stage["isRunning"]}


def processor_seconds(pid):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def slow(pid, share, period):
    """Stops a process for a share of some milliseconds, again and again for half a second: as one whose core does
    something else."""
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        try:
            if share > 0:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(period * share)
                os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return
        time.sleep(period * (1 - share))


def one_try(options, fault, seconds, name, context):
    """A live scan of so many seconds, which is aborted then. Gives its alarms and looks, and what watch took."""
    folder = pathlib.Path(options.folder) / name
    disk = Disk(folder, fault.kind if fault else None)
    run = folder / "run"
    detector = Detector(fault, int(RATE * (seconds + 30)), context)
    words = [
        options.slipring, "recon", f"zmq+pull://127.0.0.1:{detector.port}", "--output-folder", folder / "out",
        "--run-folder", run, "--shape", f"{ROWS},{COLUMNS}", "--projections", detector.projections, "--darks", FIELDS,
        "--flats", FIELDS, "--rotation-axis", (COLUMNS - 1) / 2, "--workers", 1, "--threads", 1, "--window-length", 16,
        "--window-step", 4, "--lag-max", 48, "--final-iterations", 0, "--quiet", "--no-dashboard",
        "--disk-buffer", BUFFER,
    ]  # fmt: skip
    with open(folder / "errors", "wb") as errors:
        process = subprocess.Popen(
            disk.command([str(word) for word in words]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=errors, start_new_session=True)
    detector.start()
    try:
        deadline = time.monotonic() + 60
        while not detector.started.is_set():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"a run did not begin: {(folder / 'errors').read_text()}")
            time.sleep(0.02)
        onset = time.time() + (fault.onset if fault else 0) - detector.seconds()
        pids = {}
        while detector.seconds() < seconds and process.poll() is None:
            if fault and fault.kind == "slow worker" and "reconstruct.0" in pids:
                share = 0.97 * fault.extent(detector.seconds())
                slow(pids["reconstruct.0"], share, options.stops)
            else:
                time.sleep(0.1)
            if fault:
                disk.turn(fault, detector.seconds())
            if detector.seconds() < 12 or "watch" not in pids:
                pids = stages(run)
        length, taken = detector.seconds(), processor_seconds(pids.get("watch", 0))
    finally:
        if disk.group:
            (disk.group / "blkio.throttle.write_bps_device").write_text(f"{disk.device} 0\n")
        detector.end()
        for _ in range(120):
            if process.poll() is not None:
                break
            for kind in signal.SIGINT, signal.SIGTERM:
                process.send_signal(kind)
            time.sleep(0.5)
        else:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    told = [json.loads(line) for line in open(run / "log" / "watch.jsonl") if line.strip()]
    history = subprocess.run([options.slipring, "history", run], capture_output=True, text=True)
    looks = list(csv.DictReader(history.stdout.splitlines())) if history.returncode == 0 else []
    result = dict(onset=onset, told=told, looks=looks, watch=taken / max(length, 1), seconds=length,
                  errors=(folder / "errors").read_text(), dropped=detector.dropped)
    disk.close()
    if not options.keep:
        shutil.rmtree(folder)
    return result


def moment(line):
    """Seconds since 1970 of a line of a log."""
    return datetime.datetime.fromisoformat(line["time"] + "+00:00").timestamp()


def own_reaction(kind, result):
    """When the run reacted by itself, in seconds from the fault's beginning; None where it did not, or never does."""
    gauge = Fault.KINDS[kind][1]
    if gauge is None:
        return None
    looks = [(float(look["time"]) - result["onset"], float(look[gauge])) for look in result["looks"] if look[gauge]]
    before = [value for seconds, value in looks if seconds < 0]
    # Images that wait for the disk and have no place in memory any more: what a source that does not wait then loses.
    bound = BUFFER * (1 << 30) / BYTES - 1 if gauge == "buffered" else max(before, default=0)
    return next((seconds for seconds, value in looks if seconds >= 0 and value > bound), None)


def judge(kind, seed, result):
    """A row of the table: when its triggers told, when the run reacted, and what else told before the fault."""
    told = [(moment(line) - result["onset"], line["message"].split(":")[0]) for line in result["told"]
            if line["level"] in ("notice", "warning", "critical", "error") and ":" in line["message"]]
    wanted = Fault.KINDS[kind][0]
    alarm = next((seconds for seconds, name in told if seconds >= 0 and name in wanted), None)
    return dict(
        fault=kind, seed=seed, alarm=alarm, own=own_reaction(kind, result), watch=result["watch"],
        early=[name for seconds, name in told if seconds < 0],
        others=[name for seconds, name in told if seconds >= 0 and name not in wanted])


def median(values, digits=2):
    return round(statistics.median(values), digits) if values else None


def summary(rows):
    """What came of the tries of each fault."""
    result = {}
    for kind in Fault.KINDS:
        mine = [row for row in rows if row["fault"] == kind]
        alarms = [row["alarm"] for row in mine if row["alarm"] is not None]
        leads = [row["own"] - row["alarm"] for row in mine if row["alarm"] is not None and row["own"] is not None]
        if mine:
            result[kind] = dict(
                runs=len(mine), missed=len(mine) - len(alarms), early=sum(bool(row["early"]) for row in mine),
                delay=median(alarms), delayMax=round(max(alarms), 2) if alarms else None, reacted=len(leads),
                lead=median(leads), leadMin=round(min(leads), 2) if leads else None)
    return result


def main():
    parser = argparse.ArgumentParser(prog="Tools/alarms", description=__doc__.splitlines()[0])
    parser.add_argument("slipring")
    parser.add_argument("--seeds", type=int, default=20, help="tries of each fault (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--fault", action="append", choices=list(Fault.KINDS), help="only this one; several times")
    parser.add_argument("--quiet-minutes", type=float, default=0, help="minutes of a run without a fault")
    parser.add_argument("--quiet-runs", type=int, default=1, help="so many of them at a time")
    parser.add_argument("--at-a-time", type=int, default=2, help="tries at a time (default: 2)")
    parser.add_argument("--stops", type=float, default=0.02, help="seconds of a slow worker's stop and go (0.02)")
    parser.add_argument("--folder", help="where runs go meanwhile (default: a new folder)")
    parser.add_argument("--keep", action="store_true", help="do not remove the runs")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("slipring: this needs root: it mounts a disk in memory, and limits what a process writes")
    if "slow disk" in (options.fault or Fault.KINDS) and options.seeds and not Disk.CGROUP.is_dir():
        sys.exit(f"slipring: the slow disk needs {Disk.CGROUP} (version 1); name the other faults by --fault")
    own = options.folder is None
    options.folder = options.folder or tempfile.mkdtemp(prefix="slipring-alarms-")
    context = zmq.Context()
    kinds = options.fault or list(Fault.KINDS)
    rows, quiet = [], []

    def attempt(work):
        kind, seed = work
        fault = Fault(kind, seed)
        name = f"{kind.replace(' ', '-')}-{seed}"
        return judge(kind, seed, one_try(options, fault, fault.onset + WATCHED, name, context))

    def rest(number):
        result = one_try(options, None, options.quiet_minutes * 60, f"quiet-{number}", context)
        told = [line["message"] for line in result["told"] if line["level"] != "info" and ":" in line["message"]]
        return dict(seconds=round(result["seconds"]), told=told, watch=result["watch"])

    try:
        work = [(kind, seed) for seed in range(options.seed, options.seed + options.seeds) for kind in kinds]
        with concurrent.futures.ThreadPoolExecutor(options.at_a_time + options.quiet_runs) as pool:
            resting = [pool.submit(rest, n) for n in range(options.quiet_runs)] if options.quiet_minutes else []
            for row in pool.map(attempt, work) if not resting or options.seeds else []:
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
            quiet = [run.result() for run in resting]
    finally:
        if own and not options.keep:
            shutil.rmtree(options.folder, ignore_errors=True)
    watch = [row["watch"] for row in rows + quiet]
    hours = sum(run["seconds"] for run in quiet) / 3600
    print(json.dumps(dict(
        seed=options.seed, faults=summary(rows), quietHours=round(hours, 2), falseAlarms=[run["told"] for run in quiet],
        watchShareOfACore=median(watch, 4)), indent=2))


main()
