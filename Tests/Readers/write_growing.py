"""write_growing.py SCAN.h5 OUT.nxs [FRAMES]: writes a DXchange file as NXtomo, frame by frame, for SWMR.

Every frame has its key and its angle before it has its pixels, a few behind each other. With FRAMES the process dies
when so many are on disk, without closing the file.
"""
import os
import sys
import time

import h5py
import numpy as np

with h5py.File(sys.argv[1]) as f:
    shown, flats, darks = (f["exchange/" + k][()] for k in ("data", "data_white", "data_dark"))
    degrees = f["exchange/theta"][()]
frames = np.concatenate([darks, flats, shown])
keys = np.repeat([2, 1, 0], [len(darks), len(flats), len(shown)]).astype("u1")
angles = np.concatenate([np.zeros(len(darks) + len(flats)), degrees])
last = int(sys.argv[3]) if len(sys.argv) > 3 else len(frames)

time.sleep(0.3)
with h5py.File(sys.argv[2], "w", libver=("v110", "v110")) as f:
    entry = f.create_group("entry")
    entry["definition"] = "NXtomo"
    sets = [("instrument/detector/data", frames), ("instrument/detector/image_key", keys)]
    sets.append(("sample/rotation_angle", angles))
    datasets = []
    for name, values in sets:
        shape = values.shape[1:]
        datasets.append(entry.create_dataset(
            name, (0, *shape), values.dtype, maxshape=(None, *shape), chunks=(1, *shape) if shape else (16,)))
    entry["sample/rotation_angle"].attrs["units"] = "deg"
    f.swmr_mode = True
    for index in range(last):
        for dataset, values in zip(datasets[::-1], [angles, keys, frames]):
            dataset.resize(index + 1, 0)
            dataset[index] = values[index]
            dataset.flush()
        time.sleep(0.02)
    if last < len(frames):
        os._exit(0)
