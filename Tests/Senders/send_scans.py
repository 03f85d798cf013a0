"""Sends scan after scan as array-1.0 from one pyzmq socket, without a pause and without saying anything beforehand.

send_scans.py PORT_FILE SCAN…

A SCAN is NAME:RAW:ROWS:COLUMNS:DARKS:FLATS:PROJECTIONS[:WHAT…]. RAW holds all images one after the other: darks, flats,
projections, unsigned 16-bit little-endian. WHAT is any of "counts" (the first frame says how many come),
"measured" (frames say energy and pixel size), "endless" (no
message of the end), "drop=N" (frame N is not sent), "from=N" (no frame before N is sent), "stop=N" (nothing from frame
N on, nor the end), "wait=N@FILE" (frame N waits until FILE is there).
"""

import json
import os
import sys
import time

import zmq

port_file = sys.argv[1]
context = zmq.Context()
socket = context.socket(zmq.PUSH)
socket.setsockopt(zmq.LINGER, 60_000)
socket.sndhwm = 8
port = socket.bind_to_random_port("tcp://127.0.0.1")
with open(port_file + ".new", "w") as file:
    file.write(str(port))
os.rename(port_file + ".new", port_file)

for scan in sys.argv[2:]:
    name, raw, *rest = scan.split(":")
    rows, columns, darks, flats, projections = map(int, rest[:5])
    options = dict((word.split("=") + [""])[:2] for word in rest[5:])
    total, size = darks + flats + projections, rows * columns * 2
    waits, path = (options.get("wait", "") + "@").split("@")[:2]
    with open(raw, "rb") as images:
        for number in range(int(options.get("stop", total))):
            image = images.read(size)
            deadline = time.monotonic() + 60
            while waits == str(number) and not os.path.exists(path) and time.monotonic() < deadline:
                time.sleep(0.01)
            key = 2 if number < darks else 1 if number < darks + flats else 0
            header = {
                "htype": ["array-1.0"], "shape": [rows, columns], "type": "uint16", "frame": number, "image_key": key,
                "sample": name,
            }
            if "counts" in options:
                header |= {"projections": projections, "flats": flats, "darks": darks}
            if "measured" in options:
                header |= {"energy": 20.5, "pixel_size": 0.002}
            if key == 0:
                header["theta"] = (number - darks - flats) * 180.0 / projections
            if options.get("drop") == str(number) or number < int(options.get("from", 0)):
                continue
            socket.send_json(header, zmq.SNDMORE)
            socket.send(image)
    if "endless" not in options and "stop" not in options:
        socket.send_json({"htype": "array_end-1.0", "frames": total})

# Where Python only ends, what still waits to be sent goes with it, whatever LINGER says.
socket.close()
context.term()
