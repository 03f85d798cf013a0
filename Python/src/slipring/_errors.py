"""What this package throws."""

from __future__ import annotations


class SlipringError(Exception):
    """Something that the program, its page or its files said; `exit_code` is the program's, as sysexits.h has it, and
    `status` that of an HTTP answer."""

    def __init__(self, text: str, exit_code: int | None = None, status: int | None = None) -> None:
        super().__init__(text)
        self.exit_code, self.status = exit_code, status


class Refused(SlipringError):
    """Bytes that are not what they should be: damaged, somebody else's, or of another version."""


class Unavailable(SlipringError):
    """What was asked for is not there: not yet, not any more, or never."""
