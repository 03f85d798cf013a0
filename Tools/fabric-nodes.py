"""What nodes cost beside one machine; called by Tools/fabric-nodes.

One run makes all slices of a scan. Then an edge that makes none hands the same scan to nodes, one after the other, each
with its share of neighbouring granules: processor time is looked at, and does not depend on who computes when.
"""

import argparse
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile

from fabric_machines import Host, Server

LIMIT = 600


class Bed:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.server = Server(options.server, 1, folder)
        self.process = None

    def run(self, name, arguments):
        """Runs slipring; its processor time with that of its stages, and each stage's."""
        command = [self.options.slipring, "recon", *arguments, "--output-folder", f"{self.folder}/{name}",
                   "--run-folder", f"{self.folder}/{name}-run", "--retain", "keep", "--quiet", "--json",
                   "--no-dashboard"]  # fmt: skip
        before = os.times()
        with open(f"{self.folder}/{name}.json", "w") as result:
            self.process = subprocess.Popen(command, stdout=result)
        if self.process.wait(timeout=LIMIT) != 0:
            sys.exit(f"{name} ended with {self.process.returncode}")
        after = os.times()
        self.process = None
        seconds = after.children_user + after.children_system - before.children_user - before.children_system
        with open(f"{self.folder}/{name}.json") as result:
            return seconds, self.stages(name), json.load(result)

    def stages(self, name):
        seconds = {}
        for path in glob.glob(f"{self.folder}/{name}-run/log/*.jsonl"):
            with open(path) as lines:
                for line in lines:
                    fields = json.loads(line)
                    if "cpuSeconds" in fields:
                        stage = os.path.basename(path)[: -len(".jsonl")]
                        seconds[stage] = round(seconds.get(stage, 0) + float(fields["cpuSeconds"]), 2)
        return dict(sorted(seconds.items()))

    def measure(self):
        options = self.options
        scan = f"{self.folder}/foam.h5"
        subprocess.run(
            [options.slipring, "simulate", scan, "--rows", str(options.rows), "--columns", str(options.columns),
             "--projections", str(options.projections), "--flats", "4", "--darks", "4", "--quiet"],
            check=True)  # fmt: skip
        method = ["--rotation-axis", str(options.columns / 2), "--algorithm", "sirt", "--final-iterations",
                  str(options.iterations)]  # fmt: skip
        own = ["--workers", "1", "--threads", "2"]
        one, stages, _ = self.run("one", [scan, *method, *own])
        self.server.begin(Host(), [self.server])
        address = f"nats://127.0.0.1:{self.server.ports[0]}"
        edge, edge_stages, result = self.run(
            "edge", [scan, *method, *own, "--fabric", address, "--granule", str(options.granule), "--local-rows",
                     "none", "--gather", "none"])  # fmt: skip
        count = -(-options.rows // options.granule)
        share = -(-count // options.nodes)
        nodes, node_stages = [], {}
        for number, first in enumerate(range(0, count, share)):
            granules = f"{first}:{min(first + share, count)}"
            seconds, by_stage, _ = self.run(
                f"node{number}", [f"{address}/{result['run']}", "--granules", granules, *own])
            nodes.append(seconds)
            for stage, value in by_stage.items():
                node_stages[stage] = round(node_stages.get(stage, 0) + value, 2)
        return {
            "oneRunSeconds": round(one, 2), "nodesSeconds": round(sum(nodes), 2),
            "nodesToOneRun": round(sum(nodes) / one, 3), "edgeSeconds": round(edge, 2),
            "oneRunStages": stages, "nodesStages": node_stages, "edgeStages": edge_stages,
        }  # fmt: skip

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        self.server.kill()


def main():
    parser = argparse.ArgumentParser(
        prog="Tools/fabric-nodes", description="Measures what nodes cost beside one run of the same scan."
    )
    parser.add_argument("slipring", help=argparse.SUPPRESS)
    parser.add_argument("server", help=argparse.SUPPRESS)
    parser.add_argument("--nodes", type=int, default=4, help="nodes that share the granules")
    parser.add_argument("--granule", type=int, default=64, help="rows of a granule")
    parser.add_argument("--rows", type=int, default=256, help="rows of the scan")
    parser.add_argument("--columns", type=int, default=384, help="its columns")
    parser.add_argument("--projections", type=int, default=360, help="its projections")
    parser.add_argument("--iterations", type=int, default=12, help="final iterations")
    parser.add_argument("--folder", default=".", help="folder for a folder that is removed")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="slipring-fabric-nodes-") as folder:
        bed = Bed(options, folder)
        try:
            report = bed.measure()
        finally:
            bed.close()
    asked = {key: getattr(options, key) for key in ("nodes", "granule", "rows", "columns", "projections", "iterations")}
    print(json.dumps({**asked, **report, "loadOfOthers": os.getloadavg()[0]}, indent=2))


if __name__ == "__main__":
    main()
