#!/usr/bin/env python3
"""Fills gaps of a live scan better than a mean does: slipring run … --on-gap program:fill_gaps.py

What lies between two projections is predicted from both of them, a few pixels to each side, with weights that projections
before the gap teach: there it is known what lay between (least squares, drawn towards the weighted mean). So noise is
averaged as far as the sample's edges allow, and the detector's pattern, which all projections share, stays as it is.
Where nothing can be learned, it is the mean.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIDE = 3
RIDGE = 1e-4

Image = NDArray[np.float64]


def neighbours(image: Image) -> Image:
    """The pixels around each pixel of an image (rows, columns): (rows · columns, 2 · SIDE + 3), the pixel itself first."""
    rows, columns = image.shape
    padded = np.pad(image, ((1, 1), (SIDE, SIDE)), mode="edge")
    sides = sorted(range(-SIDE, SIDE + 1), key=abs)
    shifts = [(0, side) for side in sides] + [(-1, 0), (1, 0)]
    return np.stack(
        [padded[1 + row:1 + row + rows, SIDE + side:SIDE + side + columns].ravel() for row, side in shifts], axis=1)


def features(first: Image, last: Image) -> Image:
    """What a projection between two is predicted from: (rows · columns, 2 · (2 · SIDE + 3))."""
    return np.concatenate([neighbours(first), neighbours(last)], axis=1)


def predicted(before: Sequence[Image], behind: Image, place: int, gap: int) -> Image:
    """Projection `place` (from 1) of `gap` missing ones between the last of `before` and `behind`, each (rows, columns)."""
    share, half = place / (gap + 1), 2 * SIDE + 3

    def mean(values: Image) -> Image:
        return (1 - share) * values[:, 0] + share * values[:, half]

    now = features(before[-1], behind)
    square, product = np.zeros((2 * half, 2 * half)), np.zeros(2 * half)
    # The same distance, forwards and backwards in time.
    for first, last, between in (
        example
        for start in range(len(before) - gap - 1)
        for example in (
            (before[start], before[start + gap + 1], before[start + place]),
            (before[start + gap + 1], before[start], before[start + gap + 1 - place]),
        )
    ):
        known = features(first, last)
        square += known.T @ known
        product += known.T @ (between.ravel() - mean(known))
    if not square.any():
        return mean(now).reshape(behind.shape)
    weights = np.linalg.solve(square + RIDGE * np.trace(square) / (2 * half) * np.eye(2 * half), product)
    return (mean(now) + now @ weights).reshape(behind.shape)


def unbroken(numbers: Sequence[int]) -> int:
    """How many of the last numbers follow each other without a gap."""
    count = 1
    while count < len(numbers) and numbers[-count - 1] == numbers[-count] - 1:
        count += 1
    return count


def main() -> None:
    """Answers questions until there are no more."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(b"ready\n")
    answers.flush()
    while line := questions.readline():
        question = json.loads(line)
        kind, shape = np.dtype(question["dtype"]), (question["rows"], question["columns"])

        def read(kind: np.dtype = kind, shape: tuple[int, int] = shape) -> Image:
            data = questions.read(kind.itemsize * shape[0] * shape[1])
            return np.frombuffer(data, kind).reshape(shape).astype(np.float64)

        before = [read() for _ in question["before"]]
        behind = [read() for _ in question["after"]][0]
        before = before[-unbroken([number for number, _ in question["before"]]):]
        gap = len(question["missing"])
        pattern = np.mean([*before, behind], axis=0)
        before, behind = [image - pattern for image in before], behind - pattern
        answers.write(b"frames %d\n" % gap)
        for place in range(1, gap + 1):
            made = predicted(before, behind, place, gap) + pattern
            if kind.kind == "u":
                made = made.round().clip(0, np.iinfo(kind).max)
            answers.write(made.astype(kind).tobytes())
        answers.flush()


if __name__ == "__main__":
    main()
