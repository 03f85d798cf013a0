"""Publishes frames at a rate and logs each: what a detector knows of what it sent.

send_log.py PORT_FILE LOG ROWS COLUMNS FRAMES RATE

LOG gets a line for each frame, before it is sent: its number and the time in nanoseconds since 1970. It waits for the
first subscriber.
"""

import json
import os
import sys
import time

import zmq

port_file, log = sys.argv[1:3]
rows, columns, frames = map(int, sys.argv[3:6])
rate = float(sys.argv[6])

context = zmq.Context()
socket = context.socket(zmq.XPUB)
socket.setsockopt(zmq.LINGER, 10_000)
port = socket.bind_to_random_port("tcp://127.0.0.1")
with open(port_file + ".new", "w") as file:
    file.write(str(port))
os.rename(port_file + ".new", port_file)
if not socket.poll(120_000):
    sys.exit("nobody subscribed")
image = bytes(2 * rows * columns)
start = time.monotonic()
with open(log, "w") as lines:
    for number in range(frames):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        lines.write(f"{number} {time.time_ns()}\n")
        header = {"htype": "array-1.0", "shape": [rows, columns], "type": "uint16", "frame": number}
        socket.send_json(header, zmq.SNDMORE)
        socket.send(image)
socket.send_json({"htype": "array_end-1.0", "frames": frames})

# Where Python only ends, what still waits to be sent goes with it, whatever LINGER says.
socket.close()
context.term()
