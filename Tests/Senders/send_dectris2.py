"""Sends projections as DECTRIS stream version 2 with pyzmq, cbor2 and lz4.

send_dectris2.py PORT_FILE RAW ROWS COLUMNS PROJECTIONS ENCODING SCRIPT

RAW holds the projections one after the other, unsigned 16-bit little-endian. ENCODING is "none", "big", "lz4" or
"bslz4"; with "two-channels" a second channel comes first. SCRIPT says what is sent, as in "start7 7:0-60 end7": images
of other series than 7 show the scan backwards.
"""

import os
import struct
import sys

import cbor2
import lz4.block
import zmq

from bit_planes import shuffle

port_file, raw = sys.argv[1:3]
rows, columns, projections = map(int, sys.argv[3:6])
encoding, script = sys.argv[6:8]

# Series whose images are the scan's.
SCANNED = 7


def compressed(algorithm, element_size, data):
    return cbor2.CBORTag(56500, [algorithm, element_size, data])


def pack_lz4(image, block_size=200):
    """The framing of HDF5's filter: a block that does not get smaller lies there as it is."""
    out = struct.pack(">QI", len(image), block_size)
    for start in range(0, len(image), block_size):
        block = image[start:start + block_size]
        packed = lz4.block.compress(block, store_size=False)
        packed = packed if len(packed) < len(block) else block
        out += struct.pack(">I", len(packed)) + packed
    return out


def pack_bslz4(image, block_size=256):
    whole = len(image) // 16 * 16
    out = struct.pack(">QI", len(image), block_size)
    for start in range(0, whole, block_size):
        packed = lz4.block.compress(shuffle(image[start:min(start + block_size, whole)]), store_size=False)
        out += struct.pack(">I", len(packed)) + packed
    return out + image[whole:]


def plane(image):
    if encoding == "lz4":
        elements = cbor2.CBORTag(69, compressed("lz4", 0, pack_lz4(image)))
    elif encoding == "bslz4":
        elements = cbor2.CBORTag(69, compressed("bslz4", 2, pack_bslz4(image)))
    elif encoding == "big":
        swapped = bytearray(image)
        swapped[0::2], swapped[1::2] = image[1::2], image[0::2]
        elements = cbor2.CBORTag(65, bytes(swapped))
    else:
        elements = cbor2.CBORTag(69, image)
    return cbor2.CBORTag(40, [[rows, columns], elements])


context = zmq.Context()
socket = context.socket(zmq.PUSH)
socket.setsockopt(zmq.LINGER, 60_000)
port = socket.bind_to_random_port("tcp://127.0.0.1")
with open(port_file + ".new", "w") as file:
    file.write(str(port))
os.rename(port_file + ".new", port_file)

with open(raw, "rb") as file:
    images = [file.read(rows * columns * 2) for _ in range(projections)]
channels = ["threshold_2", "threshold_1"] if encoding == "two-channels" else ["threshold_1"]


def send(**fields):
    socket.send(cbor2.dumps(cbor2.CBORTag(55799, fields)))


def send_start(series):
    mask = cbor2.CBORTag(40, [[rows, columns], cbor2.CBORTag(70, bytes(4 * rows * columns))])
    send(
        type="start", arm_date=cbor2.CBORTag(0, "2026-11-30T10:00:00Z"), beam_center_x=1.5, channels=channels,
        count_time=0.001, goniometer={"chi": None, "omega": {"increment": 180.0 / projections, "start": 0.0}},
        image_dtype="uint16", image_size_x=columns, image_size_y=rows, number_of_images=projections, series_id=series,
        series_unique_id="01HB", pixel_mask={"threshold_1": mask}, user_data={"sample": f"s{series}", "n": [1]},
    )


def send_image(series, number):
    image = images[number % projections if series == SCANNED else -1 - number % projections]
    data = {name: plane(image if name == "threshold_1" else bytes(len(image))) for name in channels}
    send(
        type="image", series_id=series, series_unique_id="01HB", image_id=number, real_time=[1, 50_000_000],
        series_date=cbor2.CBORTag(0, "2026-11-30T10:00:01Z"), start_time=[number, 50_000_000], user_data={"n": [1, -2]},
        data=data,
    )


for step in script.split():
    if step.startswith("start"):
        send_start(int(step[5:]))
    elif step.startswith("end"):
        send(type="end", series_id=int(step[3:]), series_unique_id="01HB")
    else:
        series, numbers = step.split(":")
        first, end = map(int, numbers.split("-"))
        for number in range(first, end):
            send_image(int(series), number)

# Where Python only ends, what still waits to be sent goes with it, whatever LINGER says.
socket.close()
context.term()
