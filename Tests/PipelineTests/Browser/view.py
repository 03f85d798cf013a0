#!/usr/bin/env python3
"""Looks at the viewer of a volume as a person does, in a headless Chromium. Ends with 0 when what it shows is what the
file has; with one line otherwise.

    view.py CHROMIUM URL FOLDER PROFILE SLICES COLUMNS

FOLDER gets the screenshots, PROFILE what the browser keeps. The volume has SLICES slices of COLUMNS columns, and the
value of each voxel is that of voxel().
"""

import os
import sys

from browser import Browser, Tab


def voxel(z, y, x):
    # Exact in 32 bits and in 64, and written with six digits.
    return ((z * 131 + y * 17 + x * 29 + (y * x) % 13) % 1021) / 8 - 20


def percentile(values, percent):
    """As numpy's: linear between the two values around (n - 1) q."""
    place = percent / 100 * (len(values) - 1)
    low = min(int(place), len(values) - 2)
    return values[low] + (values[low + 1] - values[low]) * (place - low)


def expect(what, found, expected, error=0.0):
    if not (found == expected or (isinstance(expected, float) and abs(found - expected) <= error)):
        raise AssertionError(f"{what}: {found}, not {expected}")


# Where a voxel is on the screen.
PLACE = """(() => { const pane = viewer.panes[0], view = viewer.view, ratio = devicePixelRatio;
  const box = pane.over.getBoundingClientRect();
  return [box.left + ((%r + 0.5 - view.x) * view.scale + pane.over.width / 2) / ratio,
    box.top + ((%r + 0.5 - view.y) * view.scale + pane.over.height / 2) / ratio]; })()"""
SETTLED = "viewer.view.scale > 0 && viewer.panes.every((pane) => pane.stats && pane.store.isComplete)"
# How many pixels of the scene differ from its first one.
SHOWN = """(() => { const { gl, canvas } = viewer.panes[0].volume; if (!gl) return 0;
  const bytes = new Uint8Array(4 * canvas.width * canvas.height);
  gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
  let count = 0;
  for (let place = 0; place < bytes.length; place += 4) if (bytes[place] !== bytes[0]) count += 1;
  return count; })()"""


def zoom_to(tab, column, row):
    """Turns the wheel over a voxel until its value can be read."""
    for _ in range(60):
        place = tab.evaluate(PLACE % (column, row))
        if tab.evaluate("viewer.view.scale / devicePixelRatio") > 90:
            break
        tab.mouse("mouseWheel", *place, deltaX=0, deltaY=-120)
    tab.wait("the tiles around a voxel", SETTLED)
    tab.wait("the voxel's tile", f"viewer.panes[0].store.value({column}, {row}, 256) !== undefined")
    tab.mouse("mouseMoved", *tab.evaluate(PLACE % (column, row)))


def look_at_cut(tab, axis, index, column, row, value):
    tab.evaluate(f'viewer.setAxis("{axis}"); viewer.setIndex({index})')
    tab.wait(f"cut {axis} {index}", f'viewer.panes[0].store.plane === "{axis}/{index}" && {SETTLED}')
    # At first only means are on the screen: the value itself comes from the server.
    tab.mouse("mouseMoved", *tab.evaluate(PLACE % (column, row)))
    text = f'document.getElementById("cursor").textContent.endsWith("\\n" + ({value}).toPrecision(7))'
    tab.wait(f"the value {value} of a voxel from afar", text)
    zoom_to(tab, column, row)
    tab.wait(f"the value {value} under the cursor", text)
    expect("the tile's value", tab.evaluate(f"viewer.panes[0].store.value({column}, {row}, 256)"), value)


def look_at_figures(tab, z, columns):
    values = sorted(voxel(z, y, x) for y in range(columns) for x in range(columns))
    stats = tab.evaluate("viewer.panes[0].stats")
    expect("the histogram's count", sum(stats["counts"]), len(values))
    for percent, found in zip(stats["percents"], stats["percentiles"]):
        expect(f"percentile {percent}", found, percentile(values, percent), 1e-9)
    tab.evaluate('document.querySelector("[data-percent=\\"2\\"]").click()')
    expect("black", tab.evaluate("viewer.view.look.low"), percentile(values, 2), 1e-9)
    expect("white", tab.evaluate("viewer.view.look.high"), percentile(values, 98), 1e-9)


def look_at_measures(tab, z):
    tab.evaluate('document.querySelector("[data-tool=region]").click()')
    tab.drag(tab.evaluate(PLACE % (30, 40)), tab.evaluate(PLACE % (230, 170)))
    measured = tab.wait("a region", "viewer.measured[0]")
    region = tab.evaluate("viewer.view.region")
    inside = [voxel(z, y, x) for y in range(region["y0"], region["y1"]) for x in range(region["x0"], region["x1"])]
    mean = sum(inside) / len(inside)
    expect("the region's size", measured["count"], len(inside))
    expect("the region's mean", measured["mean"], mean, 1e-9)
    deviation = (sum((value - mean) ** 2 for value in inside) / len(inside)) ** 0.5
    expect("the region's deviation", measured["deviation"], deviation, 1e-9)
    tab.evaluate('document.querySelector("[data-tool=line]").click()')
    tab.drag(tab.evaluate(PLACE % (30, 40)), tab.evaluate(PLACE % (230, 40)))
    tab.wait("a line's length", 'document.getElementById("line").textContent.includes(" px")')
    tab.evaluate('document.querySelector("[data-tool=pan]").click()')


def look_at_keys(tab, z):
    tab.evaluate("viewer.panes[0].over.focus()")
    for key, code, what in [
        ("PageDown", 34, f"viewer.view.index === {z + 1}"), ("PageUp", 33, f"viewer.view.index === {z}"),
        ("0", 48, "viewer.view.scale < 3"), ("1", 49, "viewer.view.scale === devicePixelRatio"),
    ]:
        tab.press(key, code)
        tab.wait(f"what {key} does", what)
    before = tab.evaluate("viewer.view.x")
    tab.press("ArrowRight", 39)
    tab.wait("what an arrow does", f"viewer.view.x > {before}")
    tab.press("0", 48)


def look_at_files(tab, z, columns):
    tab.wait("the cut again", f'viewer.panes[0].store.plane === "z/{z}" && {SETTLED}')
    script = f"""(async () => {{ const {{ tiff }} = await import("./viewer-save.js"); const pane = viewer.panes[0];
      const blob = tiff({columns}, {columns}, await pane.store.all({columns}, {columns}, 256));
      const bytes = await blob.arrayBuffer(), view = new DataView(bytes);
      const at = (y, x) => view.getFloat32(134 + 4 * (y * {columns} + x), true);
      return [bytes.byteLength, view.getUint16(0), view.getUint16(2, true), at(0, 0), at(3, 299), at(299, 1)]; }})()"""
    expected = [134 + 4 * columns * columns, 0x4949, 42, voxel(z, 0, 0), voxel(z, 3, 299), voxel(z, 299, 1)]
    expect("the TIFF file", tab.evaluate(script), expected)


def look_at_touch(tab):
    """Two fingers that part zoom in."""
    tab.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
    before = tab.evaluate("viewer.view.scale")
    x, y = tab.evaluate(PLACE % (150, 150))
    fingers = lambda distance: [{"x": x - distance, "y": y, "id": 1}, {"x": x + distance, "y": y, "id": 2}]
    tab.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=fingers(30))
    for distance in (50, 70, 90):
        tab.call("Input.dispatchTouchEvent", type="touchMove", touchPoints=fingers(distance))
    tab.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    tab.wait("what two fingers do", f"viewer.view.scale > {before} * 2")
    tab.call("Emulation.setTouchEmulationEnabled", enabled=False)


def look_at_volume(tab, folder):
    for mode in ["oblique", "mip", "iso"]:
        tab.evaluate(f'document.querySelector("[data-mode={mode}]").click()')
        tab.wait("the volume", "viewer.panes[0].volume.data")
        tab.wait(f"something in {mode}", f'viewer.view.mode === "{mode}" && {SHOWN} > 1000')
        tab.screenshot(f"{folder}/viewer-{mode}.png", 1280, 800, dark=mode == "mip")
    tab.evaluate('document.querySelector("[data-mode=slice]").click()')


def look(browser, url, folder, slices, columns):
    tab = Tab(browser, url)
    tab.call("Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False)
    tab.wait("a cut", f'typeof viewer === "object" && viewer.panes.length > 0 && {SETTLED}')
    z = slices // 2
    look_at_figures(tab, z, columns)
    tab.screenshot(f"{folder}/viewer-light.png", 1280, 800)
    look_at_measures(tab, z)
    look_at_keys(tab, z)
    look_at_files(tab, z, columns)
    expect("the scale bar's unit", tab.evaluate("viewer.panes[0].scaleText").split(" ")[1], "mm")
    tab.screenshot(f"{folder}/viewer-dark.png", 1280, 800, dark=True)
    look_at_cut(tab, "z", z, 280, 270, voxel(z, 270, 280))
    tab.screenshot(f"{folder}/viewer-voxels.png", 1280, 800)
    look_at_cut(tab, "y", 259, 17, 2, voxel(2, 259, 17))
    look_at_cut(tab, "x", 261, 3, 290, voxel(3, 290, 261))
    tab.evaluate('viewer.setAxis("z")')
    tab.wait("the cut again", SETTLED)
    tab.screenshot(f"{folder}/viewer-phone.png", 390, 844, mobile=True)
    look_at_touch(tab)
    tab.call("Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False)
    look_at_volume(tab, folder)
    if browser.complaints:
        raise AssertionError(f"the browser complains: {browser.complaints}")


def look_without_webgl(program, url, profile):
    browser = Browser(program, profile + "-plain", "--disable-3d-apis")
    try:
        tab = Tab(browser, url)
        tab.wait("a cut", f'typeof viewer === "object" && viewer.panes.length > 0 && {SETTLED}')
        tab.evaluate('document.querySelector("[data-mode=iso]").click()')
        tab.wait("why there is no surface", 'document.getElementById("message").textContent.includes("no WebGL 2")')
        expect("what is shown then", tab.evaluate("viewer.view.mode"), "slice")
    finally:
        browser.end()


def main():
    program, url, folder, profile, slices, columns = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    browser = Browser(program, profile)
    try:
        look(browser, url, folder, int(slices), int(columns))
        look_without_webgl(program, url, profile)
    except Exception as error:
        print(f"view.py: {type(error).__name__}: {error}; complaints: {browser.complaints}", file=sys.stderr)
        return 1
    finally:
        browser.end()
    return 0


sys.exit(main())
