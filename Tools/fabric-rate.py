"""How fast the images of a scan go up to a fabric, and what that costs; called by Tools/fabric-rate.

The virtual detector sends a scan into a run while no server of the fabric is there. When the scan is over the server
begins, and what waits in the journal goes up: only the uplink and the server work then. With --age images go up while
they come, and a reader with a consumer of its own sees how old they are.
"""

import argparse
import json
import os
import queue
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from fabric_machines import Host, Namespaces, Server, free_port, may_make_namespaces

TICKS = os.sysconf("SC_CLK_TCK")
# Projections of the scan that is sent again and again.
SCAN = 40


def read_json(path):
    """What is in a file that another process replaces as a whole; None where there is none yet."""
    try:
        with open(path) as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class DelayedLink(threading.Thread):
    """A relay whose bytes come out a fixed time after they went in, in either direction, and so many a second."""

    def __init__(self, target, delay, rate):
        super().__init__(daemon=True)
        self.target, self.delay, self.rate = target, delay, rate
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            for source, sink in ((client, server), (server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                # Bytes under way are not limited here: a long link holds them.
                way = queue.SimpleQueue()
                threading.Thread(target=self.take, args=(source, way), daemon=True).start()
                threading.Thread(target=self.give, args=(way, sink), daemon=True).start()

    def take(self, source, way):
        try:
            while data := source.recv(1 << 18):
                way.put((time.monotonic() + self.delay, data))
        except OSError:
            pass
        way.put((0, b""))

    def give(self, way, sink):
        free = 0
        try:
            while True:
                due, data = way.get()
                if not data:
                    break
                free = max(free, due) + (len(data) / self.rate if self.rate else 0)
                time.sleep(max(0, free - time.monotonic()))
                sink.sendall(data)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Reader(threading.Thread):
    """A consumer of the first granule's stream: how old each event is when it comes."""

    def __init__(self, port, run):
        super().__init__(daemon=True)
        self.port, self.stream, self.ages, self.is_over = port, f"slipring-{run}-p0", [], False
        self.start()

    def send(self, subject, body, reply):
        text = json.dumps(body).encode()
        self.socket.sendall(f"PUB {subject} {reply} {len(text)}\r\n".encode() + text + b"\r\n")

    def run(self):
        try:
            self.read()
        except OSError:
            # The server ends with the measurement.
            pass

    def read(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", buffering=1 << 20)
        self.socket.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB in.> 1\r\n')
        name = None
        while name is None:
            body = {"stream_name": self.stream, "config": {"ack_policy": "none", "deliver_policy": "all",
                    "mem_storage": True}}  # fmt: skip
            self.send(f"$JS.API.CONSUMER.CREATE.{self.stream}", body, "in.create")
            subject, data = self.message(1)
            name = json.loads(data).get("name") if subject == "in.create" and data else None
            if name is None:
                time.sleep(0.005)
        left = 0
        while not self.is_over:
            if left < 32:
                left += 64
                self.send(
                    f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{name}", {"batch": 64, "expires": 30 * 10**9}, "in.next")
            subject, data = self.message(1)
            if len(data) >= 192:
                left -= 1
                (acquired,) = struct.unpack_from("<Q", data, 56)
                self.ages.append((time.time_ns() - acquired) / 1e6)

    def message(self, limit):
        """The next message: its subject and its bytes."""
        self.socket.settimeout(limit)
        while True:
            words = self.file.readline().split()
            if not words:
                raise OSError("the server has closed the connection")
            if words[0] == b"PING":
                self.socket.sendall(b"PONG\r\n")
            if words[0] in (b"MSG", b"HMSG"):
                data = self.file.read(int(words[-1]) + 2)[:-2]
                return words[1].decode(), data[int(words[-2]) if words[0] == b"HMSG" else 0 :]


class Bed:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.rows, self.columns = (int(edge) for edge in options.shape.split(","))
        self.frames = max(SCAN, round(options.megabytes * 1e6 / (2 * self.rows * self.columns) / SCAN) * SCAN)
        self.network = None
        self.server = Server(options.server, 1, folder)
        self.port = self.server.ports[0]
        self.processes = []

    def begin_network(self):
        """Gives the address of the server as the run reaches it."""
        if self.options.megabits:
            self.network = Namespaces(["edge", "server1"])
            rate = f"{self.options.megabits}mbit"
            self.network.shape("edge", rate)
            return f"nats://{self.network.host('server1')}:{self.port}"
        self.network = Host()
        options = self.options
        if not options.round_trip:
            return f"nats://127.0.0.1:{self.port}"
        return f"nats://127.0.0.1:{DelayedLink(self.port, options.round_trip / 2000, options.relay * 1e6).port}"

    def start(self, machine, command, **more):
        process = subprocess.Popen(self.network.command(machine, command), **more)
        self.processes.append(process)
        return process

    def measure(self):
        options, program = self.options, self.options.slipring
        simulate = [
            program, "simulate", f"{self.folder}/scan.h5", "--rows", str(self.rows), "--columns", str(self.columns),
            "--projections", str(SCAN), "--darks", "4", "--flats", "4", "--quiet",
        ]  # fmt: skip
        subprocess.run(simulate, check=True)
        address = self.begin_network()
        if options.age:
            self.server.begin(self.network, [self.server])
        source = free_port()
        run = self.start("edge", [
            program, "recon", f"zmq+pull://127.0.0.1:{source}", "--output-folder", f"{self.folder}/out", "--run-folder",
            f"{self.folder}/run", "--shape", options.shape, "--projections", str(self.frames), "--darks", "4",
            "--flats", "4", "--rotation-axis", str(self.columns / 2), "--algorithm", "fbp",
            "--window-step", "0", "--quiet", "--no-dashboard", "--fabric", address, "--local-rows",
            f"0:{min(4, self.rows)}", "--granule", str(options.granule), "--threads", "1",
            "--uplink", options.uplink,
        ])  # fmt: skip
        stages = self.wait(lambda: self.stages("acquire", "uplink"), run)
        sender = self.start("edge", [
            program, "simulate", "--stream", f"zmq+push://127.0.0.1:{source}", "--scan", f"{self.folder}/scan.h5",
            "--rounds", str(self.frames // SCAN), "--rate", str(options.rate), "--quiet"])  # fmt: skip
        if options.age:
            return self.ages(run, sender, stages)
        self.wait(lambda: os.path.exists(f"{self.folder}/run/export.json"), run)
        uplink = self.stages("uplink")["uplink"]
        self.server.begin(self.network, [self.server])
        return self.rate(uplink, run)

    def rate(self, uplink, run):
        """From the first report with bytes in it to the one that has all."""
        path, seen = f"{self.folder}/run/uplink.json", []
        while run.poll() is None:
            report = read_json(path)
            if report and report.get("bytes", 0) > 0:
                stamp = os.stat(path).st_mtime
                if not seen or stamp > seen[-1][0]:
                    try:
                        costs = cpu_seconds(uplink), cpu_seconds(self.server.process.pid)
                    except FileNotFoundError:
                        break
                    # Of the images as they are, packed or not.
                    seen.append((stamp, report["bytes"] + report.get("saved", 0), *costs))
                if report["isComplete"]:
                    break
            time.sleep(0.005)
        if len(seen) < 3:
            sys.exit("the scan went up too fast to be measured: give more --megabytes")
        # The last report may be of the wait for the end, the one before is of the way there.
        (t0, b0, u0, s0), (t1, b1, u1, s1) = seen[0], next(s for s in reversed(seen) if s[1] < seen[-1][1])
        megabytes, seconds = (b1 - b0) / 1e6, t1 - t0
        return {
            "megabytes": round(megabytes), "seconds": round(seconds, 2),
            "megabytesASecond": round(megabytes / seconds, 1),
            "uplinkMillisecondsAMegabyte": round(1e3 * (u1 - u0) / megabytes, 3),
            "serverMillisecondsAMegabyte": round(1e3 * (s1 - s0) / megabytes, 3),
        }  # fmt: skip

    def ages(self, run, sender, stages):
        number = read_json(f"{self.folder}/run/status.json")["run"]
        reader = Reader(self.port, number)
        before = cpu_seconds(stages["uplink"])
        total = self.frames + 9
        self.wait(lambda: len(reader.ages) >= total - 1 or sender.poll() is not None and not reader.is_alive(), run)
        cost = cpu_seconds(stages["uplink"]) - before
        ages = sorted(reader.ages)

        def at(share):
            return round(ages[min(len(ages) - 1, int(share * len(ages)))], 2)

        return {
            "events": len(ages), "rate": self.options.rate,
            "ageMedianMilliseconds": at(0.5), "age99Milliseconds": at(0.99),
            "ageMaxMilliseconds": round(ages[-1], 2),
            "uplinkMillisecondsAMegabyte": round(1e9 * cost / (self.frames * 2 * self.rows * self.columns), 3),
        }  # fmt: skip

    def stages(self, *names):
        status = read_json(f"{self.folder}/run/status.json")
        stages = {stage["name"]: stage["pid"] for stage in (status or {}).get("stages", []) if stage["isRunning"]}
        return stages if set(names) <= stages.keys() else None

    def wait(self, condition, run, limit=300):
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and run.poll() is None:
            if value := condition():
                return value
            time.sleep(0.02)
        sys.exit("the run did not get so far in time")

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
        self.server.kill()
        if self.network:
            self.network.close()


def main():
    parser = argparse.ArgumentParser(
        prog="Tools/fabric-rate", description="Measures how fast images go up to a fabric, and what that costs."
    )
    parser.add_argument("slipring", help=argparse.SUPPRESS)
    parser.add_argument("server", help=argparse.SUPPRESS)
    parser.add_argument("--shape", default="512,2048", help="rows and columns of an image")
    parser.add_argument("--granule", type=int, default=64, help="rows of a message")
    parser.add_argument("--uplink", default="keep", choices=["keep", "compress"], help="how images go up")
    parser.add_argument("--megabytes", type=float, default=2000, help="of the whole scan")
    parser.add_argument("--rate", type=float, default=200, help="images a second that the detector sends")
    parser.add_argument("--age", action="store_true", help="how old images are where they are read")
    parser.add_argument("--megabits", type=int, help="a link of so many megabits a second (root; tbf)")
    parser.add_argument("--round-trip", type=float, default=0, help="milliseconds of a relay there and back")
    parser.add_argument("--relay", type=float, default=40, help="megabytes a second of that relay")
    parser.add_argument("--folder", default=".", help="folder for a folder that is removed")
    options = parser.parse_args()
    if options.megabits and not may_make_namespaces():
        sys.exit("--megabits needs root, for network namespaces")
    if shutil.disk_usage(options.folder).free < 3e6 * options.megabytes + (1 << 30):
        sys.exit(f"{options.folder} has no room for three times the scan")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="slipring-fabric-rate-") as folder:
        bed = Bed(options, folder)
        try:
            report = bed.measure()
        finally:
            bed.close()
    asked = {"shape": options.shape, "granule": options.granule, "megabits": options.megabits,
             "roundTripMilliseconds": options.round_trip}  # fmt: skip
    print(json.dumps({**{key: value for key, value in asked.items() if value}, **report,
                      "loadOfOthers": os.getloadavg()[0]}, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()
