"""What a server's API gives, as its description (openapi.json) has it. Times are seconds since 1970."""

from __future__ import annotations

from typing import Literal, TypedDict

State = Literal["receiving", "waiting", "running", "finished", "failed", "removed"]


class Progress(TypedDict):
    """How far a reconstruction is."""

    acquired: int
    projections: int
    updates: int
    fraction: float


class Clearing(TypedDict):
    """That a volume was removed to keep the disk free, or what was acquired of a scan without one."""

    by: Literal["keep-volumes", "volumes-at-most", "keep-failed"]
    time: float


class _Scan(TypedDict):
    number: int
    state: State
    activity: str
    source: str
    priority: int
    added: float
    attempts: int


class Scan(_Scan, total=False):
    """One scan: what it is, and what becomes of it."""

    sample: str
    file: str
    begun: float
    ended: float
    duration: float
    projections: int
    lost: int
    output: str
    reason: str
    cleared: Clearing
    progress: Progress


class _Output(TypedDict):
    path: str


class Output(_Output, total=False):
    """A file or folder of a volume; without a size where it is not there any more."""

    byteCount: int


class _ScanDetails(TypedDict):
    scan: Scan
    outputs: list[Output]
    outputCount: int
    left: list[str]
    notices: list[str]


class ScanDetails(_ScanDetails, total=False):
    """Everything that is known of a scan."""

    volumeSHA256: str
    run: str
    log: str
    rotationAxis: float
    stoppedBy: str


class _Disk(TypedDict):
    freeBytes: int
    totalBytes: int


class Disk(_Disk, total=False):
    """Room on the server's disk."""

    bytesPerHour: int


class _Process(TypedDict):
    name: str
    failures: int


class Process(_Process, total=False):
    """What the server has started; without a pid where it is to be started again."""

    pid: int


class _ServerState(TypedDict):
    pid: int
    started: float
    file: str
    sources: dict[str, str]
    scans: dict[str, int]
    running: list[int]
    processes: list[Process]
    warnings: list[str]
    untold: int


class ServerState(_ServerState, total=False):
    """What the server says of itself."""

    disk: Disk


class _Status(TypedDict):
    version: str
    time: float
    folder: str
    scans: dict[str, int]
    running: list[Scan]
    lastChange: int


class Status(_Status, total=False):
    """How the server is."""

    server: ServerState
    diskHoursLeft: float


class _Change(TypedDict):
    id: int
    time: float
    scan: int
    state: State
    source: str


class Change(_Change, total=False):
    """A change of a scan. Where `previous` is `state`, something else of it changed; a new scan has none."""

    previous: State
    sample: str
    reason: str
    output: str
    projections: int
    lost: int
    cleared: Clearing
