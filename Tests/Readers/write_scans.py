"""Writes one scan in the layouts that beamlines have, with the libraries that write them there.

write_scans.py SCAN.h5 FOLDER: reads a DXchange file, writes

  tomo_standard.nxs   as httomo's and Savu's: keys in the detector's group, angles beside the data, frames behind a link
  k11.nxs             as DIAD's: frames in a virtual dataset of two files, keys and angles in groups of their own
  two.nxs             two scans, the second one the default; by nxtomo, with a detector that is mirrored both ways
  flats.h5, darks.h5  fields as datasets of other files
  tomcat.h5           as TOMCAT's: flats before and behind the scan
  fxi.h5              as FXI's: no groups, fields as their mean
  bliss.h5            as Bliss writes it: a scan each for darks, flats and projections
  aborted.nxs         the same as tomo_standard.nxs with two thirds of its frames
  short.nxs           a virtual dataset whose second source has half of its frames
  proj_*.tif, flat.tif, dark_*.tif    by tifffile: single images of unpadded numbers, and a stack
  float64/, int16/    the same projections in other types
"""
import os
import sys

import h5py
import numpy as np
import tifffile
from nxtomo.application.nxtomo import NXtomo
from nxtomo.utils.transformation import DetXFlipTransformation, DetYFlipTransformation
from pint import get_application_registry

scan, folder = sys.argv[1:]
os.chdir(folder)
with h5py.File(scan) as f:
    shown, flats, darks = (f["exchange/" + k][()] for k in ("data", "data_white", "data_dark"))
    degrees = f["exchange/theta"][()]
frames = np.concatenate([darks, flats, shown])
keys = np.repeat([2, 1, 0], [len(darks), len(flats), len(shown)]).astype("u1")
angles = np.concatenate([np.zeros(len(darks) + len(flats)), degrees])


def standard(name, frames, data):
    with h5py.File(data, "w") as f:
        f.create_dataset("entry/instrument/detector/data", data=frames, chunks=(1, *frames.shape[1:]))
    with h5py.File(name, "w") as f:
        entry = f.create_group("entry1/tomo_entry")
        entry["definition"] = "NXtomo"
        entry["instrument/detector/data"] = h5py.ExternalLink(data, "/entry/instrument/detector/data")
        entry["data/data"] = h5py.SoftLink("/entry1/tomo_entry/instrument/detector/data")
        entry["instrument/detector/image_key"] = keys
        entry["data/rotation_angle"] = angles
        entry["data/rotation_angle"].attrs["units"] = "deg"


def diad(name, parts, lengths):
    # The sources are written after the file that is made of them, and may have fewer frames than it wants.
    layout = h5py.VirtualLayout(frames.shape, frames.dtype)
    starts = np.cumsum([0, *lengths])
    for part, start, end in zip(parts, starts, starts[1:]):
        layout[start:end] = h5py.VirtualSource(part, "frames", (end - start, *frames.shape[1:]))
    with h5py.File(name, "w", libver=("earliest", "v110")) as f:
        f.create_virtual_dataset("entry/imaging/data", layout)
        f["entry/instrument/imaging/image_key"] = keys.astype("i4")
        f["entry/imaging_sum/gts_theta_value"] = angles


standard("tomo_standard.nxs", frames, "frames.hdf")
standard("aborted.nxs", frames[: len(frames) * 2 // 3], "aborted.hdf")
half = len(frames) // 2
diad("k11.nxs", ["k11_0.h5", "k11_1.h5"], [half, len(frames) - half])
diad("short.nxs", ["k11_0.h5", "short_1.h5"], [half, len(frames) - half])
parts = {"k11_0.h5": frames[:half], "k11_1.h5": frames[half:], "short_1.h5": frames[half : half + half // 2]}
for name, part in parts.items():
    with h5py.File(name, "w") as f:
        f["frames"] = part

unit = get_application_registry()
for name, images in [("entry0000", frames[::-1]), ("entry0001", frames[:, ::-1, ::-1])]:
    tomo = NXtomo()
    tomo.title = name
    detector = tomo.instrument.detector
    detector.data, detector.image_key_control = images, keys
    detector.transformations.add_transformation(DetXFlipTransformation(flip=True))
    detector.transformations.add_transformation(DetYFlipTransformation(flip=True))
    tomo.sample.rotation_angle = angles * unit.degree
    tomo.save("two.nxs", data_path="/" + name, overwrite=False)
with h5py.File("two.nxs", "a") as f:
    f.attrs["default"] = "entry0001"

with h5py.File("flats.h5", "w") as f:
    f["1-TempPlugin-tomo/data"] = flats
with h5py.File("darks.h5", "w") as f:
    f["1-TempPlugin-tomo/data"] = darks
with h5py.File("alone.h5", "w") as f:
    f["exchange/data"], f["exchange/theta"] = shown, degrees

with h5py.File("tomcat.h5", "w") as f:
    f["exchange/data"], f["exchange/theta"], f["exchange/data_dark"] = shown, degrees, darks
    f["exchange/data_white_pre"], f["exchange/data_white_post"] = flats[:4], flats[4:]
with h5py.File("fxi.h5", "w") as f:
    f["img_tomo"], f["angle"], f["img_bkg"], f["img_dark"] = shown, degrees, flats, darks
with h5py.File("bliss.h5", "w") as f:
    for number, images in [("2.1", darks), ("3.1", flats), ("4.1", shown)]:
        f[f"{number}/instrument/pcolinux/data"] = images
        f[f"{number}/measurement/pcolinux"] = h5py.SoftLink(f"/{number}/instrument/pcolinux/data")
    f["4.1/measurement/hrsrot"] = degrees
    f["4.1/measurement/hrsrot"].attrs["units"] = "deg"

for kind in ("float64", "int16"):
    os.mkdir(kind)
for index, image in enumerate(shown):
    tifffile.imwrite(f"proj_{index}.tif", image)
    tifffile.imwrite(f"float64/{index}.tif", image.astype("f8"))
    tifffile.imwrite(f"int16/{index:04}.tiff", image.astype("i2"), byteorder=">")
tifffile.imwrite("stack.tif", shown, photometric="minisblack")
tifffile.imwrite("imagej.tif", shown, imagej=True)
tifffile.imwrite("flat.tif", flats, photometric="minisblack")
for index, image in enumerate(darks):
    tifffile.imwrite(f"dark_{index}.tif", image)
