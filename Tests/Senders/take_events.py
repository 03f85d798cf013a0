"""Takes records by HTTP as a service of Diaspora does, and keeps them.

take_events.py PORT_FILE LOG [--statuses 503,0,long …] [--token TOKEN] [--certificate FILE]

LOG gets a line of JSON for each request: path, authorization and the body. `--statuses` are the answers to the first
requests: a status; 0 for none, the connection is closed; `long` for an answer without end; `noise` for no HTTP; `slow`
for one byte a second; `code` for 200 with an error code in its JSON. All later ones are answered with 200. With
`--token` another authorization is answered with 401; with `--certificate`, a file with key and certificate, by TLS.
"""

import argparse
import http.server
import json
import os
import ssl
import time

parser = argparse.ArgumentParser()
parser.add_argument("port_file")
parser.add_argument("log")
parser.add_argument("--statuses", default="")
parser.add_argument("--token")
parser.add_argument("--certificate")
arguments = parser.parse_args()
statuses = [word for word in arguments.statuses.split(",") if word]


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        authorization = self.headers.get("Authorization")
        with open(arguments.log, "a") as lines:
            lines.write(json.dumps({"path": self.path, "authorization": authorization, "body": body.decode()}) + "\n")
        status = statuses.pop(0) if statuses else "200"
        if arguments.token and authorization != f"Bearer {arguments.token}":
            status = "401"
        self.answer(status)

    def answer(self, status):
        if status == "0":
            self.close_connection = True
        elif status == "noise":
            self.wfile.write(os.urandom(1000))
            self.close_connection = True
        elif status == "long":
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 30))
            self.end_headers()
            self.wfile.write(b"x" * (1 << 20))
            self.close_connection = True
        elif status == "slow":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            for _ in range(8):
                self.wfile.write(b" ")
                time.sleep(1)
            self.close_connection = True
        else:
            text = b'{"error_code": 40301}' if status == "code" else b'{"error_code": 200, "offset": 1}'
            self.send_response(200 if status == "code" else int(status))
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, *words):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            # The other side went away in the middle, as it may.
            pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
server.daemon_threads = True
if arguments.certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(arguments.port_file + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(arguments.port_file + ".new", arguments.port_file)
server.timeout = 100
server.serve_forever()
