"""Kills what a scan on several machines is made of, and cuts its links; called by Tools/chaos --fabric.

An edge, three nodes and one or three servers of a fabric, each in a network namespace of its own where this process may
make some (root), else on loopback behind relays that can be cut. Stages, uplinks, supervisors, whole machines and
servers are killed at moments that a seed decides, some of them while nodes send slices back or the edge puts them
together; machines hang, disks are full, and somebody writes into leases. A seed decides as well how each scan is made:
whether images are packed, whether the edge makes fewer updates, ends the scan by its similarity, or gathers the parts.

The slices of the nodes, and those of the edge, must be those of a run on one machine without faults, bit for bit; where
updates or the end are the edge's decision, those of the nodes must be the edge's. Nothing may stay behind on servers
and in /dev/shm.
"""

import argparse
import collections
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from fabric_machines import Loopback, Namespaces, Server, call, may_make_namespaces, publish
from fabric_runs import ROWS, Node, Run, digest, gather, send, slices, volume_digest

COLUMNS, PROJECTIONS, GRANULE, NODES = 64, 100, 16, 3
# Projections a second: a scan lasts as long as its faults need.
RATE = 25
OPTIONS = ["--rotation-axis", "32", "--algorithm", "sirt", "--final-iterations", "3"]
ROUND_LIMIT = 300
# Bits a second at which nodes send slices back: slow enough for faults meanwhile.
RETURN_RATE = "1mbit"
# What a scan is asked to do, and how often each is drawn.
WAYS = {"plain": 4, "pace": 2, "similar": 2, "links": 2, "edge": 5}
WINDOWS = ["--window-length", "8"]
WAY_OPTIONS = {
    "plain": [],
    "pace": WINDOWS + ["--lag-max", "48", "--trigger", "always,watch=rate,model=threshold:>1,then=widen"],
    "similar": WINDOWS + ["--stop-ssim", "0.3", "--stop-after", "24"],
    "links": ["--nodes", str(NODES), "--gather", "links", "--format", "tiff"],
    "edge": ["--nodes", str(NODES), "--gather", "edge"],
}
GATHERED, DECIDED = ("links", "edge"), ("pace", "similar")
# Kinds of faults and how often each is drawn, of those that a scan can have.
KINDS = {
    "stage": 6, "uplink": 3, "supervisor": 2, "machine": 2, "server": 3, "stopped server": 1, "link": 3, "disk": 1,
    "hung machine": 2, "full disk": 2, "lease": 2, "sender": 4, "sender's server": 3, "sender's link": 1,
    "gatherer": 2, "gather": 2,
}  # fmt: skip
# Those that wait for something to happen, and those only of some scans.
ARMED = ("sender", "sender's server", "sender's link", "gatherer")
# What nobody should write into a lease: {0} is the granule, {1} the run.
LEASES = [
    "", "{{}}", "\x01", '{{"layout":1,"node":"somebody","state":"reading","epoch":1,"cursor":7,"of":9}}',
    '{{"layout":1,"node":"node0","state":"reading","epoch":0,"cursor":1e999,"of":9}}',
    '{{"layout":1,"node":"node1","state":"reading","epoch":3,"cursor":9,"of":103,"score":{{"run":"{1}","granule":{0},'
    '"firstRow":0,"rows":16,"update":99999,"projections":100,"against":3,"similarity":1e300,"streak":99,"black":0,'
    '"white":1,"isSettled":true}}}}',
    '{{"layout":1,"node":"node2","state":"reading","epoch":3,"cursor":9,"of":103,"score":{{"run":"{1}","granule":{0},'
    '"firstRow":16,"rows":16,"update":60,"projections":61,"against":53,"similarity":1,"streak":9,"black":0,'
    '"white":1,"isSettled":true}}}}',
]  # fmt: skip


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
        self.scans = {order: f"{folder}/{order}/foam.h5" for order in ("sequential", "golden")}
        self.runs, self.round_folder, self.timers, self.armed = [], folder, [], []
        self.way, self.uplink, self.kills, self.gathering = "plain", "keep", [], []
        self.ways, self.made_faults = collections.Counter(), collections.Counter()
        self.has_disks = os.geteuid() == 0 and self.may_mount()

    def address(self, machine):
        addresses = [self.network.server(machine, server.name, server.ports[0]) for server in self.servers]
        return "nats://" + ",".join(addresses)

    def slipring(self, *arguments):
        result = subprocess.run(
            [self.options.slipring, *arguments], capture_output=True, text=True, timeout=ROUND_LIMIT)  # fmt: skip
        if result.returncode != 0:
            sys.exit(f"slipring {arguments[0]} failed: {result.stderr.strip()}")
        return result.stdout

    def may_mount(self):
        place = f"{self.folder}/try"
        os.mkdir(place)
        if not call("mount", "-t", "tmpfs", "tmpfs", place, check=False):
            return False
        return call("umount", place)

    def prepare(self):
        for order, path in self.scans.items():
            os.mkdir(os.path.dirname(path))
            self.slipring(
                "simulate", path, "--rows", str(ROWS), "--columns", str(COLUMNS), "--projections", str(PROJECTIONS),
                "--flats", "4", "--darks", "2", "--order", order, "--quiet")  # fmt: skip
        scan = self.scans["sequential"]
        self.slipring("recon", scan, "--output-folder", f"{self.folder}/reference", "--quiet", "--json", *OPTIONS)
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
        # Only leases say what nodes saw of their slices.
        ways = {way: weight for way, weight in WAYS.items() if way != "similar" or self.options.pool}
        self.way = self.random.choices(list(ways), ways.values())[0]
        self.uplink = self.random.choice(["keep", "compress"])
        count = min(most, self.random.randint(4, 10))
        plan = sorted((self.random.uniform(0, PROJECTIONS / RATE), *self.draw()) for _ in range(count))
        self.kills = [values[1] / 8 for _, kind, values in plan if kind == "gather"]
        self.armed = [(kind, *values) for _, kind, values in plan if kind in ARMED]
        story = "; ".join(f"{kind} {' '.join(map(str, values))} at {at:.2f} s" for at, kind, values in plan)
        plan = [fault for fault in plan if fault[1] not in ARMED + ("gather",)]
        self.made_faults.clear()
        try:
            self.scan_once(plan)
        except (ValueError, OSError, subprocess.SubprocessError) as error:
            self.failed.append(f"round {self.rounds} ({self.way}, {self.uplink}; {story}): {error}")
            self.keep()
        finally:
            self.faults += self.made_faults
            self.ways[f"{self.way}, {self.uplink}"] += 1
            self.end_round()

    def keep(self):
        """Leaves what a failed round has written to somebody who asked for it."""
        if self.options.keep:
            target = f"{self.options.keep}/seed{self.options.seed}-round{self.rounds}"
            shutil.copytree(self.round_folder, target, ignore=shutil.ignore_patterns("filler", "journal*"),
                            ignore_dangling_symlinks=True, dirs_exist_ok=True)  # fmt: skip

    def scan_once(self, plan):
        deadline = time.monotonic() + ROUND_LIMIT
        address = self.address("edge")
        scan = self.scans["golden" if self.way in DECIDED else "sequential"]
        edge = ["--fabric", address, "--granule", str(GRANULE), "--rate", str(RATE), "--uplink", self.uplink]
        self.runs = [Run(self, "edge", [scan] + edge + OPTIONS + WAY_OPTIONS[self.way])]
        if self.options.pool:
            self.runs += [Node(self, machine, self.address(machine)) for machine in self.machines[1:]]
        number = self.wait_for_status(deadline)[0]["run"]
        self.runs += [] if self.options.pool else [
            Run(self, machine, [f"{self.address(machine)}/{number}", "--granules", f"{index}:{index + 1}",
                                "--node-name", machine, "--format", "tiff"])
            for index, machine in enumerate(self.machines[1:])
        ]  # fmt: skip
        if self.way == "edge":
            self.slow(RETURN_RATE)
        self.wait_for_status(deadline)
        start = time.monotonic()
        self.reminder_due = start + 15
        while plan or not all([run.look() for run in self.runs]):
            while plan and time.monotonic() - start >= plan[0][0]:
                _, kind, values = plan.pop(0)
                if self.make(kind, *values):
                    self.made_faults[kind] += 1
            self.fire()
            self.heal()
            self.remind()
            if time.monotonic() > deadline:
                raise ValueError(f"{[run.machine for run in self.runs if run.process.poll() is None]} did not end")
            time.sleep(0.02)
        self.heal(all_of_it=True)
        self.judge(number)

    def remind(self):
        """Has nodes that a person started tell again what a server forgot before the edge had seen it."""
        if self.options.pool or not self.made_faults["disk"] or time.monotonic() < self.reminder_due:
            return
        self.reminder_due = time.monotonic() + 15
        missing = ((self.runs[0].status() or {}).get("uplink") or {}).get("missing")
        for run in self.runs[1:] if missing else ():
            if run.resume_due is None and run.process.poll() == 0:
                run.resume_due = time.monotonic()

    def slow(self, rate):
        for machine in self.machines[1:]:
            self.network.slow(machine, rate)

    def fire(self):
        """Makes faults that waited for slices to be sent back, or put together."""
        if not self.armed:
            return
        senders = [run for run in self.runs[1:] if run.resume_due is None and run.is_sending()]
        edge = self.runs[0]
        try:
            with open(f"{edge.folder}/parts.json") as file:
                is_gathering = edge.resume_due is None and len(json.load(file)["parts"]) * GRANULE >= ROWS
        except (OSError, ValueError, KeyError):
            is_gathering = False
        for fault in list(self.armed):
            kind, number, seconds = fault
            if kind == "gatherer" and is_gathering:
                victims = [edge]
            elif kind != "gatherer" and senders:
                victims = senders
            else:
                continue
            self.armed.remove(fault)
            run = victims[number % len(victims)]
            self.made_faults[kind] += 1
            # At once, or while it sends.
            delay = 0 if number % 3 == 0 else seconds / 4
            if kind == "sender's server":
                # The edge is there as long as it waits for parts.
                loses = len(self.servers) == 1 and self.way in GATHERED and number % 2 == 1
                self.made_faults["disk"] += loses
                self.later(delay, lambda loses=loses, number=number, seconds=seconds: self.make(
                    "sender's disk" if loses else "server", number, seconds))  # fmt: skip
            elif kind == "sender's link":
                self.cut(run.machine, 4 * seconds)
            else:
                self.later(delay, lambda run=run, number=number, seconds=seconds: self.kill(run, number, seconds))
            senders = [other for other in senders if other is not run]

    def later(self, seconds, action):
        self.timers.append((time.monotonic() + seconds, action))

    def kill(self, run, number, seconds):
        if run.resume_due is None and run.process.poll() is None:
            run.kill(seconds, with_stages=number % 2 == 0)

    def cut(self, machine, seconds):
        self.network.cut(machine, True)
        self.later(seconds, lambda: self.network.cut(machine, False))

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
        kinds = dict(KINDS)
        if not self.options.pool:
            del kinds["lease"]
        if not self.has_disks:
            del kinds["full disk"]
        if self.way not in GATHERED:
            del kinds["gather"], kinds["gatherer"]
        if len(self.servers) > 1:
            del kinds["disk"]
        kind = self.random.choices(list(kinds), kinds.values())[0]
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
            self.cut(self.machines[number % len(self.machines)], seconds)
            return True
        if kind in ("hung machine", "full disk"):
            nodes = [run for run in alive if kind == "hung machine" or run is not self.runs[0]]
            return bool(nodes) and getattr(self, kind.split()[0])(nodes[number % len(nodes)], seconds)
        if kind == "lease":
            status = self.runs[0].status()
            return bool(status and servers) and self.write_lease(status["run"], servers, number)
        if not servers or kind == "disk" and (len(self.servers) > 1 or not self.edge_is_there()):
            return False
        server = servers[number % len(servers)]
        if kind == "stopped server":
            server.process.send_signal(signal.SIGSTOP)
            pid = server.process.pid
            self.timers.append((time.monotonic() + seconds, lambda: send(pid, signal.SIGCONT, server.folder)))
            return True
        server.kill()
        if kind in ("disk", "sender's disk"):
            shutil.rmtree(f"{server.folder}/store", ignore_errors=True)
        self.timers.append((time.monotonic() + seconds, lambda: self.begin(server)))
        return True

    def hung(self, run, seconds):
        """Stops all of a machine's processes, also for longer than its leases live."""
        pids = [pid for pid in run.pids() if send(pid, signal.SIGSTOP, run.folder)]
        self.later(3 * seconds, lambda: [send(pid, signal.SIGCONT, run.folder) for pid in pids])
        return True

    def full(self, run, seconds):
        run.fill()
        self.later(2 * seconds, run.make_room)
        return True

    def write_lease(self, number_of_run, servers, number):
        granule = number % (ROWS // GRANULE + 1)
        key = "uplink" if granule * GRANULE >= ROWS else f"granule.{granule}"
        text = LEASES[number // 8 % len(LEASES)].format(granule, number_of_run)
        subject = f"$KV.slipring-{number_of_run}-leases.{key}"
        return publish(self.network, "edge", servers[number % len(servers)], subject, text)

    def begin(self, server):
        if server.process:
            return
        server.begin(self.network, self.servers)

    def edge_is_there(self):
        """Whether somebody can fill streams again: who ends the edge's run gives that up."""
        uplink = (self.runs[0].status() or {}).get("uplink") or {}
        return self.runs[0].process.poll() is None and not uplink.get("isComplete")

    def heal(self, all_of_it=False):
        while due := [timer for timer in self.timers if all_of_it or time.monotonic() >= timer[0]]:
            self.timers = [timer for timer in self.timers if timer not in due]
            for _, action in due:
                action()

    def made(self):
        """The slices of all nodes."""
        made = {}
        for folder in [folder for run in self.runs[1:] for folder in run.outputs()]:
            made |= slices(folder)
        return made

    def judge(self, number):
        lives = set()
        for run in self.runs:
            for path in glob.glob(f"{run.folder}/**/status.json", recursive=True):
                with open(path) as file:
                    lives.add(json.load(file)["run"])
            if isinstance(run, Node):
                run.end(60)
                continue
            if run is self.runs[0] and self.way == "edge" and self.made_faults["disk"] and run.process.returncode == 69:
                # What nodes had sent is gone; their files are there.
                self.gathering = ["--gather", "links", "--form", "hdf5"]
                continue
            result = run.result()
            if self.way != "similar":
                self.lost += PROJECTIONS - result["projections"] + result["lost"]
            self.doubled += result["duplicates"]
            # Nobody else publishes here: the edge must know its own messages, whoever of it sent them.
            if (result.get("uplink") or {}).get("replaced"):
                raise ValueError("the uplink took its own messages for somebody else's")
        edge, reference = self.runs[0], self.reference
        if self.way in DECIDED:
            reference = slices(edge.output)
        elif self.way == "plain":
            self.compare("the edge", slices(edge.output))
        self.compare("the nodes", self.made(), reference)
        if self.way in GATHERED:
            self.judge_gathered(edge)
        left = [name for name in os.listdir("/dev/shm") if any(life in name for life in lives)]
        if left:
            raise ValueError(f"{left} are left in /dev/shm")

    def judge_gathered(self, edge):
        """Whether the whole is that of one machine: as the edge has it, and as it is put together once more."""
        whole = volume_digest(self.reference)
        if edge.process.returncode == 0 and edge.result()["volumeSHA256"] != whole:
            self.differing += 1
            raise ValueError("the volume of the edge has other bits")
        if self.way == "links":
            self.compare("the edge", slices(edge.output))
        expected = [f"recon_{row:05d}.tiff" for row in range(ROWS)] if self.way == "links" else ["foam_rec.h5"]
        self.made_faults["gather"] += len(self.kills)
        printed, files = gather(self, self.kills)
        if printed["volumeSHA256"] != whole:
            self.differing += 1
            raise ValueError("what gather puts together has other bits")
        if files != sorted(expected + ["outputs.json"]):
            raise ValueError(f"gather has left {sorted(set(files) - set(expected))}")

    def compare(self, who, found, reference=None):
        reference = reference or self.reference
        if digest(found) != digest(reference):
            self.differing += 1
            other = [row for row in range(ROWS) if found.get(row) != reference.get(row)]
            raise ValueError(f"slices {other} of {who} have other bits")

    def end_round(self):
        self.heal(all_of_it=True)
        self.armed, self.gathering = [], []
        if self.way == "edge":
            self.slow(None)
        numbers = {(run.status() or {}).get("run") for run in self.runs[:1]} - {None}
        for run in self.runs:
            run.close()
        for number in numbers:
            command = [self.options.slipring, "fabric", "remove", self.address("edge"), number]
            for _ in range(20):
                if call(*self.network.command("edge", command), check=False):
                    break
                time.sleep(0.5)
        self.runs = []
        shutil.rmtree(self.round_folder, ignore_errors=True)

    def look_behind(self):
        """What servers still have of runs that were removed; one that was away meanwhile may need a moment."""
        for _ in range(20):
            left = [path for server in self.servers
                    for path in glob.glob(f"{server.folder}/store/jetstream/*/streams/*")
                    if os.path.basename(path) != "KV_slipring-nodes" and os.listdir(path)]  # fmt: skip
            if not left:
                return
            time.sleep(0.5)
        self.failed.append(f"{len(left)} streams are left on the servers: {[os.path.basename(path) for path in left]}")

    def close(self):
        self.timers = []
        for run in self.runs:
            run.close()
        for server in self.servers:
            server.kill()
        self.network.close()

    def report(self):
        return {
            "seed": self.options.seed, "servers": len(self.servers), "network": type(self.network).__name__.lower(),
            "scans": self.rounds, "faults": sum(self.faults.values()), "byKind": dict(sorted(self.faults.items())),
            "byWay": dict(sorted(self.ways.items())),
            "lost": self.lost, "doubled": self.doubled, "differing": self.differing, "failed": self.failed,
        }  # fmt: skip


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
    parser.add_argument("--keep", metavar="DIR", help="leave what failed scans have written there")
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
            bed.look_behind()
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
