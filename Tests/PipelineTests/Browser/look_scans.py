#!/usr/bin/env python3
"""Looks at the pages of all scans of a server as a person does, through a headless Chromium (see look.py). Scan 1 has
failed and scan 2 is being reconstructed when it begins; it finalizes scan 2 by hand, and ends when that is finished.
Ends with 0 when everything that a person may do works; with one line otherwise.

    look_scans.py CHROMIUM URL_WITH_TOKEN FOLDER PROFILE

FOLDER gets the screenshots, PROFILE what the browser keeps.
"""

import sys
from urllib.parse import urlsplit

sys.dont_write_bytecode = True
from look import Browser, Tab

SIZES = {"wide": (1280, 900, False), "phone": (400, 860, True)}


def shoot(tab, folder, name, phone=True):
    for size, (width, height, mobile) in SIZES.items():
        if size == "phone" and not phone:
            continue
        for dark in (False, True):
            tab.screenshot(f"{folder}/{name}-{size}-{'dark' if dark else 'light'}.png", width, height, dark, mobile)
    tab.screenshot(f"{folder}/{name}-wide-light.png", *SIZES["wide"][:2])
    overflow = tab.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1")
    if overflow:
        raise RuntimeError(f"{name} is wider than its window")


def look_at_images(tab):
    """The newest projection, raw and corrected, and sinograms of two rows, which differ."""
    pixels = """(() => { const canvas = document.getElementById("image-NAME");
        return canvas.hidden ? "" : [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]
            .reduce((sum, value, place) => (sum * 31 + value * (place % 97)) % 1000003, 0) + " " + canvas.width; })()"""
    for name in ("raw", "corrected", "sinogram"):
        tab.wait(f"the {name} picture", pixels.replace("NAME", name))
    first = tab.evaluate(pixels.replace("NAME", "sinogram"))
    tab.evaluate("""(() => { const row = document.getElementById("image-row"); row.value = 0;
        row.dispatchEvent(new Event("input")); })()""")
    tab.wait("the caption of row 0", "document.getElementById('image-sinogram-text').textContent.startsWith('row 0,')")
    tab.wait("another sinogram", pixels.replace("NAME", "sinogram"), differs_from=first)


def main(program, url, folder, profile):
    parts = urlsplit(url)
    root = f"{parts.scheme}://{parts.netloc}"
    browser = Browser(program, profile)
    try:
        tab = Tab(browser, url)
        tab.wait("two scans", "document.querySelectorAll('#scans tr.link').length >= 2")
        tab.wait("the reason", "document.querySelector('#scans .reason')?.textContent.length > 10")
        tab.wait("a scan that goes on", "document.querySelectorAll('.now progress').length === 1")
        tab.wait("its picture", "document.querySelector('.now img')?.naturalWidth > 0")
        if tab.evaluate("location.search"):
            raise RuntimeError("the token is still in the address")
        shoot(tab, folder, "list")

        tab.call("Page.navigate", url=f"{root}/scans/2/run/")
        tab.wait("the run's page", "document.getElementById('state')?.dataset.state === 'scanning'")
        first = tab.wait("its slices", "document.getElementById('picture-z')?.naturalWidth > 0 && "
                         "document.getElementById('picture-z').src")
        tab.wait("newer slices", "document.getElementById('picture-z').src", differs_from=first)
        tab.evaluate("document.getElementById('images').open = true")
        look_at_images(tab)
        tab.evaluate("document.querySelector('.words').open = true")
        shoot(tab, folder, "run")
        if tab.evaluate("document.querySelector('h1 a[href=\"../\"]').href") != f"{root}/scans/2/":
            raise RuntimeError("the run's page does not lead back to its scan")

        # By what the name of the file ends with that each goes over to.
        views = [(Tab(browser, f"{root}/scans/2/{place}"), volume) for place, volume in (
            ("view/", "rec"), ("run/viewer", "rec"), ("view/", "denoised"), ("run/viewer", "denoised"))]
        for view, volume in views:
            # A page that nobody sees asks for nothing.
            view.call("Page.bringToFront")
            view.wait("a viewer of what goes on", "window.viewer?.panes[0]?.stats?.isLive === true")
            if volume == "denoised":
                view.evaluate("document.getElementById('denoised').click()")
                view.wait("the volume that is to be denoised",
                          "viewer.panes[0].base === 'denoised' && document.getElementById('denoised').checked"
                          " && document.getElementById('name').textContent.endsWith('-denoised')")
        tab.call("Page.bringToFront")

        tab.call("Page.navigate", url=f"{root}/scans/2/")
        tab.wait("the facts", "document.querySelectorAll('#facts dt').length > 5")
        tab.wait("the picture", "document.getElementById('picture')?.naturalWidth > 0")
        tab.wait("the buttons", "document.querySelectorAll('#actions button').length === 2")
        shoot(tab, folder, "scan")
        tab.evaluate("document.querySelector('#actions button').click()")
        tab.wait("the question", "document.getElementById('sure').open")
        tab.evaluate("document.querySelector('#sure button[value=yes]').click()")
        tab.wait("the end", "document.getElementById('state').textContent === 'finished'")
        tab.wait("its files", "document.querySelectorAll('#files tr').length > 1")
        for view, volume in views:
            view.call("Page.bringToFront")
            view.wait("the finished file in the same viewer",
                      "(({info, stats, store}) => !info.isLive && !stats.isLive && store.isComplete"
                      f" && document.getElementById('name').textContent.endsWith('_{volume}.h5'))(viewer.panes[0])")
            view.wait("its picture", "viewer.panes[0].store.tiles.size > 0")
        # From the denoised file to the other one, and back.
        for volume in ("rec", "denoised"):
            view.evaluate("document.getElementById('denoised').click()")
            view.wait(f"the other volume, {volume}",
                      "(({store}) => store.isComplete && store.tiles.size > 0"
                      f" && document.getElementById('name').textContent.endsWith('_{volume}.h5'))(viewer.panes[0])")
        tab.call("Page.bringToFront")
        tab.wait("its log", "document.getElementById('log').textContent.length > 10")
        tab.evaluate("document.getElementById('images').open = true")
        look_at_images(tab)
        shoot(tab, folder, "finished")

        tab.call("Page.navigate", url=f"{root}/scans/1/")
        tab.wait("why it failed", "document.getElementById('facts')?.textContent.includes('HDF5')")
        shoot(tab, folder, "failed", phone=False)
        tab.call("Page.navigate", url=f"{root}/scans/2/with/2/")
        tab.wait("two volumes", "document.querySelectorAll('.pane').length === 2")
        tab.wait("figures of the second one", "window.viewer?.panes[1]?.stats?.count > 0")
        # What is not there is no mistake of the page.
        missing = ("picture.png", "/slices/", "/denoised/stats/")
        complaints = [text for text in browser.complaints if not any(place in text for place in missing)]
        if complaints:
            raise RuntimeError(f"the browser complains: {complaints[0]}")
    finally:
        browser.end()


try:
    main(*sys.argv[1:])
except (RuntimeError, TimeoutError, EOFError) as error:
    sys.exit(f"look_scans.py: {error}")
