"""Any topic of a run, from any event on, and topics of one's own.

    run = slipring.open("out")
    for event in run.topic("projections").events(wait=10):
        use(event.pixels)                   # a view, no copy
        if not event.is_current(): ...      # of a ring's slot that was filled anew meanwhile; a journal's stays

A reader looks from outside: its maps are read-only, no writer waits for it, and it misses nothing that the run's
journal has. Who writes has files of its own in the run's folder, which no stage reads.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import re
import struct
import time
from collections.abc import Iterator
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from ._checksums import crc32c
from ._errors import Refused, SlipringError, Unavailable
from ._journal import CONTROL, CONTROL_LAYOUT, CONTROL_MAGIC, Journal, Segment
from ._memory import map_region, run_folders
from ._records import EVENT_LAYOUT, EVENT_MAGIC, HEAD, HEADER, PAGE, SEQUENCE_LIMIT, Event, Ring, band_rows

#: The kinds of an event that ends a topic, and of one in a topic of one's own.
END, PROGRAM = 9, 11
_NAME = re.compile(r"[a-z][a-z0-9-]{0,47}")
_LOOK_INTERVAL = 0.2
_NAP = 0.002
_SEGMENT_BYTES, _SEGMENT_RECORDS = 16 << 20, 4096
_PAYLOAD_MAX = 1 << 30
_PIXEL_CODES = {"|u1": 1, "<u2": 2, "<f4": 3, "<u4": 4}


def _run_id(text: str) -> tuple[int, int]:
    try:
        low, high = struct.unpack("<QQ", bytes.fromhex(text))
    except (ValueError, struct.error):
        raise Refused(f"{text} is no run's identity") from None
    return low, high


class Topic:
    """A topic of a run, by its name as in `projections`, `orders.1`, or that of a `TopicWriter`.

    What is published is in the ring, in memory, or in the journal's segments, which are mapped; the newest events of a
    live run come from the ring. Use from one thread at a time.
    """

    def __init__(self, folder: os.PathLike[str] | str, name: str, run: str) -> None:
        """The topic `name` of the run with the identity `run` (32 digits) in a run's folder."""
        self.name = name
        self._run, self._id = run, _run_id(run)
        word, _, partition = name.partition(".")
        if not _NAME.fullmatch(word) or not (partition or "0").isdigit():
            raise Unavailable(f"'{name}' is no topic: they are named as projections, or updates.0")
        self._partition = int(partition or 0)
        self._rings = (name, word, f"{word}.{self._partition}")
        self._folders = [
            pathlib.Path(folder) / place / f"{word}.{self._partition}" for place in ("journal", "topics")]
        self._journal: Journal | None = None
        self._ring: Ring | None = None
        self._ring_at: tuple[str, int] | None = None
        self._looked = -_LOOK_INTERVAL
        self._sure = 0
        self._look()
        if self._ring is None and self._journal is None:
            raise Unavailable(f"the run in {folder} has no topic '{name}'")

    def _look(self) -> None:
        """Looks for ring and journal, which come with a run and go, and come anew when it is resumed."""
        self._looked = time.monotonic()
        if self._journal is None:
            found = [path for path in self._folders if path.is_dir()]
            self._journal = Journal(found[0]) if found else None
        folders = run_folders(f"slipring-{self._run}-")
        for name in self._rings if len(folders) == 1 else ():
            try:
                at = (folders[0] + name, os.stat(f"/dev/shm/{folders[0]}{name}").st_ino)
                if at == self._ring_at:
                    return
                ring = Ring(map_region(at[0]), at[0])
            except FileNotFoundError:
                continue
            if ring.identity[:2] != self._id or ring.identity[3] != self._partition:
                raise Refused(f"{at[0]} is of another run or topic")
            self._ring, self._ring_at = ring, at
            return

    @property
    def end(self) -> int:
        """The sequence of the next event: those below it may be read."""
        if time.monotonic() - self._looked >= _LOOK_INTERVAL:
            self._look()
        if self._ring is not None:
            return self._ring.published
        return self._stored_end()

    def _stored_end(self) -> int:
        """Where the journal ends: its last events count as far as they are whole, for nobody says that they are but a
        writer that has closed it."""
        if self._journal is None:
            return 0
        segments = self._journal.look()
        if not self._sure and segments:
            # What is there below the last segment was followed by something that was written later.
            self._sure = segments[-1].first
        there, durable = self._sure, 0
        while (event := self._journal.at(there, look=False)) is not None:
            there, durable = there + 1, max(durable, event.durable_through)
        while self._sure < there:
            event = self._journal.at(self._sure, look=False)
            if self._sure >= durable and not (event and event.check()):
                break
            self._sure += 1
        return max(self._sure, self._journal.through())

    def get(self, sequence: int, stable: bool = False) -> Event | None:
        """An event; None where it is not there: not yet, not any more, or not whole. With `stable` from the journal
        alone, so that its bytes stay as they are as long as somebody has them."""
        if sequence < 0:
            raise IndexError(f"event {sequence}")
        if self._ring is None and sequence >= self._sure and sequence >= self.end:
            return None
        if self._ring is not None:
            if sequence >= self._ring.published:
                return None
            event = None if stable and self._journal is not None else self._ring.at(sequence)
            if event is not None and event.check(payload=False) and event.is_current():
                return event
        event = self._journal.at(sequence) if self._journal is not None else None
        if event is not None and self._ring is not None and event.identity != self._ring.identity:
            raise Refused(f"the journal of '{self.name}' is not that of its ring")
        if event is not None and (event.identity[:2] != self._id or not event.check(payload=False)):
            raise Refused(f"event {sequence} of '{self.name}' is damaged, or another run's")
        return event

    def __getitem__(self, sequence: int) -> Event:
        event = self.get(sequence)
        if event is None:
            raise IndexError(f"event {sequence} of '{self.name}' is not there")
        return event

    def events(self, start: int = 0, wait: float = 0, stable: bool = False) -> Iterator[Event]:
        """The events from `start` on, in order and none left out; ends with the topic's last one, or where the next one
        does not come within `wait` seconds."""
        sequence, last = start, time.monotonic()
        while True:
            event = self.get(sequence, stable)
            if event is not None:
                yield event
                if event.kind == END:
                    return
                sequence, last = sequence + 1, time.monotonic()
                continue
            if time.monotonic() - last >= wait:
                if sequence >= self.end:
                    return
                if self.get(sequence, stable) is None:
                    raise Unavailable(f"event {sequence} of '{self.name}' is neither in its ring nor in its journal")
                continue
            time.sleep(min(_NAP, wait))


class TopicWriter:
    """Writes a topic of one's own, RUN/topics/NAME.0, which `Topic` reads by its name: the bytes of a journal.

    It has one writer at a time. One that comes after another goes on behind its last whole event. An event is there for
    readers with `append`, and after a crash of the machine as far as `flush` came.
    """

    def __init__(
        self, folder: os.PathLike[str] | str, name: str, run: str, payload_max: int = 0, bytes_max: int = 1 << 30
    ) -> None:
        """Takes the topic over. `payload_max`: bytes of the largest payload, the same for each writer; all files
        together stay below `bytes_max`."""
        if not _NAME.fullmatch(name):
            raise SlipringError(f"'{name}' is no name for a topic: 1 to 48 of a-z, 0-9 and -")
        if not 0 <= payload_max <= _PAYLOAD_MAX:
            raise SlipringError(f"payloads of {payload_max} bytes: 0 to {_PAYLOAD_MAX} can be had")
        run_folder = pathlib.Path(folder)
        if (run_folder / "journal" / f"{name}.0").exists():
            raise SlipringError(f"'{name}' is a topic of the run itself")
        self._folder = run_folder / "topics" / f"{name}.0"
        self._folder.parent.mkdir(mode=0o700, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._file = -1
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise Unavailable(f"somebody else writes the topic '{name}'") from None
        self.name, self._bytes_max = name, bytes_max
        #: Run, topic and partition: topics of one's own have numbers from 2³¹ on.
        self._identity = (*_run_id(run), 0x80000000 | crc32c(name.encode()), 0)
        self._capacity = -(-payload_max // PAGE) * PAGE
        self._stride = PAGE + self._capacity
        try:
            self._take_over(Topic(run_folder, name, run))
        except BaseException:
            self.close()
            raise

    def _take_over(self, topic: Topic) -> None:
        if topic._ring is not None:
            raise SlipringError(f"'{self.name}' is a topic of the run itself")
        for path in self._folder.glob("*.segment.new"):
            path.unlink()
        journal = self._journal = Journal(self._folder)
        segments = journal.look()
        if segments and (segments[0].stride != self._stride or segments[0].identity != self._identity):
            raise Refused(f"{self._folder} is of another run, or has payloads of another size")
        #: The sequence of the next event.
        self.next = topic._stored_end()
        last = journal.at(self.next - 1) if self.next else None
        self._chain = last.chain_after if last else 0
        self._epoch = 1 + max([segment.epoch for segment in segments] + [last.epoch if last else 0])
        self._durable, self._number = 0, segments[-1].number if segments else -1
        self._segment: Segment | None = segments[-1] if segments else None
        if self._segment and not self._is_clean(self._segment):
            # Behind what is whole are the bytes of an event that its writer did not finish: they stay.
            self._segment = None
        if self._segment:
            self._open(self._segment.path.name)

    def _is_clean(self, segment: Segment) -> bool:
        offset = PAGE + (self.next - segment.first) * self._stride
        return offset + self._stride <= len(segment.map) and not any(segment.map[offset:offset + PAGE])

    def _open(self, name: str) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._lock)

    def _begin_segment(self) -> None:
        self.flush()
        count = max(2, min(_SEGMENT_RECORDS, (_SEGMENT_BYTES - PAGE) // self._stride))
        size = PAGE + count * self._stride
        names = [path.name for path in self._folder.iterdir()]
        used = sum(os.stat(name, dir_fd=self._lock, follow_symlinks=False).st_size for name in names)
        if used + size > self._bytes_max:
            raise SlipringError(f"the topic '{self.name}' has {used} bytes, and {self._bytes_max} at most")
        first, copy = f"{self.next:020}", 0
        while (name := f"{first}{f'.{copy}' if copy else ''}.segment") in names:
            copy += 1
        self._number += 1
        page = bytearray(PAGE)
        CONTROL.pack_into(
            page, 0, 0, CONTROL_MAGIC, CONTROL_LAYOUT, 1, *self._identity, self._stride, self.next, size, self._chain,
            self._epoch, self._number, self._durable)
        page[124:128] = crc32c(bytes(page[8:124])).to_bytes(4, "little")
        file = os.open(
            name + ".new", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._lock)
        try:
            os.posix_fallocate(file, 0, size)
            _write(file, page, 0)
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(name + ".new", name, src_dir_fd=self._lock, dst_dir_fd=self._lock)
        os.fsync(self._lock)
        self._open(name)
        self._segment = self._journal.look()[-1]

    def append(
        self, payload: bytes | NDArray[np.generic] = b"", metadata: bytes = b"", kind: int = PROGRAM, theta: float = 0,
        number: int = 0,
    ) -> int:
        """Writes an event, and returns its sequence. A two-dimensional array of uint8, uint16, uint32 or float32 is an
        image; `theta` in radians and `number` are as in projections."""
        rows = columns = pixel = 0
        if isinstance(payload, np.ndarray):
            if payload.ndim == 2 and payload.size:
                (rows, columns), pixel = payload.shape, _PIXEL_CODES.get(payload.dtype.str, 0)
                if not pixel:
                    raise SlipringError(f"an image of {payload.dtype}: it can be uint8, uint16, uint32 or float32")
            payload = np.ascontiguousarray(payload).tobytes()
        table = b""
        if pixel:
            band = band_rows(rows) * (len(payload) // rows)
            view = memoryview(payload)
            table = b"".join(
                crc32c(view[start:start + band]).to_bytes(4, "little") for start in range(0, len(payload), band))
        if len(payload) > self._capacity or HEAD + len(metadata) + len(table) > PAGE or self.next >= SEQUENCE_LIMIT - 1:
            raise SlipringError(f"{len(payload)} bytes with {len(metadata)} of metadata do not fit an event")
        if self._segment is None or self._place + self._stride > len(self._segment.map):
            self._begin_segment()
        content = crc32c(table, crc32c(metadata)) if pixel else crc32c(memoryview(payload), crc32c(metadata))
        page = bytearray(PAGE)
        HEADER.pack_into(
            page, 8, EVENT_MAGIC, EVENT_LAYOUT, kind, self.next, self._epoch, *self._identity, time.time_ns(),
            self._durable, self._chain, len(payload), content, len(metadata), theta, number, rows, columns, pixel, 0, 0)
        head = crc32c(bytes(page[8:124]))
        page[124:128] = head.to_bytes(4, "little")
        page[HEAD:HEAD + len(metadata)] = metadata
        page[PAGE - len(table):] = table
        # Whoever sees the page finds the payload behind it.
        _write(self._file, payload, self._place + PAGE)
        _write(self._file, page, self._place)
        assert self._segment is not None
        event = self._segment.at(self.next)
        if event is None:
            raise SlipringError(f"event {self.next} of '{self.name}' does not read back")
        self._chain = event.chain_after
        self.next += 1
        return self.next - 1

    @property
    def _place(self) -> int:
        assert self._segment is not None
        return PAGE + (self.next - self._segment.first) * self._stride

    def flush(self) -> None:
        """Returns when all events are on the disk."""
        if self._file >= 0:
            os.fdatasync(self._file)
            self._durable = self.next

    def finish(self) -> None:
        """Writes the topic's last event, with which a reader's `events` ends."""
        self.append(kind=END)
        self.flush()

    def close(self) -> None:
        """Gives the topic up for another writer."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def __enter__(self) -> TopicWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file >= 0:
            self.flush()
        self.close()


def _write(file: int, data: bytes | bytearray, offset: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(file, view, offset)
        view, offset = view[count:], offset + count
