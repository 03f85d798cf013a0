"""Events of a run's journals, read where they lie: segments are mapped, and images are views of them.

The bytes are drawn in Sources/Journal (segments) and at EventHeader in Sources/Rings (records). A record's header is
checked; whether an image's pixels are as they were written, `Event.check` and `slipring journal verify` tell.
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
from ._records import HEAD, PAGE, SEQUENCE_LIMIT, Event, is_whole

_SEGMENT = re.compile(r"(\d{20})(?:\.\d+)?\.segment")
CONTROL = struct.Struct("<QIHHQQIIQQQQQQQ")
CONTROL_MAGIC, CONTROL_LAYOUT = 0x504A4C53, 1
_THROUGH = 5


class Segment(NamedTuple):
    """A mapped segment."""

    path: pathlib.Path
    map: mmap.mmap
    identity: tuple[int, int, int, int]
    first: int
    epoch: int
    number: int
    stride: int

    def at(self, sequence: int) -> Event | None:
        """The record of a sequence; None where there is none yet, or no whole one."""
        offset = PAGE + (sequence - self.first) * self.stride
        if sequence < self.first or offset + self.stride > len(self.map):
            return None
        head = self.map[offset:offset + HEAD]
        if not any(head[8:12]) or not is_whole(head):
            return None
        event = Event(self.map, offset, self.stride - PAGE, f"{self.path}, record {sequence}")
        if event.sequence != sequence or event.identity != self.identity:
            raise Refused(f"{self.path}: record {sequence} is not the one that belongs there")
        return event


class Journal:
    """The records of one topic. What is written later is found by the next call."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._segments: dict[str, Segment] = {}
        self._ordered: list[Segment] = []
        if not folder.is_dir():
            raise Unavailable(f"{folder} is not there: the run keeps no journal of it, or none any more")

    def _map(self, path: pathlib.Path) -> Segment | None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            if size < 2 * PAGE:
                return None
            pages = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        head = pages[:HEAD]
        _, magic, layout, kind, low, high, topic, partition, stride, first, _, _, epoch, number, _ = (
            CONTROL.unpack_from(head))
        if magic != CONTROL_MAGIC or not is_whole(head):
            return None  # Being made, or damaged: its records are not missed silently, for the next ones lack them.
        if layout != CONTROL_LAYOUT or kind != 1:
            raise Refused(f"{path} was written by another version (layout {layout})")
        if stride < PAGE or stride % PAGE or first >= SEQUENCE_LIMIT:
            raise Refused(f"{path} has records {stride} bytes apart")
        return Segment(path, pages, (low, high, topic, partition), first, epoch, number, stride)

    def look(self) -> list[Segment]:
        """All segments, in the order of their numbers; each holds its records up to where a later one begins."""
        for path in self._folder.iterdir():
            if _SEGMENT.fullmatch(path.name) and path.name not in self._segments:
                segment = self._map(path)
                if segment:
                    self._segments[path.name] = segment
        self._ordered = sorted(self._segments.values(), key=lambda segment: segment.number)
        return self._ordered

    def through(self) -> int:
        """Where the journal ended when its writer closed it; 0 where nobody did, or the page that says so is damaged."""
        try:
            descriptor = os.open(self._folder / "through", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return 0
        try:
            head = os.read(descriptor, HEAD)
        finally:
            os.close(descriptor)
        if len(head) < HEAD or not is_whole(head):
            return 0
        _, magic, layout, kind, *identity, _, _, _, _, _, _, through = CONTROL.unpack_from(head)
        is_own = all(segment.identity == tuple(identity) for segment in self._ordered[:1])
        is_page = (magic, layout, kind) == (CONTROL_MAGIC, CONTROL_LAYOUT, _THROUGH)
        return int(through) if is_page and is_own and through < SEQUENCE_LIMIT else 0

    def at(self, sequence: int, look: bool = True) -> Event | None:
        """The record of a sequence at its computed place; None where there is none yet. With `look`, segments that are
        new are looked for."""
        for again in range(2):
            # The last one that begins at or before it: all earlier ones end where that begins.
            for segment in reversed(self._ordered):
                if segment.first <= sequence:
                    event = segment.at(sequence)
                    if event is not None:
                        return event
                    break
            if again or not look:
                break
            self.look()
        return None

    def events(self, start: int = 0) -> Iterator[Event]:
        """The events from sequence `start` on, as far as they are written now."""
        segments = self.look()
        for index, segment in enumerate(segments):
            # Its records count up to where any later one begins.
            end = min((later.first for later in segments[index + 1:]), default=SEQUENCE_LIMIT)
            for sequence in range(max(start, segment.first), end):
                event = segment.at(sequence)
                if event is None:
                    break
                yield event


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
        return Image(event.pixels, event.theta, event.projection, event.acquired_at)

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
