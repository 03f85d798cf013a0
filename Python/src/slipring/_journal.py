"""Events of a run's journals, read where they lie: segments are mapped, and images are views of them.

The bytes are drawn in Sources/Journal (segments) and at EventHeader in Sources/Rings (records). A record's header is
checked; whether an image's pixels are as they were written, `slipring journal verify` tells.
"""

from __future__ import annotations

import bisect
import mmap
import os
import pathlib
import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from ._errors import Refused, Unavailable

_PAGE = 4096
_SEGMENT = re.compile(r"(\d{20})(?:\.\d+)?\.segment")
_CONTROL = struct.Struct("<QIHHQQIIQQQQQQQ")
_HEADER = struct.Struct("<IHHQQQQIIQQQQIIdQIIHHI")
_PIXELS = {1: "<u1", 2: "<u2", 3: "<f4", 4: "<u4"}


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC32C (Castagnoli) of a few bytes."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def _is_whole(page: bytes) -> bool:
    return crc32c(page[8:124]) == int.from_bytes(page[124:128], "little")


class Event(NamedTuple):
    """The header of a record, and where its bytes are."""

    kind: int
    sequence: int
    epoch: int
    acquired_at: int
    theta: float
    projection: int
    rows: int
    columns: int
    pixel: int
    metadata: bytes
    segment: mmap.mmap
    payload: int


class _Segment(NamedTuple):
    path: pathlib.Path
    map: mmap.mmap
    first: int
    number: int
    stride: int


class Journal:
    """The records of one topic. What is written later is found by the next call."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._segments: dict[str, _Segment] = {}
        if not folder.is_dir():
            raise Unavailable(f"{folder} is not there: the run keeps no journal of it, or none any more")

    def _map(self, path: pathlib.Path) -> _Segment | None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            if size < 2 * _PAGE:
                return None
            pages = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        head = pages[:128]
        _, magic, layout, kind, _, _, _, _, stride, first, _, _, _, number, _ = _CONTROL.unpack_from(head)
        if magic != 0x504A4C53 or not _is_whole(head):
            return None  # Being made, or damaged: its records are not missed silently, for the next ones lack them.
        if layout != 1 or kind != 1:
            raise Refused(f"{path} was written by another version (layout {layout})")
        if stride < _PAGE or stride % _PAGE:
            raise Refused(f"{path} has records {stride} bytes apart")
        return _Segment(path, pages, first, number, stride)

    def _look(self) -> list[_Segment]:
        """All segments, by the first record that counts in them."""
        for path in self._folder.iterdir():
            if _SEGMENT.fullmatch(path.name) and path.name not in self._segments:
                segment = self._map(path)
                if segment:
                    self._segments[path.name] = segment
        return sorted(self._segments.values(), key=lambda segment: segment.number)

    def events(self, start: int = 0) -> Iterator[Event]:
        """The events from sequence `start` on, as far as they are written now."""
        segments = self._look()
        for index, segment in enumerate(segments):
            # Its records count up to where any later one begins.
            end = min((later.first for later in segments[index + 1:]), default=None)
            sequence = max(start, segment.first)
            while end is None or sequence < end:
                event = self._record(segment, sequence)
                if event is None:
                    break
                yield event
                sequence += 1

    def _record(self, segment: _Segment, sequence: int) -> Event | None:
        offset = _PAGE + (sequence - segment.first) * segment.stride
        if offset + segment.stride > len(segment.map):
            return None
        head = segment.map[offset:offset + 128]
        (magic, layout, kind, found, epoch, _, _, _, _, acquired, _, _, size, _, count, theta, projection, rows, columns,
            pixel, _, _) = _HEADER.unpack_from(head, 8)
        if magic != 0x56454C53 or not _is_whole(head):
            return None
        if layout != 2:
            raise Refused(f"{segment.path} has events of layout {layout}, which this package does not read")
        if found != sequence or count > _PAGE - 128 or size > segment.stride - _PAGE:
            raise Refused(f"{segment.path}: record {sequence} is not the one that belongs there")
        if pixel and rows * columns * np.dtype(_PIXELS.get(pixel, "<f8")).itemsize > size:
            raise Refused(f"{segment.path}: the image of record {sequence} is larger than the record")
        metadata = segment.map[offset + 128:offset + 128 + count]
        return Event(
            kind, sequence, epoch, acquired, theta, projection, rows, columns, pixel, metadata, segment.map,
            offset + _PAGE)


class Image(NamedTuple):
    """One detector image as it came."""

    #: The pixels; a read-only view of the journal's file.
    pixels: NDArray[np.generic]
    #: The angle in radians.
    theta: float
    #: Its number in the scan.
    number: int
    #: When it was acquired, in nanoseconds since 1970.
    acquired_at: int


class Images(Sequence[Image]):
    """Images of one kind, in the order in which they came; those that came since are there at the next look."""

    def __init__(self, journal: Journal, kind: int) -> None:
        self._journal, self._kind = journal, kind
        self._events: list[Event] = []
        self._next = 0

    def _look(self) -> None:
        for event in self._journal.events(self._next):
            self._next = event.sequence + 1
            if event.kind == self._kind:
                self._events.append(event)

    def __len__(self) -> int:
        self._look()
        return len(self._events)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> list[Image]: ...

    def __getitem__(self, index: int | slice) -> Image | list[Image]:
        self._look()
        if isinstance(index, slice):
            return [self._image(event) for event in self._events[index]]
        return self._image(self._events[index])

    @staticmethod
    def _image(event: Event) -> Image:
        if event.pixel not in _PIXELS:
            raise Refused(f"record {event.sequence} has pixels of type {event.pixel}")
        pixels: NDArray[np.generic] = np.ndarray(
            (event.rows, event.columns), _PIXELS[event.pixel], event.segment, event.payload)
        return Image(pixels, event.theta, event.projection, event.acquired_at)

    @property
    def thetas(self) -> NDArray[np.float64]:
        """The angles of all, in radians."""
        self._look()
        return np.array([event.theta for event in self._events])

    def at(self, number: int) -> Image:
        """The image with this number in the scan; for images in rising order."""
        self._look()
        index = bisect.bisect_left(self._events, number, key=lambda event: event.projection)
        if index == len(self._events) or self._events[index].projection != number:
            raise IndexError(f"image {number} is not there")
        return self._image(self._events[index])

    def last_metadata(self) -> bytes | None:
        """What lies beside the newest one."""
        self._look()
        return self._events[-1].metadata if self._events else None
