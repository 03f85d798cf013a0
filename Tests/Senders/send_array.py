"""Sends a scan as array-1.0 with pyzmq: what a beamline's own script would do.

send_array.py PORT_FILE RAW ROWS COLUMNS DARKS FLATS PROJECTIONS [DTYPE] [silent]

RAW holds all images one after the other: darks, flats, projections, unsigned 16-bit little-endian. With DTYPE ">u2"
they are sent big-endian. With "silent" no frame says its angle.
"""

import json
import os
import sys

import zmq

port_file, raw = sys.argv[1:3]
rows, columns, darks, flats, projections = map(int, sys.argv[3:8])
dtype = sys.argv[8] if len(sys.argv) > 8 else "uint16"

context = zmq.Context()
socket = context.socket(zmq.PUSH)
socket.setsockopt(zmq.LINGER, 60_000)
socket.sndhwm = 8
port = socket.bind_to_random_port("tcp://127.0.0.1")
with open(port_file + ".new", "w") as file:
    file.write(str(port))
os.rename(port_file + ".new", port_file)

size = rows * columns * 2
with open(raw, "rb") as images:
    for number in range(darks + flats + projections):
        key = 2 if number < darks else 1 if number < darks + flats else 0
        header = {"htype": ["array-1.0"], "shape": [rows, columns], "type": dtype, "frame": number, "image_key": key}
        if key == 0 and sys.argv[9:] != ["silent"]:
            header["theta"] = (number - darks - flats) * 180.0 / projections
        image = bytearray(images.read(size))
        if dtype.startswith(">"):
            image[0::2], image[1::2] = image[1::2], image[0::2]
        socket.send_json(header, zmq.SNDMORE)
        socket.send(image)
socket.send_json({"htype": "array_end-1.0", "frames": darks + flats + projections})

# Where Python only ends, what still waits to be sent goes with it, whatever LINGER says.
socket.close()
context.term()
