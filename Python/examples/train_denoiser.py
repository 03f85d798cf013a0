"""Trains a small denoiser while a scan runs, on a view of its projections with reconstructed slices.

    slipring recon scan.h5 --output-folder out --rate 20 \\
        --view pairs,from=projections,with=updates,match=window,copy=volume:4 …
    python3 train_denoiser.py out pairs [reader]

A slice has the noise of the projections that it was made from; one that came later has noise of its own. So a filter is
good whose slices, projected along the angle of later projections, come nearest to these: no clean picture is needed. The
filter is a sum of fixed ones (as it is, blurred, medians), whose weights are learnt by least squares: all that has to be
kept is a matrix and a vector, and with the cursor they are kept in one step. Whenever this program is killed, the next
one goes on behind the last item that is in them, and uses none twice. At the end it writes out/denoiser.json.
"""

from __future__ import annotations

import io
import json
import pathlib
import sys

import numpy as np

import slipring


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    reach = int(3 * sigma + 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padded = np.pad(image, [(reach, reach) if axis == a else (0, 0) for a in (0, 1)], "edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis)
        image = windows @ kernel
    return image


def filters(image: np.ndarray) -> list[np.ndarray]:
    """The slice as the fixed filters make it."""
    neighbours = np.lib.stride_tricks.sliding_window_view(np.pad(image, 1, "edge"), (3, 3))
    return [image, blurred(image, 0.7), blurred(image, 1.4), np.median(neighbours, (2, 3))]


def project(image: np.ndarray, theta: float, axis: float) -> np.ndarray:
    """Line integrals of a slice in pixels, for each column of a detector whose rotation axis is at `axis`."""
    edge = image.shape[0]
    y, x = np.mgrid[:edge, :edge] - (edge - 1) / 2
    place = x * np.cos(theta) + y * np.sin(theta) + axis
    left = np.floor(place).astype(int)
    right = place - left
    sums = np.zeros(edge)
    for columns, weights in ((left, 1 - right), (left + 1, right)):
        inside = (columns >= 0) & (columns < edge)
        sums += np.bincount(columns[inside], (weights * image)[inside], edge)
    return sums


class Trainer:
    """Least squares over items, which are added one after the other."""

    COUNT = 4

    def __init__(self, state: bytes | None) -> None:
        if state is None:
            self.items, self.square, self.newest = 0, 0.0, -1
            self.matrix, self.vector = np.zeros((self.COUNT, self.COUNT)), np.zeros(self.COUNT)
            self.slice: np.ndarray | None = None
            return
        with np.load(io.BytesIO(state), allow_pickle=False) as kept:
            self.items, self.square, self.newest = int(kept["items"]), float(kept["square"]), int(kept["newest"])
            self.matrix, self.vector = kept["matrix"], kept["vector"]
            self.slice = kept["slice"] if kept["slice"].size else None

    def state(self) -> bytes:
        file = io.BytesIO()
        empty = np.zeros((0, 0), np.float32)
        np.savez(
            file, items=self.items, square=self.square, newest=self.newest, matrix=self.matrix, vector=self.vector,
            slice=empty if self.slice is None else self.slice)
        return file.getvalue()

    def learn(self, lines: list[tuple[float, np.ndarray]], following: np.ndarray, axis: float) -> None:
        """Compares the slice before with projections that are not in it: angles and line integrals."""
        if self.slice is not None:
            made = filters(self.slice.astype(np.float64))
            for theta, line in lines:
                rows = np.array([project(image, theta, axis) for image in made])
                self.matrix += rows @ rows.T
                self.vector += rows @ line
                self.square += float(line @ line)
        self.slice, self.items = following.copy(), self.items + 1

    def weights(self) -> np.ndarray:
        most = np.trace(self.matrix) / self.COUNT or 1.0
        return np.linalg.solve(self.matrix + 1e-6 * most * np.eye(self.COUNT), self.vector)

    def loss(self, weights: np.ndarray) -> float:
        """What is left of the projections, of 1."""
        left = self.square - 2 * weights @ self.vector + weights @ self.matrix @ weights
        return float(left / self.square) if self.square else 1.0


def main() -> None:
    run = slipring.open(sys.argv[1])
    name = sys.argv[3] if len(sys.argv) > 3 else "trainer"
    with run.view(sys.argv[2], name=name, wait=60) as view:
        trainer, flat = Trainer(view.state), None
        for item in view:
            if flat is None:
                dark = np.mean([image.pixels for image in run.darks], 0)
                flat, axis = np.mean([image.pixels for image in run.flats], 0) - dark, run.plan["rotationAxis"]
            lines = []
            for event in item.events(1):
                # Windows overlap; what was in the slice before is no test of it.
                if event.projection > trainer.newest:
                    trainer.newest = event.projection
                    counts = event.pixels[item.rows[0]] - dark[item.rows[0]]
                    lines.append((event.theta, -np.log(np.maximum(counts, 1) / flat[item.rows[0]])))
            trainer.learn(lines if trainer.slice is not None else [], item.voxels()[0], axis)
            item.done(trainer.state())
    weights = trainer.weights()
    alone = trainer.vector[0] / trainer.matrix[0, 0] * np.eye(Trainer.COUNT)[0]
    report = {
        "items": trainer.items, "weights": [float(weight) for weight in weights], "lossAsItIs": trainer.loss(alone),
        "lossDenoised": trainer.loss(weights)}
    pathlib.Path(sys.argv[1], "denoiser.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
