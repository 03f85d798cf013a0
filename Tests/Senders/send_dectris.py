"""Sends projections as DECTRIS stream version 1 with pyzmq and lz4.

send_dectris.py PORT_FILE RAW ROWS COLUMNS PROJECTIONS ENCODING [PAUSE]

RAW holds the projections one after the other, unsigned 16-bit little-endian. ENCODING is "<", "lz4<" or "bs16-lz4<".
PAUSE seconds lie between the last image and the message of the end, which somebody has to take.
"""

import json
import os
import struct
import sys
import time

import lz4.block
import zmq

from bit_planes import shuffle

port_file, raw = sys.argv[1:3]
rows, columns, projections = map(int, sys.argv[3:6])
encoding = sys.argv[6]


def pack(image):
    if encoding == "lz4<":
        return lz4.block.compress(image, store_size=False)
    if encoding == "bs16-lz4<":
        block_size, whole = 256, len(image) // 16 * 16
        out = struct.pack(">QI", len(image), block_size)
        for start in range(0, whole, block_size):
            packed = lz4.block.compress(shuffle(image[start:min(start + block_size, whole)]), store_size=False)
            out += struct.pack(">I", len(packed)) + packed
        return out + image[whole:]
    return image


context = zmq.Context()
socket = context.socket(zmq.PUSH)
socket.setsockopt(zmq.LINGER, 60_000)
port = socket.bind_to_random_port("tcp://127.0.0.1")
with open(port_file + ".new", "w") as file:
    file.write(str(port))
os.rename(port_file + ".new", port_file)


def part(**fields):
    return json.dumps(fields).encode()


socket.send_multipart(
    [part(htype="dheader-1.0", series=4, header_detail="basic"), part(nimages=projections, ntrigger=1)]
)
with open(raw, "rb") as images:
    for number in range(projections):
        image = images.read(rows * columns * 2)
        data = pack(image)
        socket.send_multipart([
            part(htype="dimage-1.0", series=4, frame=number, hash="0" * 32),
            part(htype="dimage_d-1.0", shape=[columns, rows], type="uint16", encoding=encoding, size=len(data)),
            data,
            part(htype="dconfig-1.0", start_time=number, stop_time=number + 1, real_time=1),
        ])
time.sleep(float(sys.argv[7]) if len(sys.argv) > 7 else 0)
socket.send_multipart([part(htype="dseries_end-1.0", series=4)])

# Where Python only ends, what still waits to be sent goes with it, whatever LINGER says.
socket.close()
context.term()
