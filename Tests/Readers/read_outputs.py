#!/usr/bin/env python3
"""read_outputs.py FOLDER NAME: reads what `recon --format all` wrote there, with programs of others, and compares.

Prints one JSON object with what the files say of themselves; ends with an error where two of them differ.
"""
import hashlib
import json
import pathlib
import sys

import h5py
import numpy
import tifffile
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from silx.io import nxdata

folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]


def block_means(volume):
  """The means of blocks of 2 × 2 × 2, or of as many voxels as there are at an edge."""
  sums, counts = volume.astype(float), numpy.ones(volume.shape)
  for axis in range(3):
    if axis == 0 and volume.shape[0] == 1:
      continue
    edges = numpy.arange(0, volume.shape[axis], 2)
    sums, counts = numpy.add.reduceat(sums, edges, axis), numpy.add.reduceat(counts, edges, axis)
  return sums / counts


with h5py.File(folder / f"{name}_rec.h5") as file:
  data = nxdata.get_default(file)
  assert data.is_valid and data.signal.name in ("/entry/data/data", "/exchange/data"), data.issues
  volume = file["/exchange/data"][()]
  assert numpy.array_equal(data.signal[()], volume)
  found = {
    "signal": file["/entry/data/data"] == file["/exchange/data"],
    "axes": data.axes_dataset_names, "units": [axis.attrs["units"] for axis in data.axes],
    "z": data.axes[0][()].tolist(), "x": data.axes[2][()].tolist(), "interpretation": data.interpretation,
    "rotation_axis": file["/exchange/data"].attrs["rotation_axis"],
    "definition": file["/entry/definition"].asstr()[()], "title": file["/entry/title"].asstr()[()],
    "parameters": sorted(file["/entry/reconstruction/parameters"]),
    "thetas": len(file["/entry/reconstruction/parameters/rotation_angle"]),
    "compression": file["/exchange/data"].compression,
    "sha256": hashlib.sha256(volume.tobytes()).hexdigest(),
  }

slices = sorted(folder.glob("recon_*.tiff"))
with tifffile.TiffFile(slices[0]) as file:
  page = file.pages[0]
  found |= {
    "software": page.software, "bits": page.bitspersample, "description": page.description,
    "resolution": page.resolution, "resolutionunit": int(page.resolutionunit) if "ResolutionUnit" in page.tags else 1,
    "imagej": {key: value for key, value in (file.imagej_metadata or {}).items() if key in ("unit", "spacing")},
  }
if found["bits"] == 32:
  assert numpy.array_equal(tifffile.imread(slices), volume)

for path in sorted(folder.glob("*.zarr")):
  group = zarr.open_group(path, mode="r")
  attributes = dict(group.attrs).get("ome", dict(group.attrs))
  scales = attributes["multiscales"][0]
  levels = [group[dataset["path"]] for dataset in scales["datasets"]]
  assert numpy.array_equal(levels[0][:], volume)
  for finer, coarser in zip(levels, levels[1:]):
    numpy.testing.assert_allclose(coarser[:], block_means(finer[:]), rtol=1e-5, atol=1e-7)
  node = list(Reader(parse_url(path, mode="r"))())[0]
  assert [level.shape for level in node.data] == [level.shape for level in levels]
  assert numpy.array_equal(numpy.asarray(node.data[0]), volume)
  found["zarr"] = {
    "format": group.metadata.zarr_format, "shapes": [level.shape for level in levels], "axes": scales["axes"],
    "transformations": scales["datasets"][-1]["coordinateTransformations"], "run": group.attrs["slipring"],
  }
print(json.dumps(found, default=str))
