"""Runs that this program starts."""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import signal
import subprocess
import tempfile
import time
from types import TracebackType
from typing import Any

from ._client import Client
from ._errors import SlipringError, Unavailable
from ._run import Run


#: What an option may be.
Value = str | int | float | bool | os.PathLike[str] | None

#: The program where nobody names another one: SLIPRING in the environment, or the one on the PATH.
PROGRAM = "slipring"
_TAIL = 4000


def program(executable: os.PathLike[str] | str | None) -> str:
    """What is started."""
    return os.fspath(executable) if executable is not None else os.environ.get("SLIPRING", PROGRAM)


def _words(options: dict[str, Value]) -> list[str]:
    """`rotation_axis=32` as `--rotation-axis 32`; True is an option without a value, None and False are left out."""
    words: list[str] = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        option = "--" + name.replace("_", "-")
        words.append(option)
        if value is not True:
            words.append(os.fspath(value) if isinstance(value, os.PathLike) else str(value))
    return words


class Started:
    """A run of which this program is the parent. At the end of its `with` block it is waited for; where an exception
    left the block, it is aborted, and can be gone on with (`slipring resume`)."""

    def __init__(self, command: list[str], run_folder: pathlib.Path, has_page: bool) -> None:
        self.run_folder = run_folder
        self._has_page = has_page
        self._output = tempfile.TemporaryFile()
        self._errors = tempfile.TemporaryFile()
        self._run: Run | None = None
        try:
            # Its own group: who interrupts this program decides itself what becomes of the run.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._errors, start_new_session=True)
        except FileNotFoundError:
            self._output.close()
            self._errors.close()
            raise Unavailable(f"there is no program {command[0]}: install it, or name it as executable=") from None

    @staticmethod
    def _text(file: Any) -> str:
        """What was written so far; the process's own place in the file stays where it is."""
        size = os.fstat(file.fileno()).st_size
        return os.pread(file.fileno(), size, 0).decode(errors="replace")

    @property
    def messages(self) -> str:
        """What it has said on standard error so far."""
        return self._text(self._errors)

    def _failure(self, code: int) -> SlipringError:
        lines = self.messages.strip().splitlines()
        said = next((line for line in reversed(lines) if "error:" in line), lines[-1] if lines else f"exit {code}")
        return SlipringError(said[-_TAIL:], code)

    @property
    def run(self) -> Run:
        """The run, as soon as its volume is in memory; waits half a minute for that."""
        deadline = time.monotonic() + 30
        while self._run is None:
            code = self.process.poll()
            try:
                run = Run(self.run_folder)
                if code is None:
                    run.shared  # noqa: B018
                self._run = run
            except Unavailable:
                if code:
                    raise self._failure(code) from None
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        return self._run

    @property
    def page(self) -> Client:
        """Its page, of a run that was started with `dashboard=`; the token is the one that it printed."""
        if not self._has_page:
            raise Unavailable('the run has no page: start it with dashboard="127.0.0.1:8787"')
        deadline = time.monotonic() + 30
        while True:
            for line in self.messages.splitlines():
                if "dashboard: http" in line:
                    return Client(line.split("dashboard: ", 1)[1].strip())
            code = self.process.poll()
            if code is not None:
                raise self._failure(code)
            if time.monotonic() > deadline:
                raise Unavailable("the run has not said where its page is")
            time.sleep(0.02)

    def finalize(self) -> None:
        """Ends the acquisition; what was acquired is reconstructed and written."""
        self.process.send_signal(signal.SIGTERM)

    def abort(self, timeout: float = 120) -> None:
        """Stops it; what was acquired is kept."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.process.kill()
                self.process.wait(timeout)
                raise Unavailable(f"the run did not stop within {timeout} s, and was killed")
            # One ends the acquisition, two end everything. Two kinds at once: of one kind the second is lost while the
            # first is pending, and after a wait a small run would have finished with what was acquired.
            for kind in signal.SIGINT, signal.SIGTERM:
                self.process.send_signal(kind)
            time.sleep(0.2)

    def wait(self, timeout: float | None = None) -> dict[str, Any]:
        """Waits for the end; gives the result as `--json` prints it.

        Throws `SlipringError` with what the run said where it failed, TimeoutError where it goes on after `timeout`.
        """
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the run goes on after {timeout} s") from None
        if code:
            raise self._failure(code)
        result = json.loads(self._text(self._output))
        if not isinstance(result, dict):
            raise SlipringError("the run printed no result")
        return result

    def __enter__(self) -> Started:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
        elif self.process.poll() is None:
            self.wait()


def start(
    source: os.PathLike[str] | str, *, output_folder: os.PathLike[str] | str,
    run_folder: os.PathLike[str] | str | None = None, dashboard: str | None = None, executable: os.PathLike[str] | str | None = None, **options: Value,
) -> Started:
    """Starts `slipring recon SOURCE`: a file, or the address of a detector. Options are spelled as on the command line
    with _ for -, as in `start("scan.h5", output_folder="out", rotation_axis=296, tv_dimensions=3)`."""
    folder = pathlib.Path(run_folder) if run_folder else pathlib.Path(output_folder) / f"run-{secrets.token_hex(4)}"
    words = _words({
        "output_folder": output_folder, "run_folder": folder, "dashboard": dashboard,
        "no_dashboard": dashboard is None, "json": True, **options,
    })
    return Started([program(executable), "recon", os.fspath(source), *words], folder, dashboard is not None)
