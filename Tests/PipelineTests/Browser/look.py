#!/usr/bin/env python3
"""Looks at the live page of a run as a person does, in a headless Chromium. Ends with 0 when everything that a person
may do works; with one line otherwise.

    look.py CHROMIUM URL FOLDER PROFILE      FOLDER gets the screenshots, PROFILE what the browser keeps
"""

import os
import sys

from browser import Browser, Tab

# A number that depends on every pixel of a picture.
PICTURE = """(() => { const image = document.getElementById("picture-%s");
  if (!image.complete || !image.naturalWidth) return 0;
  const canvas = document.createElement("canvas"); canvas.width = image.naturalWidth; \
canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d"); context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height).data.reduce(\
(sum, value, place) => (sum * 31 + value) %% 1000003, 7); })()"""
POINTS = (
    'Math.max(0, ...[...document.querySelectorAll("#curve polyline")]'
    '.map((line) => line.getAttribute("points").split(" ").length))'
)
SCORES = (
    '(document.querySelector("#similarity polyline.window") || { getAttribute: () => "" })'
    '.getAttribute("points").split(" ").filter((point) => point).length'
)
NAMELESS = """[...document.querySelectorAll("input, button, img, svg[role]")].filter((item) => item.checkVisibility()
  && !(item.labels && item.labels.length) && !item.textContent.trim() && !item.alt \
&& !item.getAttribute("aria-labelledby")).map((item) => item.id)"""


def look(browser, url, folder):
    tab = Tab(browser, url)
    tab.wait("the volume", 'document.getElementById("controls") && !document.getElementById("controls").hidden')
    if "token" in tab.evaluate("location.href"):
        raise AssertionError("the token is still in the address")

    # Slices appear and change, curves move.
    for axis in "zyx":
        first = tab.wait(f"a picture across {axis}", PICTURE % axis)
        tab.wait(f"another picture across {axis}", PICTURE % axis, differs_from=first)
    points = tab.wait("a curve", POINTS)
    tab.wait("a longer curve", POINTS, differs_from=points)
    scores = tab.wait("a curve of similarities", SCORES)
    tab.wait("a longer curve of similarities", SCORES, differs_from=scores)
    tab.wait(
        "the similarity that ends the scan",
        'document.getElementById("goal") && '
        'document.getElementById("similarity-text").textContent.includes("ends the scan at 0.9")',
    )
    tab.screenshot(f"{folder}/light.png", 1440, 1000)
    tab.screenshot(f"{folder}/dark.png", 1440, 1000, dark=True)
    tab.screenshot(f"{folder}/narrow.png", 390, 844, mobile=True)
    tab.screenshot(f"{folder}/narrow-dark.png", 390, 844, dark=True, mobile=True)
    tab.call("Emulation.setDeviceMetricsOverride", width=1440, height=1000, deviceScaleFactor=1, mobile=False)

    # The sliders follow the keyboard, and the pictures follow the sliders.
    for axis in "zyx":
        before = int(tab.evaluate(f'document.getElementById("slider-{axis}").value'))
        tab.evaluate(f'document.getElementById("slider-{axis}").focus()')
        tab.press("ArrowRight", 39)
        tab.wait(
            f"the next cut across {axis}", f'document.getElementById("caption-{axis}").textContent === "{before + 1}"'
        )
        tab.wait(f"its picture", f'cuts.{axis}.shown.startsWith("slices/{axis}/{before + 1}.png")')
    tab.evaluate('document.getElementById("slider-high").focus()')
    tab.press("ArrowLeft", 37)
    tab.wait(
        "a grey window of one's own", 'cuts.z.shown.includes("&high=") && !document.getElementById("auto").checked'
    )
    tab.evaluate('document.getElementById("auto").click()')
    tab.wait("the grey window of the slice", '!cuts.z.shown.includes("&high=")')
    tab.evaluate('document.getElementById("denoised").click()')
    tab.wait(
        "that nothing is denoised yet",
        'document.getElementById("denoised-text").textContent === "0 of 8 slices" && '
        '!cuts.z.shown.includes("of=denoised")',
    )
    nameless = tab.evaluate(NAMELESS)
    if nameless:
        raise AssertionError(f"without a name for a screen reader: {nameless}")
    if browser.complaints:
        raise AssertionError(f"the browser complains: {browser.complaints}")

    # A foreign page that even knows the token is refused, and the run goes on.
    token = tab.evaluate('document.querySelector("[name=token]").value')
    foreign = Tab(browser, "about:blank")
    foreign.evaluate(
        f'fetch("{url.split("?")[0]}finalize", {{ method: "POST", mode: "no-cors", '
        f'body: new URLSearchParams({{ token: "{token}" }}) }}).catch(() => 0)'
    )
    browser.call("Target.closeTarget", targetId=foreign.target)
    tab.call("Page.bringToFront")
    acquired = tab.evaluate("report.status.acquired")
    tab.wait("the run to go on", f"report.status.acquired > {acquired} + 2")

    # Finalize, with the question before it.
    tab.evaluate('document.getElementById("finalize").click()')
    tab.wait("the question", 'document.getElementById("confirm").open')
    tab.screenshot(f"{folder}/question.png", 1440, 1000)
    tab.evaluate('document.getElementById("confirm-yes").click()')
    tab.wait(
        "the end",
        'report.ending && report.ending.isSuccess && document.getElementById("state").textContent === "finished"',
    )
    tab.wait("the last pictures", 'isOver && axes.every((axis) => cuts[axis].shown.endsWith("_end"))')
    for axis in "zyx":
        tab.wait(f"the last picture across {axis}", PICTURE % axis)
    tab.wait(
        "the denoised slice",
        'cuts.z.shown.includes("of=denoised") && document.getElementById("content-z").textContent === ", denoised"',
    )
    tab.screenshot(f"{folder}/finished.png", 1440, 1000)
    return tab.evaluate('document.getElementById("ending-text").textContent')


def main():
    program, url, folder, profile = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    browser = Browser(program, profile)
    try:
        print(look(browser, url, folder))
    except Exception as error:
        print(f"look.py: {type(error).__name__}: {error}; complaints: {browser.complaints}", file=sys.stderr)
        return 1
    finally:
        browser.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
