#!/usr/bin/env python3
"""An example of a program that looks at the volume while it is made: how much of a sample is pores, and how many.

    slipring recon scan.h5 --output-folder out --stage name=pores,program=Python/examples/porosity.py

Two classes by Otsu's threshold (IEEE Trans. Syst. Man Cybern. 9, 1979) within the largest cylinder that the detector
sees, pores as voxels that touch by their faces. The figures are on the run's page; of the finished volume they are in
analysis.json in the run's folder, with the sizes of all pores. The package has to be installed, or
PYTHONPATH=Python/src.
"""

import json

import numpy as np

import slipring


def otsu(values: np.ndarray) -> float:
    """The threshold that parts values into the two classes that differ most."""
    counts, edges = np.histogram(values, 1024)
    middles = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = sums / below - (sums[-1] - sums) / above
        return float(middles[np.nanargmax(below * above * difference**2)])


def components(mask: np.ndarray) -> np.ndarray:
    """The sizes of what is connected by faces (union by the least number, with halved paths)."""
    number = np.full(mask.shape, -1)
    number[mask] = np.arange(np.count_nonzero(mask))
    pairs = []
    for axis in range(mask.ndim):
        one, other = np.moveaxis(number, axis, 0)[:-1].ravel(), np.moveaxis(number, axis, 0)[1:].ravel()
        both = (one >= 0) & (other >= 0)
        pairs.append(np.stack([one[both], other[both]]))
    one, other = np.concatenate(pairs, 1)
    root = np.arange(np.count_nonzero(mask))
    while one.size:
        first, second = root[one], root[other]
        low, high = np.minimum(first, second), np.maximum(first, second)
        apart = low != high
        one, other = one[apart], other[apart]
        np.minimum.at(root, high[apart], low[apart])
        while not np.array_equal(root, root[root]):
            root = root[root]
    return np.unique(root, return_counts=True)[1]


stage = slipring.Stage()
for volume in stage.volumes():
    size = volume.shape[1]
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    inside = np.broadcast_to(np.hypot(x, y) < 0.9 * size / 2, volume.shape)
    threshold = otsu(volume[inside])
    pores = inside & (volume < threshold)
    sizes = components(pores)
    figures = {
        "porosity": float(pores.sum() / inside.sum()), "pores": float(sizes.size), "threshold": threshold,
        "largest_pore": float(sizes.max(initial=0)), "skipped": float(stage.skipped),
    }
    stage.report(**figures)
    if stage.is_last:
        path = stage.run.folder / "analysis.json"
        path.with_suffix(".tmp").write_text(json.dumps({**figures, "sizes": sorted(map(int, sizes), reverse=True)}))
        path.with_suffix(".tmp").replace(path)
