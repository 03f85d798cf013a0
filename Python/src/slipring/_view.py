"""Views of a run: which events belong together, in order, and where each reader of them is.

    run = slipring.open("out")
    with run.view("pairs", name="trainer") as view:
        for item in view:
            projections, slices = item.arrays()     # views of the run's files, no copies
            learn(projections, slices)
            item.done()                             # whoever comes after this process goes on behind it

A view is made by `--view`. Nobody waits for a reader: what it names is in the run's journals as long as the run's folder
is there. A reader has a name, a cursor of its own on disk, and one process at a time. What a program makes of items can
be kept with the cursor (`done(state)`), in one step: then nothing is used twice, and nothing left out, whenever it is
killed. The bytes of events are drawn at ViewEvent in Sources/RunModel.
"""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import re
import struct
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._checksums import crc32c
from ._errors import Refused, SlipringError, Unavailable
from ._records import SEQUENCE_LIMIT, Event
from ._topic import END, Topic

#: The kind of an event with items.
VIEW = 18
FROM, WITH, COPIED = 1, 2, 3
_FIXED = struct.Struct("<QQQQHHHH24x")
_CURSOR = struct.Struct("<IIQQQ")
_POINTER = struct.Struct("<IIQIIIIQ")
_TOPICS = {1: "projections", 3: "updates", 6: "corrected", 7: "scores"}
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_STATE_MAX = 1 << 30
_NAP = 0.005
_LOOKS = 100


class Pointer(NamedTuple):
    """Events that follow each other in their topic."""

    topic: str
    sequence: int
    #: How many there are.
    length: int
    #: 1 for the view's `from`, 2 for its `with`, 3 for voxels that the view has copied.
    side: int
    #: Of an update or of copied voxels: first row, rows, and generation of the volume.
    first_row: int
    rows: int
    generation: int


class ViewEvent(NamedTuple):
    """Some items, as they lie in the view's topic."""

    first: int
    #: Items that were left out before its end.
    dropped: int
    #: The next event of each topic that is joined.
    cursors: dict[str, int]
    items: list[tuple[Pointer, ...]]


def _topic(number: int, partition: int) -> str:
    word = _TOPICS.get(number)
    if word is None or partition > 99:
        raise Refused(f"a view with events of topic {number}.{partition}")
    return f"{word}.{partition}" if word == "updates" else word


def decode(metadata: bytes) -> ViewEvent:
    """The items of an event; Refused where they are none."""
    try:
        first, dropped, _, _, cursor_count, item_count, pointer_count, _ = _FIXED.unpack_from(metadata)
        at = _FIXED.size + cursor_count * _CURSOR.size
        sizes = [struct.unpack_from("<Q", metadata, at + 8 * number)[0] for number in range(item_count)]
        start = at + 8 * item_count
        cursors = {}
        for number in range(cursor_count):
            topic, partition, following, _, _ = _CURSOR.unpack_from(metadata, _FIXED.size + number * _CURSOR.size)
            cursors[_topic(topic, partition)] = following
        pointers = []
        for number in range(pointer_count):
            topic, partition, sequence, count, side, row, rows, generation = (
                _POINTER.unpack_from(metadata, start + number * _POINTER.size))
            if not 1 <= side <= 3 or not 0 < count <= 1 << 20 or sequence >= SEQUENCE_LIMIT:
                raise Refused(f"a view with a pointer to {count} events from {sequence} on")
            pointers.append(Pointer(_topic(topic, partition), sequence, count, side, row, rows, generation))
    except struct.error:
        raise Refused(f"items of {len(metadata)} bytes") from None
    if sum(sizes) != pointer_count or 0 in sizes or len(metadata) != start + pointer_count * _POINTER.size or (
            first >= SEQUENCE_LIMIT):
        raise Refused(f"{item_count} items with {pointer_count} pointers in {len(metadata)} bytes")
    items, following = [], 0
    for size in sizes:
        items.append(tuple(pointers[following:following + size]))
        following += size
    return ViewEvent(first, dropped, cursors, items)


class Item:
    """Events that belong together."""

    def __init__(self, view: View, number: int, place: tuple[int, int], pointers: tuple[Pointer, ...]) -> None:
        #: Its number in the view, from 0, none left out.
        self.number = number
        self.pointers = pointers
        self._view, self._place = view, place

    def events(self, side: int) -> list[Event]:
        """The events of one side, 1 (`from`) or 2 (`with`); their bytes stay as they are. Unavailable where one is lost
        since."""
        found = []
        for pointer in self.pointers:
            if pointer.side == side:
                for sequence in range(pointer.sequence, pointer.sequence + pointer.length):
                    found.append(self._view._event(pointer.topic, sequence))
        return found

    def voxels(self) -> NDArray[np.float32]:
        """The copied slices, (row, y, x), as the item's update left them; no copy. Which rows they are `rows` says."""
        for pointer in self.pointers:
            if pointer.side == COPIED:
                lines = self._view._event(None, self._place[0]).pixels
                if pointer.rows == 0 or lines.shape[0] != pointer.rows * lines.shape[1] or lines.dtype != np.float32:
                    raise Refused(f"item {self.number} with {pointer.rows} rows in {lines.shape} voxels")
                return lines.reshape(pointer.rows, lines.shape[1], lines.shape[1])  # type: ignore[return-value]
        raise SlipringError(f"view '{self._view.name}' copies no slices: give it copy=volume:ROW")

    @property
    def rows(self) -> range:
        """The rows of the volume that `voxels` has."""
        for pointer in self.pointers:
            if pointer.side == COPIED:
                return range(pointer.first_row, pointer.first_row + pointer.rows)
        return range(0)

    def arrays(self) -> tuple[list[NDArray[np.generic]], list[NDArray[np.generic]]]:
        """The images of `from`, and those of `with`: where that are updates, the slices that were copied with them.
        Views of the run's files, no copies."""
        first = [event.pixels for event in self.events(FROM) if event.pixel]
        second = [event.pixels for event in self.events(WITH) if event.pixel]
        if any(pointer.side == COPIED for pointer in self.pointers):
            second.extend(self.voxels())
        return first, second

    def done(self, state: bytes | None = None) -> None:
        """Says that the item was used: a reader of the same name goes on behind it. `state` is kept with that, in one
        step, and is `View.state` of whoever comes next; without it the last one stays."""
        self._view._done(self, state)


class View:
    """The items of a view, from where the reader of this name was. Use from one thread at a time."""

    def __init__(
        self, folder: pathlib.Path, view: str, name: str, open_topic: Callable[[str], Topic],
        is_live: Callable[[], bool], number: int, wait: float, synced: bool,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise SlipringError(f"'{name}' is no name for a reader: 1 to 32 of a-z, 0-9 and -")
        #: The view's name.
        self.name = view
        #: Items that the view has left out so far, as far as it was read.
        self.dropped = 0
        #: What was kept with the last item that was done; None for nothing.
        self.state: bytes | None = None
        self._open, self._is_live, self._wait, self._synced = open_topic, is_live, wait, synced
        self._topics: dict[str, Topic] = {}
        self._own = f"views.{number}"
        self._folder = folder / "views" / view
        for place in (self._folder.parent, self._folder):
            place.mkdir(mode=0o700, exist_ok=True)
        self._cursor = f"{name}.cursor"
        self._directory = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._lock = -1
        try:
            self._lock = os.open(
                f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._directory)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            #: The next item.
            self.next = 0
            self._place = (0, 0)
            self._through = 0
            self._read_cursor()
        except BlockingIOError:
            self.close()
            raise Unavailable(f"somebody else reads the view '{view}' as {name}") from None
        except BaseException:
            self.close()
            raise

    def _topic(self, name: str) -> Topic:
        if name not in self._topics:
            self._topics[name] = self._open(name)
        return self._topics[name]

    def _event(self, topic: str | None, sequence: int) -> Event:
        found = self._topic(topic or self._own)
        # A run that was gone on with has another ring, which is found a moment later.
        for _ in range(_LOOKS):
            event = found.get(sequence, stable=True)
            if event is not None:
                return event
            if found.end <= sequence:
                time.sleep(_NAP)
        raise Unavailable(f"event {sequence} of '{topic or self._own}' is not there any more")

    def __iter__(self) -> Iterator[Item]:
        """The items from `next` on, each once. It ends with the view, with a run that is over, or where nothing comes
        for `wait` seconds. An item that is not done before the next one is handed out is no less used."""
        last, was_live = time.monotonic(), True
        topic: Topic | None = None
        sequence, place = self._place
        while True:
            if topic is None:
                try:
                    topic = self._topic(self._own)
                except Unavailable:
                    topic = None
            event = topic.get(sequence, stable=True) if topic else None
            if event is None:
                # What came until the run was seen to be over was looked for once more.
                if not was_live or time.monotonic() - last >= self._wait:
                    if self.next and topic is not None and sequence > topic.end:
                        raise Refused(f"the view '{self.name}' ends before item {self.next}, which was read from it")
                    if not was_live and topic is not None and sequence < topic._stored_end():
                        raise Unavailable(
                            f"event {sequence} of '{self._own}' is damaged or gone; slipring journal verify tells")
                    return
                was_live = self._is_live()
                if topic is not None:
                    # Looks for the ring of a run that was gone on with.
                    _ = topic.end
                time.sleep(_NAP)
                continue
            last, was_live = time.monotonic(), True
            if event.kind not in (VIEW, END):
                raise Refused(f"event {sequence} of '{self._own}' is none of a view")
            found = decode(event.metadata)
            self.dropped = found.dropped
            if event.kind == END:
                return
            if found.first + place != self.next:
                raise Refused(f"item {found.first + place} of view '{self.name}' came where {self.next} was expected")
            for number in range(place, len(found.items)):
                self.next, self._place = self.next + 1, (sequence, number + 1)
                yield Item(self, found.first + number, (sequence, number), found.items[number])
            sequence, place = sequence + 1, 0

    def _done(self, item: Item, state: bytes | None) -> None:
        if self._lock < 0:
            raise SlipringError(f"the view '{self.name}' is closed")
        if item.number < self._through:
            raise SlipringError(f"item {item.number} comes after one behind it was done")
        if state is not None:
            if len(state) > _STATE_MAX:
                raise SlipringError(f"a state of {len(state)} bytes: {_STATE_MAX} can be kept")
            self.state = state
        kept = self.state or b""
        sequence, number = item._place
        head = json.dumps({
            "view": self.name, "next": item.number + 1, "event": sequence, "item": number + 1, "bytes": len(kept),
            "hasState": self.state is not None}).encode() + b"\n"
        head = b"%08x " % crc32c(kept, crc32c(head)) + head
        new = self._cursor + ".new"
        file = os.open(
            new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._directory)
        try:
            left = memoryview(head + kept)
            while left:
                left = left[os.write(file, left):]
            if self._synced:
                os.fsync(file)
        finally:
            os.close(file)
        self._through = item.number + 1
        os.rename(new, self._cursor, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        if self._synced:
            os.fsync(self._directory)

    def _read_cursor(self) -> None:
        path = self._folder / self._cursor
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return
        checksum, _, rest = data.partition(b" ")
        try:
            head, _, kept = rest.partition(b"\n")
            words = json.loads(head)
            following, event, number = (int(words[key]) for key in ("next", "event", "item"))
            is_whole = (
                int(checksum, 16) == crc32c(kept, crc32c(head + b"\n")) and words["view"] == self.name
                and words["bytes"] == len(kept) and following >= 0 and event >= 0 and number >= 0)
        except (ValueError, KeyError, TypeError):
            is_whole = False
        if not is_whole:
            raise Refused(f"{path} is damaged, or another view's; without it the view is read from its beginning")
        self.next, self._through, self._place = following, following, (event, number)
        self.state = kept if words.get("hasState") else None

    def __enter__(self) -> View:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets another process read as this one did. Arrays that were handed out stay as they are."""
        for file in (self._lock, self._directory):
            if file >= 0:
                os.close(file)
        self._lock = self._directory = -1
