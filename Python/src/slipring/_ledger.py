"""What became of a scan's frames (LossLedger in Sources/RunModel draws the bytes)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._errors import Refused

_FIXED = struct.Struct("<QQQIIIIQIIQdII16IQ")
_EMPTY = struct.Struct("<ddQII")


def _ranges(data: bytes, start: int, count: int) -> NDArray[np.uint64]:
    if start + 16 * count > len(data):
        raise Refused(f"a ledger of {len(data)} bytes with {count} ranges")
    return np.frombuffer(data, "<u8", 2 * count, start).reshape(count, 2).copy()


@dataclass(frozen=True)
class Ledger:
    """Counts of frames, and the numbers of those that are missing or show nothing."""

    #: Projections that were published, those in place of lost ones too.
    projections: int
    #: Flat and dark fields that came from the source.
    flats: int
    darks: int
    #: Frames that came twice and were dropped.
    duplicates: int
    #: Frames that came after one with a higher number, and were used.
    late: int
    #: Frames that the detector marked as invalid.
    invalid: int
    #: Projections in place of lost ones: means of their neighbours, and what a program made of these.
    interpolated: int
    generated: int
    #: Messages that were dropped.
    dropped: int
    #: Frames that never came, below the highest one that did.
    lost: int
    #: Their first numbers and counts, (n, 2); the newest 200 gaps.
    gaps: NDArray[np.uint64]
    #: Projections and flats that showed nothing and were left out.
    empty: int
    #: First numbers and counts of such projections, (n, 2); the first 30 ranges.
    empty_ranges: NDArray[np.uint64]

    @staticmethod
    def decode(data: bytes) -> Ledger:
        """The ledger beside an image of a live or finished scan."""
        if len(data) < _FIXED.size:
            raise Refused(f"a ledger of {len(data)} bytes")
        (_, _, projections, flats, darks, duplicates, generated, late, invalid, interpolated, unlisted, _, gap_count,
            range_count, *rest) = _FIXED.unpack_from(data)
        gaps = _ranges(data, _FIXED.size, gap_count)
        empty, ranges = 0, np.empty((0, 2), np.uint64)
        if range_count:
            start = _FIXED.size + 16 * gap_count
            if start + _EMPTY.size > len(data):
                raise Refused(f"a ledger of {len(data)} bytes with empty frames")
            _, _, empty, empty_flats, _ = _EMPTY.unpack_from(data, start)
            empty += empty_flats
            ranges = _ranges(data, start + _EMPTY.size, range_count - 1)
        return Ledger(
            projections, flats, darks, duplicates, late, invalid, interpolated, generated, sum(rest[:16]),
            int(gaps[:, 1].sum()) + unlisted, gaps, empty, ranges)
