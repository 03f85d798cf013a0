"""Watches the process variables of a run with pvaPy until it is over: what an EPICS display does.

watch_pva.py READY_FILE PREFIX RESULT_FILE [STOP_AFTER [NONSENSE]]

READY_FILE appears at once. RESULT_FILE has a JSON object: the states in their order, the last value of every other
variable, and how many pictures came; RESULT_FILE.image the last picture, 32-bit floats. Once STOP_AFTER projections
are there, PREFIX:Stop is set to 1; the answer to that is `stop` in the result. Before that, NONSENSE times, a zero is
written there, and once what is no number, which must be refused.
"""

import json
import os
import sys
import time

import numpy
import pvaccess

ready, prefix, result_file = sys.argv[1:4]
stop_after = int(sys.argv[4]) if len(sys.argv) > 4 else None
nonsense = int(sys.argv[5]) if len(sys.argv) > 5 else 0
names = ["Run", "Acquired", "Projections", "Reconstructed", "FinalIterations", "Lost", "Axis", "Message"]
states, last, pictures, image = [], {}, 0, {}


def state(variable):
    choice = variable["value"]
    states.append(choice["choices"][choice["index"]] if choice["choices"] else str(choice["index"]))


def picture(variable):
    global pictures
    value = variable["value"]
    if not value or "floatValue" not in value[0]:
        return
    # pvaPy hands the same object to each call: what is kept is copied here.
    image["pixels"] = numpy.array(value[0]["floatValue"], dtype="<f4")
    image["shape"] = [entry["size"] for entry in variable["dimension"]]
    image["number"] = variable["uniqueId"]
    pictures += 1


def note(name):
    def noted(variable):
        last[name] = variable["value"]
    return noted


# In a set-up of tests both ends are on this machine.
channels = []
for name, heard in [("State", state), ("Image", picture)] + [(name, note(name)) for name in names]:
    channel = pvaccess.Channel(f"{prefix}:{name}")
    channel.subscribe("watch", heard)
    channel.startMonitor("")
    channels.append(channel)
with open(ready, "w") as file:
    file.write("here")
stop = None
deadline = time.monotonic() + 100
while time.monotonic() < deadline and not (states and states[-1] in ("finished", "failed")):
    if stop_after is not None and stop is None and last.get("Acquired", 0) >= stop_after:
        try:
            channel = pvaccess.Channel(f"{prefix}:Stop")
            for _ in range(nonsense):
                channel.put(0)
            if nonsense > 0:
                try:
                    channel.put("word")
                    raise SystemExit("a word was taken for a number")
                except Exception:
                    pass
            channel.put(1)
            stop = "taken"
        except Exception as error:
            stop = f"refused: {error}"
    time.sleep(0.02)
time.sleep(0.5)
if image:
    image.pop("pixels").tofile(result_file + ".image")
with open(result_file + ".new", "w") as file:
    json.dump({"states": states, "last": last, "pictures": pictures, "image": image, "stop": stop}, file)
os.rename(result_file + ".new", result_file)
# What pvaPy leaves behind at its end is not looked at.
os._exit(0)
