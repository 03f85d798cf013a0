#!/usr/bin/env python3
"""read_napari.py VOLUME.zarr VOLUME.h5: opens the first with napari's plugin for OME-Zarr, compares it with the second.

Prints one JSON object with what the layer says.
"""
import contextlib
import json
import sys

import h5py
import numpy
from napari_ome_zarr import napari_get_reader

path, other = sys.argv[1:]
# The plugin prints what it looks at.
with contextlib.redirect_stdout(sys.stderr):
  layers = napari_get_reader(path)(path)
(levels, about, kind), = layers
with h5py.File(other) as file:
  assert numpy.array_equal(numpy.asarray(levels[0]), file["/exchange/data"][()])
print(json.dumps({
  "kind": kind, "shapes": [level.shape for level in levels], "axes": about["axis_labels"], "units": about["units"],
  "scale": [float(value) for value in about["scale"]],
}))
