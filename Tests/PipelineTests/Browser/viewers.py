#!/usr/bin/env python3
"""Measures what viewers cost: runs a scan again and again, in turn without a page and with 50 who follow it as the page does (events, and three
pictures whenever the generation is new, no faster than the page's pace), and prints updates a second and the supervisor's processor time of each.

    viewers.py SLIPRING SCAN.h5 FOLDER [RUNS [VIEWERS [OPTION …]]]
"""

import json
import os
import re
import selectors
import socket
import subprocess
import sys
import time


class Viewer:
    """One page: a connection for events, one for pictures, and what it waits for."""

    def __init__(self, port, selector, number):
        self.host = f"127.0.0.1:{port}"
        self.port, self.selector, self.number = port, selector, number
        self.buffer, self.generation, self.queue, self.due = b"", None, [], 0.0
        self.pictures, self.events, self.left = 0, 0, None
        self.follow = self.open(self.read_events)
        self.fetch = self.open(self.read_picture)
        self.head = b""
        self.follow.sendall(f"GET /api/events HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())

    def open(self, handler):
        connection = socket.create_connection(("127.0.0.1", self.port))
        self.selector.register(connection, selectors.EVENT_READ, handler)
        return connection

    def read_events(self, connection):
        piece = connection.recv(1 << 16)
        if not piece:
            raise EOFError
        self.buffer += piece
        while b"\n\n" in self.buffer:
            event, self.buffer = self.buffer.split(b"\n\n", 1)
            if b"data: " not in event:
                continue
            self.events += 1
            # Every viewer looks at the same run, but one parses for all: fifty Pythons would measure Python.
            match = re.search(rb'"generations":\[([0-9,]*)\]', event)
            pace = re.search(rb'"pictures":(\d+)', event)
            if match and match.group(1) != self.generation and not self.queue and time.monotonic() >= self.due:
                self.generation = match.group(1)
                self.due = time.monotonic() + int(pace.group(1)) / 1000
                self.queue = [f"/slices/z/{self.number % 4}.png?edge=512", "/slices/y/8.png?edge=512", "/slices/x/8.png?edge=512"]
                self.ask()

    def ask(self):
        if self.queue:
            self.fetch.sendall(f"GET {self.queue[0]} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())

    def read_picture(self, connection):
        piece = connection.recv(1 << 18)
        if not piece:
            raise EOFError
        if self.left is None:
            self.head += piece
            if b"\r\n\r\n" not in self.head:
                return
            head, piece = self.head.split(b"\r\n\r\n", 1)
            self.head = b""
            self.left = int(re.search(rb"Content-Length: (\d+)", head).group(1))
        self.left -= len(piece)
        if self.left <= 0:
            self.left = None
            self.pictures += 1
            self.queue.pop(0)
            self.ask()


def run(slipring, scan, folder, viewers, options):
    output = os.path.join(folder, "run")
    subprocess.run(["rm", "-rf", output], check=True)
    page = ["--dashboard", "127.0.0.1:0"] if viewers else ["--no-dashboard"]
    process = subprocess.Popen(
        [slipring, "recon", scan, "--output-folder", output, "--json", *page, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watching, spent, followers = selectors.DefaultSelector(), 0.0, []
    if viewers:
        line = next(line for line in process.stderr if "dashboard: http" in line)
        port = int(re.search(r":(\d+)/", line).group(1))
        followers = [Viewer(port, watching, number) for number in range(viewers)]
    while process.poll() is None:
        spent = supervisor_seconds(process.pid) or spent
        try:
            for key, _ in watching.select(0.2) if followers else []:
                key.data(key.fileobj)
        except (EOFError, ConnectionError):
            followers_end(watching)
            break
        if not followers:
            time.sleep(0.2)
    for follower in followers:
        follower.follow.close()
        follower.fetch.close()
    result = json.loads(process.communicate()[0])
    return {
        "viewers": viewers, "updatesPerSecond": round(result["updates"] / result["seconds"], 3), "seconds": round(result["seconds"], 2),
        "supervisorSeconds": round(spent, 2), "events": sum(follower.events for follower in followers),
        "pictures": sum(follower.pictures for follower in followers), "volume": result["volumeSHA256"][:8],
    }


def followers_end(watching):
    for key in list(watching.get_map().values()):
        watching.unregister(key.fileobj)


def supervisor_seconds(pid):
    """Processor time of the process itself, without its stages."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return None


def main():
    slipring, scan, folder, *rest = sys.argv[1:]
    runs = int(rest[0]) if rest else 3
    viewers = int(rest[1]) if len(rest) > 1 else 50
    for number in range(runs):
        # The first of a pair changes, so that a machine that gets slower favours neither.
        for count in (0, viewers) if number % 2 == 0 else (viewers, 0):
            print(json.dumps(run(slipring, scan, folder, count, rest[2:])), flush=True)


main()
