#!/usr/bin/env python3
"""Checks what the emulated machine has said (machine/trial): prints a line for each promise, and exits with 1 where one
is not kept.    check-report.py REPORT"""

import re
import sys


def cores(text):
    """'0-1,4' as a set."""
    found = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


class Report:
    def __init__(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            self.lines = [line.rstrip("\r\n") for line in file]
        self.failures = 0

    def all(self, word):
        return [line[len(word) + 1 :] for line in self.lines if line.startswith(word + " ")]

    def one(self, word):
        found = self.all(word)
        return found[-1] if found else ""

    def expect(self, holds, promise, seen=""):
        print(f"{'ok  ' if holds else 'FAIL'} {promise}{f': {seen}' if seen else ''}")
        self.failures += not holds


def check_placement(report):
    nodes = {int(node): cores(text) for node, text in (line.split() for line in report.all("NODE"))}
    report.expect(len(nodes) == 4, "the machine has four nodes", ", ".join(map(str, nodes.values())))
    report.expect(
        sum(f"node {node}" in line for line in report.all("DOCTOR") for node in nodes) >= 4, "doctor lists them")
    workers, worker = {}, None
    for line in report.lines:
        word, _, rest = line.partition(" ")
        if word == "WORKER":
            worker = workers.setdefault(int(rest), {"threads": [], "pages": []})
        elif word == "THREAD" and worker is not None:
            worker["threads"].append(rest.rsplit(" ", 1))
        elif word == "PAGES" and worker is not None:
            worker["pages"].append(rest)
    report.expect(sorted(workers) == [0, 1, 2, 3], "a worker on each node was seen at work", str(sorted(workers)))
    for number, worker in sorted(workers.items()):
        allowed = nodes.get(number, set())
        astray = [f"{name} on {text}" for name, text in worker["threads"] if not cores(text) <= allowed]
        report.expect(
            bool(worker["threads"]) and not astray,
            f"worker {number}: its {len(worker['threads'])} threads may run on its node's cores only",
            "; ".join(astray))
        for region in (f"volume.{number}", f"orders.{number}", f"updates.{number}"):
            lines = [line for line in worker["pages"] if re.search(rf"[-/]{re.escape(region)}(\s|$)", line)]
            pages = {}
            for line in lines:
                for node, count in re.findall(r"\bN(\d+)=(\d+)", line):
                    pages[int(node)] = pages.get(int(node), 0) + int(count)
            report.expect(
                set(pages) == {number}, f"worker {number}: the pages of {region} are on its node",
                ", ".join(f"{count} on node {node}" for node, count in sorted(pages.items())) or "none seen")
    report.expect(report.one("RAN") == "0", "the scan ended well", report.one("RAN"))


def check_service(report):
    report.expect(
        report.one("STARTED").startswith("0 ") and "ActiveState=active" in report.one("STARTED"),
        "the unit starts", report.one("STARTED"))
    running = report.one("RUNNING")
    report.expect(bool(re.search(r"projection [1-9]\d*/120", running)), "it says how far it is", running)
    report.expect(
        any("Watchdog timeout" in line for line in report.all("JOURNAL")), "the watchdog kills it when it is silent")
    report.expect("NRestarts=1" in report.one("RETURNED"), "it comes back", report.one("RETURNED"))
    ended = report.one("ENDED")
    report.expect("ActiveState=inactive" in ended and "Result=success" in ended, "and ends well", ended)
    report.expect("120" in re.findall(r'"reconstructed" : (\d+)', report.one("STATUS")), "with every projection",
        report.one("STATUS"))
    stopped = report.one("STOPPED")
    report.expect(
        stopped.startswith("0 ") and "ActiveState=inactive" in stopped and "Result=success" in stopped,
        "a unit that is told to stop ends well", stopped)
    for name in ("watched", "stopped"):
        slices = [line for line in report.all("OUTPUT") if re.fullmatch(rf"{name} recon_\d+\.tiff", line)]
        report.expect(len(slices) == 16, f"slices of the scan that was {name}", str(len(slices)))


def main():
    report = Report(sys.argv[1])
    if not report.one("DONE"):
        print("\n".join(report.lines[-30:]))
        report.expect(False, "the trial came to its end")
    check_placement(report)
    check_service(report)
    if report.failures:
        print("the last lines of the report:", *report.lines[-40:], sep="\n  ")
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
