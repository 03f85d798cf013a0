"""Takes the order to stop as a detector's control system does, and logs it.

take_order.py PORT_FILE LOG http STATUS …     answers each request with the next status, then ends; 0 answers nothing
take_order.py PORT_FILE LOG pull              takes one message of ZeroMQ

LOG gets a line of JSON for each order: method, path, type and body, or the message.
"""

import http.server
import json
import os
import sys

port_file, log, kind = sys.argv[1:4]
statuses = [int(status) for status in sys.argv[4:]]


def listening(port):
    with open(port_file + ".new", "w") as file:
        file.write(str(port))
    os.rename(port_file + ".new", port_file)


def note(**order):
    with open(log, "a") as lines:
        lines.write(json.dumps(order) + "\n")


class Control(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        note(method=self.command, path=self.path, type=self.headers.get("Content-Type"), body=body)
        status = statuses.pop(0)
        if not status:
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT

    def log_message(self, *words):
        pass


if kind == "http":
    server = http.server.HTTPServer(("127.0.0.1", 0), Control)
    server.timeout = 100
    listening(server.server_port)
    while statuses:
        server.handle_request()
else:
    import zmq

    socket = zmq.Context().socket(zmq.PULL)
    listening(socket.bind_to_random_port("tcp://127.0.0.1"))
    if not socket.poll(100_000):
        sys.exit("nothing came")
    note(body=socket.recv().decode())
