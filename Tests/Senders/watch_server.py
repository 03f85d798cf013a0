"""Watches the process variables of a server with pvaPy until so many scans finished: what an EPICS display does.

watch_server.py READY_FILE PREFIX SCANS RESULT_FILE

READY_FILE appears at once. RESULT_FILE has a JSON object: the values of each variable in their order, and how often the
display was connected.
"""

import json
import os
import sys
import time

import pvaccess

ready, prefix, scans, result_file = sys.argv[1:5]
names = [
    "State", "Scan", "Sample", "Activity", "Queue", "DiskHours", "Warning", "LastScan", "LastSample", "LastLost",
    "LastOutput", "Message",
]
seen = {name: [] for name in names}
connections = 0


def connected(is_connected):
    global connections
    connections += is_connected


def note(name):
    def noted(variable):
        value = variable["value"]
        if isinstance(value, dict):
            value = value["choices"][value["index"]]
        if not seen[name] or seen[name][-1] != value:
            seen[name].append(value)
    return noted


# In a set-up of tests both ends are on this machine.
channels = []
for name in names:
    channel = pvaccess.Channel(f"{prefix}:{name}")
    if name == "State":
        channel.setConnectionCallback(connected)
    channel.subscribe("watch", note(name))
    channel.startMonitor("")
    channels.append(channel)
with open(ready, "w") as file:
    file.write("here")
deadline = time.monotonic() + 150
while time.monotonic() < deadline and not (seen["LastScan"] and seen["LastScan"][-1] == int(scans)):
    time.sleep(0.02)
time.sleep(1)
seen["connections"] = connections
with open(result_file + ".new", "w") as file:
    json.dump({key: value for key, value in seen.items() if key != "DiskHours"}, file)
os.rename(result_file + ".new", result_file)
# What pvaPy leaves behind at its end is not looked at.
os._exit(0)
