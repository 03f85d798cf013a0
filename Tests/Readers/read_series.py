"""What h5py and zarr find in a series: read_series.py FOLDER NAME, as JSON."""

import json
import sys

import h5py
import numpy
import zarr

folder, name = sys.argv[1:]
with h5py.File(f"{folder}/{name}_rec_series.h5") as file:
    data = file["exchange/data"]
    group = file[file.attrs["default"]][file["entry"].attrs["default"]]
    found = {
        "shape": list(data.shape),
        "axes": list(group.attrs["axes"]),
        "times": group["t"][()].tolist(),
        "title": file["entry/title"][()].decode(),
    }
    volume = data[()]
    parts = []
    for time in range(data.shape[0]):
        with h5py.File(f"{folder}/volume_{time:05d}/{name}_rec.h5") as part:
            parts.append(bool(numpy.array_equal(part["exchange/data"][()], volume[time])))
    found["parts"] = parts
root = zarr.open_group(f"{folder}/{name}_rec_series.zarr", mode="r")
attributes = root.attrs.asdict()
multiscales = attributes.get("ome", attributes)["multiscales"][0]
found["zarrAxes"] = [axis["name"] for axis in multiscales["axes"]]
found["scale"] = multiscales["datasets"][0]["coordinateTransformations"][0]["scale"]
found["zarr"] = bool(numpy.array_equal(root["0"][()], volume))
print(json.dumps(found))
