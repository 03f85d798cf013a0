#!/usr/bin/env python3
"""Measures what viewers cost a run. In one run, phases without and with viewers take turns; a viewer follows as the
page does (events, and three pictures whenever the generation is new, no faster than the page's pace), and at the same
pace as the viewer does (figures and a tile of a slice) and as the page does with its projections open (the newest one,
raw and corrected, and a sinogram). Each phase with viewers is compared with the two around it, so that what else the
machine does weighs little; the answer is the median of these comparisons, with quartiles.

    viewers.py SLIPRING SCAN.h5 FOLDER [PHASES [SECONDS [VIEWERS [OPTION …]]]]

The scan must last for 2 · PHASES + 1 phases of SECONDS + 1 s each. The run is aborted behind the last one.
"""

import json
import os
import re
import selectors
import socket
import statistics
import struct
import subprocess
import sys
import time

# Seconds between the beginning of a phase and that of its measurement: the first pictures of a size are new.
SETTLING = 1.0


class Viewer:
    """One page: a connection for events, one for pictures, and what it waits for."""

    def __init__(self, port, selector, number):
        self.host = f"127.0.0.1:{port}"
        self.port, self.selector, self.number = port, selector, number
        self.buffer, self.generation, self.queue, self.due = b"", None, [], 0.0
        self.pictures, self.events, self.left, self.head = 0, 0, None, b""
        self.follow = self.open(self.read_events)
        self.fetch = self.open(self.read_picture)
        self.follow.sendall(f"GET /api/events HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())

    def open(self, handler):
        connection = socket.create_connection(("127.0.0.1", self.port))
        self.selector.register(connection, selectors.EVENT_READ, handler)
        return connection

    def close(self):
        for connection in (self.follow, self.fetch):
            self.selector.unregister(connection)
            connection.close()

    def read_events(self, connection):
        piece = connection.recv(1 << 16)
        if not piece:
            raise EOFError("the run has ended: it is too short")
        self.buffer += piece
        while b"\n\n" in self.buffer:
            event, self.buffer = self.buffer.split(b"\n\n", 1)
            if b"data: " not in event:
                continue
            self.events += 1
            # Two expressions in place of a parser: fifty Pythons that parse would measure Python.
            match = re.search(rb'"generations":\[([0-9,]*)\]', event)
            pace = re.search(rb'"pictures":(\d+)', event)
            if match and match.group(1) != self.generation and not self.queue and time.monotonic() >= self.due:
                self.generation = match.group(1)
                self.due = time.monotonic() + int(pace.group(1)) / 1000
                self.queue = [
                    f"/slices/z/{self.number % 4}.png?edge=512",
                    "/slices/y/8.png?edge=512",
                    "/slices/x/8.png?edge=512",
                    f"/voxels/stats/z/{self.number % 4}",
                    f"/voxels/tile/z/{self.number % 4}/0/0/0",
                    "/images/raw.png",
                    "/images/corrected.png",
                    "/images/sinogram.png?row=3",
                ]
                self.ask()

    def ask(self):
        if self.queue:
            self.fetch.sendall(f"GET {self.queue[0]} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())

    def read_picture(self, connection):
        # The kernel throws pixels away: a browser elsewhere would take them, not this machine.
        piece = connection.recv(1 << 16, 0 if self.left is None else socket.MSG_TRUNC)
        if not piece:
            raise EOFError("the run has ended: it is too short")
        if self.left is None:
            self.head += piece
            if b"\r\n\r\n" not in self.head:
                return
            head, piece = self.head.split(b"\r\n\r\n", 1)
            self.head, self.left = b"", int(re.search(rb"Content-Length: (\d+)", head).group(1))
        self.left -= len(piece)
        if self.left <= 0:
            self.left = None
            self.pictures += 1
            self.queue.pop(0)
            self.ask()


class Run:
    """A run with its page, and what its processes have taken."""

    def __init__(self, slipring, scan, folder, options):
        self.slipring, self.folder = slipring, os.path.join(folder, "run")
        subprocess.run(["rm", "-rf", self.folder, os.path.join(folder, "out")], check=True)
        self.process = subprocess.Popen(
            [
                slipring, "recon", scan, "--output-folder", os.path.join(folder, "out"), "--run-folder", self.folder,
                "--dashboard", "127.0.0.1:0", "--window-length", "24", "--final-iterations", "0", *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = next(line for line in self.process.stderr if "dashboard: http" in line)
        self.port = int(re.search(r":(\d+)/", line).group(1))
        while self.status()["updates"] < 30:
            time.sleep(0.5)
        self.pids = {stage["name"]: stage["pid"] for stage in self.status()["stages"]} | {
            "supervisor": self.process.pid,
            "viewers": os.getpid(),
        }

    def status(self):
        try:
            with open(os.path.join(self.folder, "status.json")) as file:
                return json.load(file)
        except FileNotFoundError:
            return {"updates": 0}

    def spent(self):
        """Seconds of processor time of each process, of all its threads."""
        def seconds(pid):
            total = 0
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    total += int(file.read().split()[0])
            return total / 1e9
        return {name: seconds(pid) for name, pid in self.pids.items()}

    def update_times(self):
        """When the first worker updated its volume, in seconds, from its journal: see Journal.docc and EventHeader."""
        folder, times = os.path.join(self.folder, "journal", "updates.0"), {}
        for name in sorted(os.listdir(folder)):
            if not name.endswith(".segment"):
                continue
            with open(os.path.join(folder, name), "rb") as file:
                file.seek(4096)
                while len(record := file.read(4096)) == 4096:
                    magic, sequence, at = struct.unpack_from("<I4xQ", record, 8) + struct.unpack_from("<Q", record, 56)
                    if magic == 0x5645_4C53:
                        times[sequence] = at / 1e9
        return sorted(times.values())

    def end(self):
        subprocess.run(
            [self.slipring, "abort", self.folder, "--by", "viewers.py"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.process.communicate(timeout=60)


def phase(run, viewers, seconds):
    """What was spent, from when to when, and what the viewers got."""
    selector = selectors.DefaultSelector()
    followers = [Viewer(run.port, selector, number) for number in range(viewers)]

    def follow(until):
        while (left := until - time.monotonic()) > 0:
            if not followers:
                time.sleep(left)
            for key, _ in selector.select(left) if followers else []:
                key.data(key.fileobj)

    follow(time.monotonic() + SETTLING)
    before, start = run.spent(), time.time()
    follow(time.monotonic() + seconds)
    after, end = run.spent(), time.time()
    for follower in followers:
        follower.close()
    return {
        "span": (start, end),
        "cpu": {name: (after[name] - before[name]) for name in after},
        "events": sum(follower.events for follower in followers),
        "pictures": sum(follower.pictures for follower in followers),
    }


def quartiles(values):
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:+.2f} ({low:+.2f} … {high:+.2f})"


def report(phases, times, cores, viewers):
    """Prints each phase, then the comparisons."""
    for phase in phases:
        start, end = phase["span"]
        inside = [time for time in times if start <= time <= end]
        if len(inside) < 3:
            raise SystemExit("viewers.py: fewer than three updates in a phase: take longer phases or a smaller scan")
        phase["rate"] = (len(inside) - 1) / (inside[-1] - inside[0])
        phase["share"] = {name: spent / (end - start) for name, spent in phase["cpu"].items()}
        phase["update"] = (
            sum(share for name, share in phase["share"].items() if name not in ("supervisor", "viewers"))
            / phase["rate"]
        )
        shares = " ".join(f"{name} {100 * share:.1f}" for name, share in sorted(phase["share"].items()))
        print(
            f"{phase['viewers']:3} viewers: {phase['rate']:.2f} updates/s, "
            f"{1000 * phase['update']:.1f} ms of processor an update; % of a core: {shares}"
        )
    compared = [(phases[n], phases[n - 1], phases[n + 1]) for n in range(1, len(phases), 2)]
    def change(value):
        return [100 * (value(on) / ((value(before) + value(after)) / 2) - 1) for on, before, after in compared]
    extra = [
        100 * (on["share"]["supervisor"] - (before["share"]["supervisor"] + after["share"]["supervisor"]) / 2) / cores
        for on, before, after in compared
    ]
    print(f"{viewers} viewers, {len(compared)} comparisons, {cores} cores; medians with quartiles:")
    print(f"  updates a second                    {quartiles(change(lambda phase: phase['rate']))} %")
    print(f"  stages' processor time an update    {quartiles(change(lambda phase: phase['update']))} %")
    print(f"  the server's processor time         {quartiles(extra)} % of all cores")
    print(
        f"  that of the viewers themselves      "
        f"{quartiles([100 * on['share']['viewers'] / cores for on, _, _ in compared])} % of all cores"
    )
    seconds = sum(on["span"][1] - on["span"][0] + SETTLING for on, _, _ in compared)
    print(
        f"  they got {sum(on['events'] for on, _, _ in compared) / seconds:.0f} reports and "
        f"{sum(on['pictures'] for on, _, _ in compared) / seconds:.0f} pictures and parts a second"
    )


def main():
    slipring, scan, folder, *rest = sys.argv[1:]
    count, seconds, viewers = (
        int(rest[0]) if rest else 12,
        float(rest[1]) if len(rest) > 1 else 5,
        int(rest[2]) if len(rest) > 2 else 50,
    )
    run = Run(slipring, scan, folder, rest[3:])
    try:
        phases = []
        for number in range(2 * count + 1):
            phases.append(phase(run, viewers if number % 2 else 0, seconds) | {"viewers": viewers if number % 2 else 0})
        times = run.update_times()
    finally:
        run.end()
    report(phases, times, len(os.sched_getaffinity(0)), viewers)


main()
