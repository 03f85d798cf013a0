"""How many frames a second a run takes from a detector that does not wait; called by Tools/live-rate.

The virtual detector and the run share this machine. When all frames were acquired, or one was lost, the run is aborted:
what its workers have still to do is not what is measured. Everything that was written is removed; it takes rate ×
seconds × bytes of a frame on disk meanwhile.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")
# Projections of the scan that is sent again and again.
SCAN = 40


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_json(path):
    """What is in a file that another process replaces as a whole; None where there is none yet."""
    try:
        with open(path) as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def cpu_seconds(pid):
    """Processor time of a process, kernel threads that work for it included; None where it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_seconds():
    """Busy time of all processors, whoever had it."""
    with open("/proc/stat") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def start_run(options, folder, port, frames):
    rows, columns = options.shape.split(",")
    command = [
        options.slipring, "recon", f"zmq+pull://127.0.0.1:{port}", "--output-folder", f"{folder}/out",
        "--run-folder", f"{folder}/run", "--shape", options.shape, "--projections", str(frames), "--darks", "4",
        "--flats", "4", "--rotation-axis", str(int(columns) / 2), "--rate", str(options.rate), "--window-step", "24",
        "--lag-max", "48", "--final-iterations", "0", "--quiet", "--no-dashboard",
    ]  # fmt: skip
    if options.threads:
        command += ["--threads", str(options.threads)]
    if options.fabric:
        # Updates that are part of the volume may not be made less often there; the run is aborted before its sweep.
        command[command.index("--final-iterations") + 1] = "1"
        command += ["--fabric", options.fabric, "--local-rows", options.local_rows]
    run = subprocess.Popen(command)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and run.poll() is None:
        status = read_json(f"{folder}/run/status.json")
        stages = {stage["name"]: stage["pid"] for stage in (status or {}).get("stages", []) if stage.get("pid")}
        if {"acquire", "distribute", "reconstruct.0"} <= stages.keys():
            # Its rings and volumes are there now; their first pages are not what is measured.
            time.sleep(2)
            return run, stages
        time.sleep(0.1)
    sys.exit("the run did not start")


def stream(options, folder, port, frames, run, stages):
    """Sends, and watches until all is acquired; gives the report."""
    command = [
        options.slipring, "simulate", "--stream", f"zmq+push://127.0.0.1:{port}", "--scan", f"{folder}/scan.h5",
        "--rounds", str(frames // SCAN), "--rate", str(options.rate), "--json", "--quiet",
    ]  # fmt: skip
    first = {name: cpu_seconds(pid) for name, pid in stages.items()}
    last = dict(first)
    busy = machine_seconds()
    sender = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 10 * options.seconds + 60
    status, losses = {}, None
    while losses is None and time.monotonic() < deadline and run.poll() is None:
        time.sleep(0.1)
        last = {name: cpu_seconds(pid) or last[name] for name, pid in stages.items()}
        losses = read_json(f"{folder}/run/losses.json")
        status = read_json(f"{folder}/run/status.json") or status
    busy = machine_seconds() - busy
    if losses is None:
        sender.terminate()
        sys.exit("the run did not take all frames in time")
    output = sender.stdout.read()
    _, _, usage = os.wait4(sender.pid, 0)
    sender.returncode = 0
    sent = json.loads(output)
    stages_ms = {
        name: round(1e3 * (last[name] - first[name]) / frames, 3) for name in first if last[name] - first[name] > 0
    }
    stages_ms["sender"] = round(1e3 * (usage.ru_utime + usage.ru_stime) / frames, 3)
    return {
        "shape": options.shape, "frames": frames, "seconds": round(sent["seconds"], 2), "rateAsked": options.rate,
        "rate": round(frames / sent["seconds"]), "lost": losses["lost"] + len(sent["dropped"]),
        "duplicates": losses["duplicates"],
        "updates": status.get("updates"), "spilled": status.get("spilled"), "cpuMillisecondsAFrame": stages_ms,
        "machineMillisecondsAFrame": round(1e3 * busy / frames, 3), "cores": os.cpu_count(),
        "loadOfOthers": os.getloadavg()[0],
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(
        prog="Tools/live-rate", description="Measures how many frames a second a run takes from a stream."
    )
    parser.add_argument("slipring", help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--shape", default="256,1024")
    parser.add_argument("--threads", type=int, help="threads of the worker (default: one a core)")
    parser.add_argument("--fabric", help="servers to which the frames go up as well")
    parser.add_argument("--local-rows", default="all", help="with --fabric, rows that are reconstructed here")
    parser.add_argument("--folder", default=".", help="folder for a folder that is removed")
    options = parser.parse_args()
    rows, columns = (int(edge) for edge in options.shape.split(","))
    frames = max(1, round(options.rate * options.seconds / SCAN)) * SCAN
    needed = frames * (2 * rows * columns + 12288) + (4 << 30)
    if shutil.disk_usage(options.folder).free < needed:
        sys.exit(f"{options.folder} has no room for {needed >> 30} GiB; use --folder, or fewer --seconds")
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="slipring-live-rate-") as folder:
        simulate = [options.slipring, "simulate", f"{folder}/scan.h5", "--rows", str(rows), "--columns", str(columns)]
        subprocess.run(simulate + ["--projections", str(SCAN), "--darks", "4", "--flats", "4", "--quiet"], check=True)
        port = free_port()
        run, stages = start_run(options, folder, port, frames)
        try:
            report = stream(options, folder, port, frames, run, stages)
        finally:
            subprocess.run([options.slipring, "abort", f"{folder}/run"], stderr=subprocess.DEVNULL)
            try:
                run.wait(timeout=60)
            except subprocess.TimeoutExpired:
                run.kill()
    print(json.dumps(report, indent=2))
    sys.exit(0 if report["lost"] == 0 else 1)


if __name__ == "__main__":
    main()
