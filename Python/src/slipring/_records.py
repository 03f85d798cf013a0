"""Events where they lie: in a ring's slot or in a segment of a journal, whose first page is the same.

The bytes are drawn at EventHeader, EventBands, RingLayout and RingGeometry in Sources/Rings and at ControlPage in
Sources/Journal.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._checksums import crc32c
from ._errors import Refused

PAGE = 4096
HEAD = 128
#: Sequences are below this.
SEQUENCE_LIMIT = 1 << 44
EVENT_MAGIC, EVENT_LAYOUT = 0x56454C53, 2
HEADER = struct.Struct("<IHHQQQQIIQQQQIIdQIIHHI")
_PIXELS = {1: "<u1", 2: "<u2", 3: "<f4", 4: "<u4"}
_BAND_ROWS, _BANDS_MAX = 64, 128


def is_whole(head: bytes) -> bool:
    """Whether the 128 bytes that a page begins with are as they were written."""
    return crc32c(head[8:124]) == int.from_bytes(head[124:128], "little")


class Event:
    """One event of a topic; its bytes stay where they are."""

    __slots__ = (
        "kind", "sequence", "epoch", "identity", "acquired_at", "durable_through", "chain", "size", "content_crc",
        "theta", "projection", "rows", "columns", "pixel", "map", "offset", "_metadata_size", "_head_crc", "_current")
    kind: int
    sequence: int
    epoch: int
    #: Run (two numbers), topic and partition.
    identity: tuple[int, int, int, int]
    #: When its cause was acquired, in nanoseconds since 1970.
    acquired_at: int
    durable_through: int
    chain: int
    #: Bytes of payload.
    size: int
    content_crc: int
    #: The angle in radians, and the number in the scan.
    theta: float
    projection: int
    rows: int
    columns: int
    pixel: int
    _metadata_size: int
    _head_crc: int

    def __init__(
        self, map: mmap.mmap, offset: int, capacity: int, where: str, current: Callable[[], bool] | None = None
    ) -> None:
        """The event at `offset`, with at most `capacity` bytes of payload; Refused where it is none."""
        head = map[offset:offset + HEAD]
        (magic, layout, self.kind, self.sequence, self.epoch, low, high, topic, partition, self.acquired_at,
            self.durable_through, self.chain, self.size, self.content_crc, self._metadata_size, self.theta,
            self.projection, self.rows, self.columns, self.pixel, _, self._head_crc) = HEADER.unpack_from(head, 8)
        if magic != EVENT_MAGIC or not is_whole(head):
            raise Refused(f"{where}: no whole header")
        if layout != EVENT_LAYOUT:
            raise Refused(f"{where}: events of layout {layout}, which this package does not read")
        if self._metadata_size > PAGE - HEAD or self.size > capacity:
            raise Refused(f"{where}: more bytes than a record holds")
        if self.pixel and self.rows * self.columns * np.dtype(_PIXELS.get(self.pixel, "<f8")).itemsize > self.size:
            raise Refused(f"{where}: an image that is larger than its record")
        self.identity = (low, high, topic, partition)
        self.map, self.offset, self._current = map, offset, current

    @property
    def is_stable(self) -> bool:
        """Whether its bytes stay as they are: those of a journal do, a ring's slot is filled anew."""
        return self._current is None

    def is_current(self) -> bool:
        """Whether what was read of it up to now is the event's: to be asked behind the reading, of a ring's."""
        return self._current is None or self._current()

    @property
    def metadata(self) -> bytes:
        """What lies beside the payload, copied."""
        return self.map[self.offset + HEAD:self.offset + HEAD + self._metadata_size]

    @property
    def payload(self) -> NDArray[np.uint8]:
        """The payload's bytes; a read-only view."""
        return np.ndarray((self.size,), np.uint8, self.map, self.offset + PAGE)

    @property
    def pixels(self) -> NDArray[np.generic]:
        """The image, rows × columns; a read-only view."""
        if self.pixel not in _PIXELS:
            raise Refused(f"event {self.sequence} has pixels of type {self.pixel}")
        return np.ndarray((self.rows, self.columns), _PIXELS[self.pixel], self.map, self.offset + PAGE)

    def _bands(self) -> list[tuple[int, int]]:
        row = self.columns * np.dtype(_PIXELS[self.pixel]).itemsize if self.pixel in _PIXELS else 0
        if self.rows == 0 or row == 0:
            return []
        rows = band_rows(self.rows)
        count = -(-self.rows // rows)
        return [(index * rows * row, self.size if index == count - 1 else (index + 1) * rows * row)
                for index in range(count)]

    def check(self, payload: bool = True) -> bool:
        """Whether metadata and, unless that is left out, payload are as they were written. Of an event that is no
        image both have one checksum."""
        bands = self._bands()
        if not bands:
            return not payload and self.size > 0 or (
                crc32c(self.payload.data, crc32c(self.metadata)) == self.content_crc)
        start = PAGE - 4 * len(bands)
        if HEAD + self._metadata_size > start:
            return False
        table = self.map[self.offset + start:self.offset + PAGE]
        if crc32c(table, crc32c(self.metadata)) != self.content_crc:
            return False
        view = self.payload.data
        return not payload or all(
            crc32c(view[first:end]).to_bytes(4, "little") == table[4 * index:4 * index + 4]
            for index, (first, end) in enumerate(bands))

    @property
    def chain_after(self) -> int:
        """The chain of the next event: a hash of this one and all before it."""
        mask = (1 << 64) - 1
        value = (self.chain ^ (self._head_crc << 32 | self.content_crc)) + 0x9E3779B97F4A7C15 & mask
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & mask
        value = (value ^ value >> 27) * 0x94D049BB133111EB & mask
        return value ^ value >> 31


def band_rows(rows: int) -> int:
    """Rows of each band that an image is checksummed in, but the last."""
    most = _BAND_ROWS * _BANDS_MAX
    return _BAND_ROWS * max(1, -(-rows // most))


class Ring:
    """A ring, looked at: nobody waits for this process, and it can write nothing there."""

    _GEOMETRY = struct.Struct("<IHHQQIIQQQQIIQQQQQII")

    def __init__(self, region: mmap.mmap, name: str) -> None:
        head = region[:HEAD]
        (magic, layout, _, low, high, topic, partition, slots, capacity, stride, size, _, _, self.first,
            _, _, spills, _, _, _) = self._GEOMETRY.unpack_from(head, 8)
        if head[:8] != b"is ready" or magic != 0x47524C53:
            raise Refused(f"{name} is no ring, or not ready")
        if not is_whole(head) or layout != 3:
            raise Refused(f"{name} has a damaged header, or one of another version (layout {layout})")
        whole = -(-capacity // PAGE) * PAGE + PAGE
        if not 2 <= slots <= 1 << 24 or stride != whole or size != len(region) or (
                size != 2 * PAGE + stride * (slots + spills)):
            raise Refused(f"{name} does not have the size that its header says")
        self.identity = (low, high, topic, partition)
        self._map, self._name, self._slots, self._stride, self._capacity = region, name, slots, stride, capacity
        # Each of these words is read with one load, as their writers write them.
        self._words: Any = memoryview(region).cast("Q")

    @property
    def published(self) -> int:
        """Sequences below it may be read."""
        return min(int(self._words[16]), SEQUENCE_LIMIT)

    def at(self, sequence: int) -> Event | None:
        """The event, where its own slot has it; otherwise the journal does."""
        if not self.first <= sequence < self.published:
            return None
        offset = 2 * PAGE + sequence % self._slots * self._stride
        stamp = int(self._words[offset // 8])
        if stamp >> 20 != sequence or stamp & 3 != 2:
            return None
        words = self._words
        try:
            event = Event(
                self._map, offset, self._capacity, f"{self._name}, event {sequence}",
                lambda: bool(words[offset // 8] == stamp))
        except Refused:
            if words[offset // 8] != stamp:
                return None
            raise
        if not event.is_current():
            return None
        if event.sequence != sequence or event.identity != self.identity:
            raise Refused(f"{self._name}: event {sequence} is not the one that belongs there")
        return event
