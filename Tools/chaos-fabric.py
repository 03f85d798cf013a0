"""Kills what a scan on several machines is made of, and cuts its links; called by Tools/chaos --fabric.

An edge, three nodes and one or three servers of a fabric, each in a network namespace of its own where this process may
make some (root), else on loopback behind relays that can be cut. Stages, uplinks, supervisors, whole machines and
servers are killed at moments that a seed decides. The slices of the nodes, and those of the edge, must be those of a
run on one machine without faults, bit for bit.
"""

import argparse
import collections
import glob
import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from fabric_machines import Loopback, Namespaces, Server, call, may_make_namespaces

ROWS, COLUMNS, PROJECTIONS, GRANULE, NODES = 48, 64, 100, 16, 3
# Projections a second: a scan lasts as long as its faults need.
RATE = 25
OPTIONS = ["--rotation-axis", "32", "--algorithm", "sirt", "--final-iterations", "3", "--quiet", "--json"]
ROUND_LIMIT = 300
# Kinds of faults and how often each is drawn.
KINDS = {"stage": 6, "uplink": 3, "supervisor": 2, "machine": 2, "server": 3, "stopped server": 1, "link": 3, "disk": 1}


class Run:
    """A run of the edge or a node, through all lives of its supervisor."""

    def __init__(self, bed, machine, arguments):
        self.bed, self.machine, self.arguments = bed, machine, arguments
        self.output = f"{bed.round_folder}/{machine}"
        self.folder = f"{self.output}-run"
        self.resume_due, self.resumes, self.process = None, 0, None
        self.launch(
            ["recon"] + arguments + ["--output-folder", self.output, "--run-folder", self.folder, "--threads", "1"]
            + OPTIONS[-2:]
        )  # fmt: skip

    def launch(self, arguments):
        self.log = f"{self.output}.{self.resumes}"
        with open(self.log + ".json", "w") as result, open(self.log + ".errors", "w") as errors:
            command = self.bed.network.command(self.machine, [self.bed.options.slipring] + arguments)
            self.process = subprocess.Popen(command, stdout=result, stderr=errors)

    def status(self):
        try:
            with open(f"{self.folder}/status.json") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def stages(self):
        status = self.status() if self.process and self.process.poll() is None else None
        return {stage["name"]: stage["pid"] for stage in (status or {}).get("stages", []) if stage["isRunning"]}

    def kill(self, pause, with_stages):
        stages = self.stages()
        self.process.kill()
        for pid in stages.values() if with_stages else ():
            send(pid, signal.SIGKILL, self.folder)
        self.process.wait()
        self.resume_due = time.monotonic() + pause

    def look(self):
        """Resumes it where that is due; whether it is over."""
        if self.resume_due is not None:
            if time.monotonic() < self.resume_due:
                return False
            self.resume_due, self.resumes = None, self.resumes + 1
            self.launch(["resume", self.folder, "--quiet", "--json"])
        if self.process.poll() is None:
            return False
        # What a dead supervisor's stages still hold is free within moments.
        if self.process.returncode == 73 and self.resumes and "living supervisor" in self.errors():
            self.resume_due = time.monotonic() + 0.5
            return False
        return True

    def outputs(self):
        return [self.output]

    def errors(self):
        with open(self.log + ".errors") as file:
            return file.read().strip()

    def result(self):
        if self.process.returncode != 0:
            raise ValueError(f"{self.machine} ended with {self.process.returncode}: {self.errors()[-300:]}")
        with open(self.log + ".json") as file:
            return json.load(file)


class Node(Run):
    """A node that takes granules by itself, through all of its lives."""

    def __init__(self, bed, machine, address):
        self.node = [
            "node", "--fabric", address, "--folder", f"{bed.round_folder}/{machine}-run", "--name", machine,
            "--most-granules", "2", "--cores", "1", "--format", "tiff", "--retain", "keep",
        ]  # fmt: skip
        self.bed, self.machine = bed, machine
        self.output = f"{bed.round_folder}/{machine}"
        self.folder = f"{self.output}-run"
        self.resume_due, self.resumes, self.process = None, 0, None
        self.launch(self.node)

    def status(self):
        return {"stages": []} if self.process.poll() is None else None

    def stages(self):
        found = {}
        for path in glob.glob(f"{self.folder}/**/status.json", recursive=True):
            try:
                with open(path) as file:
                    stages = json.load(file)["stages"]
            except (OSError, ValueError):
                continue
            found |= {f"{path} {stage['name']}": stage["pid"] for stage in stages if stage["isRunning"]}
        return found

    def look(self):
        """Starts it again where that is due; whether all of the scan's slices are there."""
        if self.resume_due is not None and time.monotonic() >= self.resume_due:
            self.resume_due, self.resumes = None, self.resumes + 1
            self.launch(self.node)
        if self.resume_due is None and self.process.poll() is not None:
            self.result()
        folders = [folder for node in self.bed.runs[1:] for folder in node.outputs()]
        return len({name for folder in folders for name in names(folder)}) == ROWS

    def outputs(self):
        return glob.glob(f"{self.folder}/*/*-*/")

    def end(self, limit):
        """Has it finish what it has."""
        if self.resume_due is not None:
            return
        self.process.terminate()
        self.process.wait(timeout=limit)
        if self.process.returncode != 0:
            raise ValueError(f"{self.machine} ended with {self.process.returncode}: {self.errors()[-300:]}")


class Bed:
    """What all rounds share."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.random = random.Random(options.seed)
        self.faults = collections.Counter()
        self.rounds, self.lost, self.doubled, self.differing, self.failed = 0, 0, 0, 0, []
        self.machines = ["edge"] + [f"node{number}" for number in range(NODES)]
        self.servers = [Server(options.server, number, folder) for number in range(1, options.servers + 1)]
        names = self.machines + [server.name for server in self.servers]
        self.network = Namespaces(names) if not options.loopback and may_make_namespaces() else Loopback(names)
        self.scan = f"{folder}/foam.h5"
        self.runs, self.round_folder, self.timers = [], folder, []

    def address(self, machine):
        addresses = [self.network.server(machine, server.name, server.ports[0]) for server in self.servers]
        return "nats://" + ",".join(addresses)

    def slipring(self, *arguments):
        result = subprocess.run(
            [self.options.slipring, *arguments], capture_output=True, text=True, timeout=ROUND_LIMIT)  # fmt: skip
        if result.returncode != 0:
            sys.exit(f"slipring {arguments[0]} failed: {result.stderr.strip()}")
        return result.stdout

    def prepare(self):
        self.slipring(
            "simulate", self.scan, "--rows", str(ROWS), "--columns", str(COLUMNS), "--projections", str(PROJECTIONS),
            "--flats", "4", "--darks", "2", "--quiet")  # fmt: skip
        self.slipring("recon", self.scan, "--output-folder", f"{self.folder}/reference", *OPTIONS)
        self.reference = slices(f"{self.folder}/reference")
        if sorted(self.reference) != list(range(ROWS)):
            sys.exit(f"the run without faults has slices {sorted(self.reference)}")
        for server in self.servers:
            self.begin(server)
        time.sleep(1)

    def round(self, most):
        """One scan with up to so many faults."""
        self.rounds += 1
        self.round_folder = f"{self.folder}/round{self.rounds}"
        os.mkdir(self.round_folder)
        count = min(most, self.random.randint(4, 10))
        plan = sorted((self.random.uniform(0, PROJECTIONS / RATE), *self.draw()) for _ in range(count))
        story = "; ".join(f"{kind} {' '.join(map(str, values))} at {at:.2f} s" for at, kind, values in plan)
        try:
            self.scan_once(plan)
        except (ValueError, OSError) as error:
            self.failed.append(f"round {self.rounds} ({story}): {error}")
        finally:
            self.end_round()

    def scan_once(self, plan):
        deadline = time.monotonic() + ROUND_LIMIT
        edge = ["--fabric", self.address("edge"), "--granule", str(GRANULE), "--rate", str(RATE)] + OPTIONS[:-2]
        self.runs = [Run(self, "edge", [self.scan] + edge)]
        if self.options.pool:
            self.runs += [Node(self, machine, self.address(machine)) for machine in self.machines[1:]]
        number = self.wait_for_status(deadline)[0]["run"]
        self.runs += [] if self.options.pool else [
            Run(self, machine, [f"{self.address(machine)}/{number}", "--granules", f"{index}:{index + 1}"])
            for index, machine in enumerate(self.machines[1:])
        ]
        self.wait_for_status(deadline)
        start = time.monotonic()
        while plan or not all([run.look() for run in self.runs]):
            while plan and time.monotonic() - start >= plan[0][0]:
                _, kind, values = plan.pop(0)
                if self.make(kind, *values):
                    self.faults[kind] += 1
            self.heal()
            if time.monotonic() > deadline:
                raise ValueError(f"{[run.machine for run in self.runs if run.process.poll() is None]} did not end")
            time.sleep(0.02)
        self.judge()

    def wait_for_status(self, deadline):
        """What all runs say of themselves, as soon as their stages are there."""
        while time.monotonic() < deadline:
            statuses = [run.status() for run in self.runs]
            if all(statuses):
                return statuses
            for run in self.runs:
                if run.process.poll() is not None:
                    run.result()
            time.sleep(0.02)
        raise ValueError("the runs did not begin")

    def draw(self):
        """A kind of fault and where it happens: numbers that are only looked up when it does."""
        kind = self.random.choices(list(KINDS), KINDS.values())[0]
        return kind, (self.random.randrange(1 << 16), round(self.random.uniform(0.1, 2.5), 2))

    def make(self, kind, number, seconds):
        """Makes a fault; whether there was something that it could happen to."""
        alive = [run for run in self.runs if run.resume_due is None and run.process.poll() is None and run.status()]
        servers = [server for server in self.servers if server.process]
        if kind in ("stage", "uplink"):
            stages = [(run, name, pid) for run in alive for name, pid in run.stages().items()
                      if kind == "stage" or name == "uplink"]  # fmt: skip
            if not stages:
                return False
            run, _, pid = stages[number % len(stages)]
            return send(pid, signal.SIGKILL, run.folder)
        if kind in ("supervisor", "machine"):
            if not alive:
                return False
            alive[number % len(alive)].kill(seconds, with_stages=kind == "machine")
            return True
        if kind == "link":
            machine = list(self.machines)[number % len(self.machines)]
            self.network.cut(machine, True)
            self.timers.append((time.monotonic() + seconds, lambda: self.network.cut(machine, False)))
            return True
        if not servers or kind == "disk" and (len(self.servers) > 1 or not self.edge_is_there()):
            return False
        server = servers[number % len(servers)]
        if kind == "stopped server":
            server.process.send_signal(signal.SIGSTOP)
            pid = server.process.pid
            self.timers.append((time.monotonic() + seconds, lambda: send(pid, signal.SIGCONT, server.folder)))
            return True
        server.kill()
        if kind == "disk":
            shutil.rmtree(f"{server.folder}/store", ignore_errors=True)
        self.timers.append((time.monotonic() + seconds, lambda: self.begin(server)))
        return True

    def begin(self, server):
        server.begin(self.network, self.servers)

    def edge_is_there(self):
        """Whether somebody can fill streams again: who ends the edge's run gives that up."""
        uplink = (self.runs[0].status() or {}).get("uplink") or {}
        return self.runs[0].process.poll() is None and not uplink.get("isComplete")

    def heal(self, all_of_it=False):
        due = [timer for timer in self.timers if all_of_it or time.monotonic() >= timer[0]]
        self.timers = [timer for timer in self.timers if timer not in due]
        for _, action in due:
            action()

    def made(self):
        """The slices of all nodes."""
        made = {}
        for folder in [folder for run in self.runs[1:] for folder in run.outputs()]:
            made |= slices(folder)
        return made

    def judge(self):
        for run in self.runs:
            if isinstance(run, Node):
                run.end(60)
                continue
            result = run.result()
            self.lost += PROJECTIONS - result["projections"] + result["lost"]
            self.doubled += result["duplicates"]
            # Nobody else publishes here: the edge must know its own messages, whoever of it sent them.
            if (result.get("uplink") or {}).get("replaced"):
                raise ValueError("the uplink took its own messages for somebody else's")
        for name, found in (("the nodes", self.made()), ("the edge", slices(self.runs[0].output))):
            if digest(found) != digest(self.reference):
                self.differing += 1
                other = [row for row in self.reference if found.get(row) != self.reference[row]]
                raise ValueError(f"slices {other} of {name} have other bits")

    def end_round(self):
        self.heal(all_of_it=True)
        for run in self.runs:
            run.process.kill()
            run.process.wait()
        numbers = {(run.status() or {}).get("run") for run in self.runs[:1]} - {None}
        for number in numbers:
            command = [self.options.slipring, "fabric", "remove", self.address("edge"), number]
            for _ in range(20):
                if call(*self.network.command("edge", command), check=False):
                    break
                time.sleep(0.5)
        self.runs = []
        shutil.rmtree(self.round_folder, ignore_errors=True)

    def close(self):
        self.timers = []
        for run in self.runs:
            run.process.kill()
            run.process.wait()
        for server in self.servers:
            server.kill()
        self.network.close()

    def report(self):
        return {
            "seed": self.options.seed, "servers": len(self.servers), "network": type(self.network).__name__.lower(),
            "scans": self.rounds, "faults": sum(self.faults.values()), "byKind": dict(sorted(self.faults.items())),
            "lost": self.lost, "doubled": self.doubled, "differing": self.differing, "failed": self.failed,
        }  # fmt: skip


def send(pid, number, folder):
    """Signals a process, if it is still the one that is meant: its command line names a folder of this campaign."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if folder.encode() not in file.read():
                return False
        os.kill(pid, number)
        return True
    except (FileNotFoundError, ProcessLookupError):
        return False


def slices(folder):
    """The pixels of each slice in a folder of TIFF files, by the slice's number."""
    found = {}
    for name in names(folder):
        with open(f"{folder}/{name}", "rb") as file:
            found[int(name[6:-5])] = pixels(file.read())
    return found


def names(folder):
    """The files of slices in a folder; none where it was removed."""
    try:
        return [name for name in os.listdir(folder) if name.startswith("recon_") and name.endswith(".tiff")]
    except FileNotFoundError:
        return []


def pixels(data):
    """The strips of a little-endian TIFF file, one after the other."""
    (place,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, place)
    tags = {}
    for entry in range(place + 2, place + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from("<HHI", data, entry)
        size = {3: 2, 4: 4}.get(kind)
        if size:
            start = entry + 8 if number * size <= 4 else struct.unpack_from("<I", data, entry + 8)[0]
            tags[tag] = struct.unpack_from(f"<{number}{'H' if size == 2 else 'I'}", data, start)
    return b"".join(data[start : start + length] for start, length in zip(tags[273], tags[279]))


def digest(found):
    whole = hashlib.sha256()
    for row in sorted(found):
        whole.update(struct.pack("<I", row) + found[row])
    return whole.hexdigest()


def main():
    parser = argparse.ArgumentParser(
        prog="Tools/chaos --fabric", description="Kills and cuts what a scan on several machines is made of."
    )
    parser.add_argument("slipring", help=argparse.SUPPRESS)
    parser.add_argument("server", help=argparse.SUPPRESS)
    parser.add_argument("--kills", type=int, default=20, help="faults to make")
    parser.add_argument("--seed", type=int, default=1, help="equal seeds draw the same faults")
    parser.add_argument("--servers", type=int, choices=(1, 3), default=1, help="servers of the fabric")
    parser.add_argument("--pool", action="store_true", help="nodes that take granules by themselves (slipring node)")
    parser.add_argument("--loopback", action="store_true", help="no network namespaces, also as root")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    # Also where a shell in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="slipring-chaos-") as folder:
        bed = Bed(options, folder)
        try:
            bed.prepare()
            while sum(bed.faults.values()) < options.kills and bed.rounds < 2 * options.kills:
                bed.round(options.kills - sum(bed.faults.values()))
                if not options.json:
                    print(f"\r{sum(bed.faults.values())}/{options.kills} faults, {bed.rounds} scans ", end="",
                          file=sys.stderr)  # fmt: skip
        except KeyboardInterrupt:
            print("\nslipring: ended early", file=sys.stderr)
        finally:
            bed.close()
    report = bed.report()
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report["byKind"].items())
        print(
            f"\nseed {options.seed}, {report['servers']} servers, {report['network']}: {report['scans']} scans, "
            f"{report['faults']} faults ({kinds}): {report['lost']} lost, {report['doubled']} doubled, "
            f"{report['differing']} differing, {len(report['failed'])} failed"
        )
        print("\n".join(report["failed"][:20]), end="")
    is_clean = not (report["failed"] or report["lost"] or report["doubled"] or report["differing"])
    sys.exit(0 if is_clean else 1)


if __name__ == "__main__":
    main()
