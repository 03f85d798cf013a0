"""A run, live or finished."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import Refused, SlipringError, Unavailable
from ._journal import Images, Journal
from ._ledger import Ledger
from ._memory import SharedRun
from ._topic import Topic, TopicWriter
from ._view import View

#: What the journals of updates and scores hold, one row an event (UpdateEvent and ScoreEvent in Sources/RunModel).
#: `coarse` is 128 where the volume lay on a coarse grid, else 0.
UPDATE = np.dtype([
    ("phase", "<u2"), ("spread", "u1"), ("coarse", "u1"), ("iterations", "<u4"), ("index", "<u8"), ("cursor", "<u8"),
    ("generation", "<u8"), ("first_projection", "<u8"), ("end_projection", "<u8"), ("residual_squared", "<f8"),
    ("data_squared", "<f8"), ("nanoseconds", "<u8"), ("first_row", "<u4"), ("row_count", "<u4"), ("non_finite", "<u8"),
    ("clamped", "<u8"), ("dead", "<u8"), ("negative", "<u8"),
])
SCORE = np.dtype([
    ("worker", "<u4"), ("streak", "<u4"), ("update", "<u8"), ("projections", "<u8"), ("against", "<u8"),
    ("similarity", "<f8"), ("truth", "<f8"), ("black", "<f8"), ("white", "<f8"),
])
_PROJECTION, _FLAT, _DARK, _UPDATE, _SCORE = 1, 2, 3, 5, 10


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Unavailable(f"{path} is not there") from None
    except ValueError as error:
        raise Refused(f"{path} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise Refused(f"{path} does not hold what a run writes there")
    return value


class Run:
    """A run by its folder. What is live comes from shared memory, without a copy; what is finished from its files."""

    def __init__(self, folder: os.PathLike[str] | str) -> None:
        self.folder = pathlib.Path(folder).absolute()
        #: What the run was planned with.
        self.plan = _read_json(self.folder / "plan.json")
        self._shared: SharedRun | None = None
        self._journals: dict[str, Journal] = {}
        self._images: dict[int, Images] = {}
        self._file: Any = None

    @property
    def status(self) -> dict[str, Any]:
        """How far the run is, as `slipring status --json` shows it: read anew on each use."""
        return _read_json(self.folder / "status.json")

    @property
    def phase(self) -> str:
        """`scanning`, `final sweep`, `exporting`, `finished` or `failed`."""
        return str(self.status["phase"])

    @property
    def is_live(self) -> bool:
        """Whether its supervisor lives: it holds the lock of the run's folder."""
        try:
            descriptor = os.open(self.folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)

    # What is computed.

    @property
    def shared(self) -> SharedRun:
        """The volume in shared memory, while the run lives and, once it was used, also afterwards."""
        if self._shared is None:
            self._shared = SharedRun(f"slipring-{self.status['run']}-")
        return self._shared

    @property
    def _memory(self) -> SharedRun | None:
        if self._shared is None and self.phase not in ("finished", "failed"):
            return self.shared
        return self._shared

    @property
    def outputs(self) -> list[pathlib.Path]:
        """Files of the export, once it is complete."""
        report = _read_json(self.folder / "export.json")
        return [pathlib.Path(path) for path in report.get("outputs", [])]

    def _dataset(self) -> Any:
        """The volume in the output's HDF5 file."""
        if self._file is None:
            found = [path for path in self.outputs if path.suffix == ".h5" and not path.stem.endswith("_denoised")]
            if not found:
                raise Unavailable(
                    f"the run in {self.folder} has no HDF5 file; slipring export {self.folder} --format hdf5 writes one")
            try:
                import h5py
            except ImportError:
                raise SlipringError("h5py reads finished runs: pip install slipring[files]") from None
            self._file = h5py.File(found[0], "r")
        return self._file["/exchange/data"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns of the volume."""
        memory = self._memory
        if memory:
            return memory.slices, memory.columns, memory.columns
        z, y, x = self._dataset().shape
        return z, y, x

    def slice(self, z: int) -> NDArray[np.float32]:
        """Slice z, row 0 on top. Of a live run a read-only view of its newest generation, which holds until two more
        are complete: copy it, or use `volume`."""
        memory = self._memory
        if memory:
            return memory.slice(z)
        found: NDArray[np.float32] = self._dataset()[z]
        return found

    def volume(self) -> NDArray[np.float32]:
        """A copy of the whole volume; of a live run each worker's rows are of one generation."""
        memory = self._memory
        if memory:
            return memory.copy()
        found: NDArray[np.float32] = self._dataset()[()]
        return found

    # What came, and what was made of it.

    def _journal(self, topic: str) -> Journal:
        if topic not in self._journals:
            self._journals[topic] = Journal(self.folder / "journal" / topic)
        return self._journals[topic]

    def _kind(self, kind: int) -> Images:
        if kind not in self._images:
            self._images[kind] = Images(self._journal("projections.0"), kind)
        return self._images[kind]

    @property
    def projections(self) -> Images:
        """The projections as they came, read-only views of the run's journal; grows while the run lives."""
        return self._kind(_PROJECTION)

    @property
    def flats(self) -> Images:
        """The flat fields, as `projections`."""
        return self._kind(_FLAT)

    @property
    def darks(self) -> Images:
        """The dark fields, as `projections`."""
        return self._kind(_DARK)

    def updates(self) -> NDArray[np.void]:
        """Every update of every worker so far, one row each (`UPDATE`)."""
        workers = sorted((self.folder / "journal").glob("updates.*"), key=lambda path: int(path.suffix[1:]))
        return self._table([path.name for path in workers], _UPDATE, UPDATE)

    def scores(self) -> NDArray[np.void]:
        """How much the volume changed, one row a score (`SCORE`); none where the run makes no scores."""
        there = [name for name in ["scores.0"] if (self.folder / "journal" / name).is_dir()]
        return self._table(there, _SCORE, SCORE)

    def _table(self, topics: list[str], kind: int, dtype: np.dtype[np.void]) -> NDArray[np.void]:
        found = [
            event.metadata[:dtype.itemsize] for topic in topics for event in self._journal(topic).events()
            if event.kind == kind
        ]
        if any(len(metadata) < dtype.itemsize for metadata in found):
            raise Refused(f"an event of {topics} is too short")
        return np.frombuffer(b"".join(found), dtype)

    def topic(self, name: str) -> Topic:
        """A topic by its name, as `projections`, `updates.1`, or that of a `topic_writer`. See `Topic`."""
        return Topic(self.folder, name, self.status["run"])

    def view(self, view: str, name: str = "reader", wait: float = 60, synced: bool = True) -> View:
        """The items of a view of `--view`, from where the reader `name` was. It ends with the view, with a run that is
        over, or where nothing comes for `wait` seconds. Without `synced` a machine that crashes may forget what was
        done last; a process that is killed never does. See `View`."""
        records = str(self.plan["scan"].get("view") or "").split()
        for number, record in enumerate(records):
            if record.partition(",")[0].removeprefix("name=") == view:
                return View(self.folder, view, name, self.topic, lambda: self.is_live, number, wait, synced)
        raise Unavailable(
            f"the run in {self.folder} has no view '{view}'; it has "
            + (", ".join(record.partition(",")[0] for record in records) or "none: give --view"))

    def topic_writer(self, name: str, payload_max: int = 0, bytes_max: int = 1 << 30) -> TopicWriter:
        """Writes a topic of one's own beside those of the run. See `TopicWriter`."""
        return TopicWriter(self.folder, name, self.status["run"], payload_max, bytes_max)

    def ledger(self) -> Ledger | None:
        """What became of the scan's frames, as the newest projection tells it; None before the first."""
        metadata = self.projections.last_metadata()
        return Ledger.decode(metadata) if metadata is not None else None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the output's file. Views that were handed out stay as they are: their memory goes with them."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._shared, self._journals, self._images = None, {}, {}


def open_run(folder: os.PathLike[str] | str) -> Run:
    """The run in a run's folder, or the newest one in an output folder.

    Throws `Unavailable` where there is none.
    """
    path = pathlib.Path(folder)
    if (path / "plan.json").exists():
        return Run(path)
    runs = [found.parent for found in path.glob("*/plan.json")]
    if not runs:
        raise Unavailable(f"{path} is no run's folder, and has none")
    return Run(max(runs, key=lambda run: (run / "plan.json").stat().st_mtime_ns))
