"""Holds the images of a scan in a process variable, one after the other, with pvaPy: what an EPICS detector does.

send_pva.py READY_FILE NAME RAW ROWS COLUMNS DARKS FLATS PROJECTIONS [options]

RAW holds all images one after the other: darks, flats, projections, unsigned 16-bit little-endian. READY_FILE appears
when the variable is there; then READY_FILE.go is waited for, the images are sent, READY_FILE.sent appears, and
READY_FILE.end is waited for.
"""

import argparse
import os
import random
import struct
import sys
import time

import lz4.block
import numpy
import pvaccess

from bit_planes import shuffle

parser = argparse.ArgumentParser()
parser.add_argument("ready")
parser.add_argument("name")
parser.add_argument("raw")
for count in ("rows", "columns", "darks", "flats", "projections"):
    parser.add_argument(count, type=int)
parser.add_argument("--codec", default="", choices=["", "lz4", "bslz4"])
parser.add_argument("--attributes", action="store_true", help="say theta and image_key")
parser.add_argument("--counts", default="", help="say how many images come, of a sample of this name")
parser.add_argument("--skip", default="", help="numbers that are not sent")
parser.add_argument("--twice", default="", help="numbers that are sent twice")
parser.add_argument("--first", type=int, default=0, help="begin with this number")
parser.add_argument("--offset", type=int, default=0, help="what the detector's counter has for the first image")
parser.add_argument("--until", type=int, default=1 << 31, help="end before this number")
parser.add_argument("--rate", type=float, default=200)
parser.add_argument("--damaged", type=int, default=0, help="send so many damaged updates among the others")
parser.add_argument(
    "--acquire",
    choices=["number", "choice"],
    help="have a variable NAME:Acquire, which stops the images when it is set to 0",
)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
skipped = {int(number) for number in options.skip.split(",") if number}
doubled = {int(number) for number in options.twice.split(",") if number}
draw = random.Random(options.seed)

MEMBERS = {
    "u1": "ubyteValue", "i1": "byteValue", "u2": "ushortValue", "i2": "shortValue", "u4": "uintValue",
    "f4": "floatValue", "f8": "doubleValue",
}


def wait(path, seconds):
    for _ in range(int(seconds * 100)):
        if os.path.exists(path):
            return
        time.sleep(0.01)
    sys.exit(f"waited {seconds} s for {path}")


def announce(path):
    with open(path + ".new", "w") as file:
        file.write("here")
    os.rename(path + ".new", path)


def pack(image):
    if options.codec == "lz4":
        return lz4.block.compress(image, store_size=False)
    out, whole = b"", len(image) // 16 * 16
    for start in range(0, whole, 8192):
        packed = lz4.block.compress(shuffle(image[start:min(start + 8192, whole)]), store_size=False)
        out += struct.pack(">I", len(packed)) + packed
    return out + image[whole:]


def update(number, image, dtype="u2"):
    """An NTNDArray of the scan's shape, whose dimension[0] is x."""
    array = pvaccess.NtNdArray()
    array["uniqueId"] = number + options.offset
    array["dimension"] = [pvaccess.PvDimension(size, 0, size, 1, False) for size in (options.columns, options.rows)]
    stamp = pvaccess.PvTimeStamp(1.7e9 + number)
    array["timeStamp"] = stamp
    array["dataTimeStamp"] = stamp
    array["uncompressedSize"] = len(image)
    if options.codec:
        image, dtype = pack(image), "u1"
        array["codec"] = pvaccess.PvCodec(options.codec, pvaccess.PvInt(int(pvaccess.USHORT)))
    array["compressedSize"] = len(image)
    array["value"] = {MEMBERS[dtype]: numpy.frombuffer(image, dtype)}
    attributes = [pvaccess.NtAttribute("ColorMode", pvaccess.PvInt(0))]
    if options.attributes:
        projection = number - options.darks - options.flats
        key = 2 if number < options.darks else 1 if projection < 0 else 0
        attributes.append(pvaccess.NtAttribute("image_key", pvaccess.PvInt(key)))
        if key == 0:
            attributes.append(
                pvaccess.NtAttribute("theta", pvaccess.PvDouble(projection * 180.0 / options.projections))
            )
    if options.counts:
        attributes += [
            pvaccess.NtAttribute(name, pvaccess.PvInt(getattr(options, name)))
            for name in ("darks", "flats", "projections")
        ] + [pvaccess.NtAttribute("sample", pvaccess.PvString(options.counts))]
    array["attribute"] = attributes
    return array


def damaged(image):
    """An update that is wrong in one way or several; its number belongs to no frame of the scan."""
    array = update(2_000_000_000, image)
    for _ in range(draw.randint(1, 3)):
        kind = draw.randrange(7)
        if kind == 0:
            array["uniqueId"] = draw.choice([-1, -(1 << 31), (1 << 31) - 1])
        elif kind == 1:
            sizes = [
                draw.choice([-1, 0, 1, options.columns, options.rows, 1 << 20, (1 << 31) - 1])
                for _ in range(draw.randint(0, 5))
            ]
            array["dimension"] = [pvaccess.PvDimension(size, 0, size, 1, False) for size in sizes]
        elif kind == 2:
            dtype = draw.choice(list(MEMBERS))
            array["value"] = {
                MEMBERS[dtype]: numpy.zeros(draw.choice([0, 1, len(image) // 2, len(image), 100_000]), dtype)
            }
        elif kind == 3:
            name = draw.choice(["lz4", "bslz4", "jpeg", "blosc", "x" * 300, "lz4\n"])
            array["codec"] = pvaccess.PvCodec(name, pvaccess.PvInt(draw.randint(-1, 12)))
        elif kind == 4:
            value = draw.choice(
                [pvaccess.PvString("east"), pvaccess.PvDouble(float("nan")), pvaccess.PvInt(7), pvaccess.PvDouble(0.5)]
            )
            array["attribute"] = [
                pvaccess.NtAttribute(draw.choice(["theta", "image_key", ""]), value)
                for _ in range(draw.choice([0, 1, 2, 30, 30, 1100]))
            ]
        elif kind == 5:
            array["value"] = {"ubyteValue": numpy.frombuffer(draw.randbytes(draw.randint(1, 500)), "u1")}
        else:
            array["dataTimeStamp"] = pvaccess.PvTimeStamp(
                draw.choice([-1, 0, 1 << 62]), draw.choice([-1, 2_000_000_000]), 0
            )
    return array


size = options.rows * options.columns * 2
with open(options.raw, "rb") as file:
    images = [file.read(size) for _ in range(options.darks + options.flats + options.projections)]

server = pvaccess.PvaServer()
# An image of the past, of the right shape: nobody may take it.
server.addRecord(options.name, update(max(3, options.first - 1), bytes([255]) * size), None)
stopped = []
if options.acquire:

    def written(variable):
        value = variable["value"]
        if (value["index"] if isinstance(value, dict) else value) == 0:
            stopped.append(True)

    acquire = (
        pvaccess.NtEnum(["Done", "Acquire"], 1)
        if options.acquire == "choice"
        else pvaccess.PvObject({"value": pvaccess.INT}, {"value": 1})
    )
    server.addRecord(options.name + ":Acquire", acquire, written)
server.start()
announce(options.ready)
wait(options.ready + ".go", 60)

numbers = [number for number in range(options.first, min(len(images), options.until)) if number not in skipped]
period, due = 1 / options.rate, time.monotonic()
for index, number in enumerate(numbers):
    if stopped:
        announce(options.ready + ".stopped")
        break
    for _ in range(2 if number in doubled else 1):
        server.update(options.name, update(number, images[number]))
    for _ in range(options.damaged * index // len(numbers), options.damaged * (index + 1) // len(numbers)):
        server.update(options.name, damaged(images[number]))
    due += period
    time.sleep(max(0, due - time.monotonic()))
announce(options.ready + ".sent")
wait(options.ready + ".end", 120)
server.stop()
