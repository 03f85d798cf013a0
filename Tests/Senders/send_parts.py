"""Sends one scan as array-1.0 with pyzmq, and waits where it is told to.

send_parts.py PORT_FILE RAW ROWS COLUMNS DARKS FLATS PROJECTIONS [WHAT…]

RAW holds all images one after the other: darks, flats, projections, unsigned 16-bit little-endian. No frame says its
angle. WHAT is any of "drop=N" (frame N is not sent), "stop=N" (nothing from frame N on, but the end), "more=N" (N
frames follow behind the scan), "silent" (no message of the end), "wait=N:FILE" (frame N waits until FILE is there),
"pub" (it publishes, and waits for the first subscriber).
"""

import json
import os
import sys
import time

import zmq

port_file, raw = sys.argv[1:3]
rows, columns, darks, flats, projections = map(int, sys.argv[3:8])
options = dict((word.split("=") + [""])[:2] for word in sys.argv[8:])
waits = dict(reversed(word.split("=")[1].split(":")) for word in sys.argv[8:] if word.startswith("wait="))
waits = {int(number): path for path, number in waits.items()}

context = zmq.Context()
socket = context.socket(zmq.XPUB if "pub" in options else zmq.PUSH)
socket.setsockopt(zmq.LINGER, 60_000)
socket.sndhwm = 1000 if "pub" in options else 8
port = socket.bind_to_random_port("tcp://127.0.0.1")
with open(port_file + ".new", "w") as file:
    file.write(str(port))
os.rename(port_file + ".new", port_file)
if "pub" in options and not socket.poll(120_000):
    sys.exit("nobody subscribed")

size, total = rows * columns * 2, darks + flats + projections
with open(raw, "rb") as file:
    images = [file.read(size) for _ in range(total)]
end = int(options.get("stop", total + int(options.get("more", 0))))
for number in range(end):
    deadline = time.monotonic() + 60
    while number in waits and not os.path.exists(waits[number]) and time.monotonic() < deadline:
        time.sleep(0.01)
    if options.get("drop") == str(number):
        continue
    header = {"htype": "array-1.0", "shape": [rows, columns], "type": "uint16", "frame": number}
    socket.send_json(header, zmq.SNDMORE)
    socket.send(images[min(number, total - 1)])
if "silent" not in options:
    socket.send_json({"htype": "array_end-1.0", "frames": end})

# Where Python only ends, what still waits to be sent goes with it, whatever LINGER says.
socket.close()
context.term()
