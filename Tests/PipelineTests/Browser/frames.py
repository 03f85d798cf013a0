#!/usr/bin/env python3
"""Measures how many frames a second the viewer draws of a volume in 3-D, in a headless Chromium without a graphics
processor: a frame drawn and one pixel of it read back, again and again, from an angle that changes. A volume of 128
voxels a side makes what is promised comparable; two idle cores are what it is promised for.

    frames.py SLIPRING VOLUME.h5 PROFILE [SECONDS [VOXELS]]

VOXELS a side are asked for (128). PROFILE gets what the browser keeps. Prints a line for each: mode, pixels, frames a
second, milliseconds of processor a frame (of all of the browser's processes).
"""

import os
import re
import shutil
import subprocess
import sys

from browser import Browser, Tab

# Mode, pixels a side: a surface, the greatest value as while it moves and at rest, an oblique cut.
RUNS = [("iso", 512), ("iso", 256), ("mip", 256), ("mip", 512), ("oblique", 512)]

SCRIPT = """(async () => {
  const {view, panes} = viewer, volume = panes[0].volume, pixel = new Uint8Array(4);
  const look = {...view.look}, turn = [...view.turn];
  const draw = (n) => {
    volume.render({...view, mode: "MODE", turn: [turn[0] + n * 0.03, turn[1]]}, look, EDGE, EDGE);
    volume.gl.readPixels(EDGE / 2, EDGE / 2, 1, 1, volume.gl.RGBA, volume.gl.UNSIGNED_BYTE, pixel);
  };
  for (let n = 0; n < 3; n++) draw(n);
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < SECONDS * 1000) draw(count++);
  return [count, performance.now() - start];
})()"""


def spent(group):
    """Seconds of processor time of all processes of a session."""
    ticks = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(tab, group, seconds, voxels):
    tab.wait("the viewer", "window.viewer?.panes[0]?.stats?.count > 0")
    tab.evaluate(f"document.getElementById('detail').value = '{voxels}'")
    tab.evaluate("document.querySelector('[data-mode=iso]').click()")
    tab.wait("the copy of the volume", "Boolean(viewer.panes[0].volume.data && viewer.panes[0].volume.gl)")
    for mode, edge in RUNS:
        script = SCRIPT.replace("MODE", mode).replace("EDGE", str(edge)).replace("SECONDS", str(seconds))
        before = spent(group)
        count, milliseconds = tab.evaluate(script)
        processor = 1000 * (spent(group) - before) / count
        rate = 1000 * count / milliseconds
        print(f"{mode:8} {edge}²  {rate:6.1f} frames/s  {processor:6.1f} ms of processor a frame")


def main():
    slipring, volume, profile, *rest = sys.argv[1:]
    seconds, voxels = float(rest[0]) if rest else 10, int(rest[1]) if len(rest) > 1 else 128
    command = [slipring, "view", volume, "--dashboard", "127.0.0.1:0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        found = next(filter(None, (re.search(r"http://\S+", line) for line in server.stderr)))
        browser = Browser(shutil.which("chromium"), profile)
        try:
            measure(Tab(browser, found.group(0)), browser.process.pid, seconds, voxels)
        finally:
            browser.end()
    finally:
        server.terminate()
        server.wait(30)


main()
