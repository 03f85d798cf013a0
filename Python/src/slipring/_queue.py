"""The scans of a server (`slipring serve`), by the command that people use: it works whether the server runs or not."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

from ._errors import SlipringError, Unavailable
from ._process import program
from ._run import Run

_TIMEOUT = 60
_OVER = ("finished", "failed", "removed")
# EX_NOINPUT of sysexits.
_NO_INPUT = 66


class Queue:
    """`Queue("/data/slipring")`: the folder that serve.yaml names. For asyncio, `asyncio.to_thread(queue.list)`."""

    def __init__(self, folder: os.PathLike[str] | str, executable: os.PathLike[str] | str | None = None) -> None:
        self.folder, self._program = os.fspath(folder), program(executable)

    def _command(self, command: str, *words: str) -> str:
        try:
            done = subprocess.run(
                [self._program, *command.split(), self.folder, *words], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=_TIMEOUT)
        except FileNotFoundError:
            raise Unavailable(f"there is no program {self._program}: install it, or name it as executable=") from None
        except subprocess.TimeoutExpired:
            raise Unavailable(f"slipring {command} took longer than {_TIMEOUT} s") from None
        if done.returncode:
            raise SlipringError(done.stderr.strip() or f"exit {done.returncode}", done.returncode)
        return done.stdout

    def list(self) -> list[dict[str, Any]]:
        """All scans, by number: state, sample, source, projections, lost, output, reason."""
        entries: list[dict[str, Any]] = json.loads(self._command("list", "--json"))
        return entries

    def details(self, number: int) -> dict[str, Any]:
        """All that is known of one scan: `scan` as in the list, its outputs, volumeSHA256, run, rotationAxis."""
        try:
            details: dict[str, Any] = json.loads(self._command("show", str(number), "--json"))
        except SlipringError as error:
            if error.exit_code == _NO_INPUT:
                raise Unavailable(str(error)) from None
            raise
        return details

    def entry(self, number: int) -> dict[str, Any]:
        """One scan, as in the list."""
        entry: dict[str, Any] = self.details(number)["scan"]
        return entry

    def add(self, *files: os.PathLike[str] | str, source: str | None = None, priority: int = 0) -> tuple[int, ...]:
        """Adds scan files at the queue's end; gives their numbers."""
        words = [os.path.abspath(file) for file in files] + ["--priority", str(priority)]
        printed = self._command("queue add", *words, *(["--source", source] if source else []))
        return tuple(int(line) for line in printed.split())

    def remove(self, *numbers: int) -> None:
        """Takes scans out; one that is being reconstructed is stopped. Nothing is deleted."""
        self._command("queue remove", *map(str, numbers))

    def retry(self, *numbers: int) -> None:
        """Puts scans that failed or were removed into the queue again."""
        self._command("queue retry", *map(str, numbers))

    def move(self, *numbers: int, priority: int) -> None:
        """Gives scans that wait another priority; higher ones come first."""
        self._command("queue move", *map(str, numbers), "--priority", str(priority))

    def run(self, number: int) -> Run:
        """The run of a scan that has begun."""
        folder = self.details(number).get("run")
        if not folder:
            raise Unavailable(f"scan {number} has not begun")
        return Run(folder)

    def wait(self, number: int, timeout: float) -> dict[str, Any]:
        """Waits until a scan is over; throws `SlipringError` with its reason where it failed, or TimeoutError."""
        deadline = time.monotonic() + timeout
        while True:
            entry = self.entry(number)
            if entry["state"] == "finished":
                return entry
            if entry["state"] in _OVER:
                raise SlipringError(f"scan {number} {entry['state']}: {entry.get('reason', 'by a person')}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"scan {number} is {entry['state']} after {timeout} s")
            time.sleep(0.2)
