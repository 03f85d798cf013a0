"""Runs of an edge and of nodes through all lives of their supervisors, and the slices that they leave."""

import glob
import hashlib
import json
import os
import signal
import struct
import subprocess
import time

from fabric_machines import call


ROWS = 48
# Bytes of a disk that a fault fills.
DISK_BYTE_COUNT = 256 << 20
COMMAND_LIMIT = 120


class Run:
    """A run of the edge or a node, through all lives of its supervisor."""

    def __init__(self, bed, machine, arguments):
        self.begin(bed, machine)
        self.launch(
            ["recon"] + arguments + ["--output-folder", self.output, "--run-folder", self.folder, "--threads", "1",
             "--quiet", "--json"]
        )  # fmt: skip

    def begin(self, bed, machine):
        self.bed, self.machine = bed, machine
        self.output = f"{bed.round_folder}/{machine}"
        self.disk = f"{self.output}-disk"
        self.folder = f"{self.disk}/run"
        self.resume_due, self.resumes, self.process, self.seen = None, 0, None, set()
        os.mkdir(self.disk)
        if bed.has_disks and machine != "edge":
            call("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTE_COUNT}", "tmpfs", self.disk)

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

    def pids(self):
        """Everything of it that runs."""
        return [self.process.pid, *self.stages().values()]

    def outputs(self):
        return [self.output]

    def is_sending(self):
        """Whether slices were written since the last time somebody asked: they are sent back then, and told of."""
        reports = set(glob.glob(f"{self.folder}/**/export.json", recursive=True)) - self.seen
        self.seen |= reports
        return bool(reports)

    def fill(self):
        """Takes all room on its disk."""
        try:
            with open(f"{self.disk}/filler", "wb", buffering=0) as file:
                while file.write(bytes(1 << 20)):
                    pass
        except OSError:
            pass

    def make_room(self):
        if os.path.exists(f"{self.disk}/filler"):
            os.remove(f"{self.disk}/filler")

    def close(self):
        """Ends what is left of it."""
        for pid in self.pids()[1:]:
            send(pid, signal.SIGKILL, self.folder)
        self.process.kill()
        self.process.wait()
        if os.path.ismount(self.disk):
            call("umount", "-l", self.disk)

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
        self.begin(bed, machine)
        self.node = [
            "node", "--fabric", address, "--folder", self.folder, "--name", machine, "--most-granules", "2",
            "--cores", "1", "--format", "tiff", "--retain", "keep",
        ]  # fmt: skip
        self.launch(self.node)

    def status(self):
        return {"stages": []} if self.process.poll() is None else None

    def pids(self):
        """Everything of it that runs: the processes that make granules are its children."""
        pids = [self.process.pid]
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/children"):
            try:
                with open(path) as file:
                    pids += map(int, file.read().split())
            except OSError:
                continue
        return pids + list(self.stages().values())

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
            self.resume_due, self.resumes = None, self.resumes + 1
            self.launch(self.node)
            deadline = time.monotonic() + limit
            while " serves " not in self.errors() and self.process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
        self.process.terminate()
        self.process.wait(timeout=limit)
        if self.process.returncode != 0:
            raise ValueError(f"{self.machine} ended with {self.process.returncode}: {self.errors()[-300:]}")


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


def gather(bed, kills):
    """Puts the volume together once more, killed so often before it is done; what that command prints."""
    output = f"{bed.round_folder}/whole"
    command = ["gather", bed.runs[0].folder, "--output-folder", output, "--json"] + bed.gathering
    while True:
        process = subprocess.Popen(
            bed.network.command("edge", [bed.options.slipring] + command), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)  # fmt: skip
        try:
            printed, errors = process.communicate(timeout=kills.pop() if kills else COMMAND_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            continue
        if process.returncode != 0:
            raise ValueError(f"gather ended with {process.returncode}: {errors.strip()[-300:]}")
        if not kills:
            return json.loads(printed), sorted(os.listdir(output))


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


def volume_digest(found):
    """The checksum that a run's result has of these slices."""
    return hashlib.sha256(b"".join(found[row] for row in sorted(found))).hexdigest()


def digest(found):
    whole = hashlib.sha256()
    for row in sorted(found):
        whole.update(struct.pack("<I", row) + found[row])
    return whole.hexdigest()
