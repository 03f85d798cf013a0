"""A roofline of the projector, from `slipring bench kernel`; called by Tools/roofline.

A complete update over A angles does 2 A updates of each voxel and moves at least 12 bytes of it between memory and
cache: the forward projection reads the volume, the update reads and writes it. So A / 6 updates belong to each byte; to
the left memory is the limit, to the right the multiply-adds or loads.
"""

import argparse
import json
import subprocess
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

BYTES_A_VOXEL = 12


def measure(slipring, angles, rows, columns, threads):
    """The report of `bench kernel` for so many angles."""
    command = [
        slipring, "bench", "kernel", "--shape", f"{angles},{rows},{columns}", "--threads", str(threads), "--seconds",
        "5", "--json",
    ]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def main():
    parser = argparse.ArgumentParser(
        prog="Tools/roofline", description="Draws the projector under this machine's ceilings."
    )
    parser.add_argument("slipring", help=argparse.SUPPRESS)
    parser.add_argument("picture", help="PNG file to write")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--angles", type=int, nargs="+", default=[1, 3, 6, 12, 24, 60, 180])
    options = parser.parse_args()
    reports = []
    for angles in options.angles:
        print(f"{angles} angles", file=sys.stderr)
        reports.append(measure(options.slipring, angles, options.rows, options.columns, options.threads))
    intensity = [2 * report["angles"] / BYTES_A_VOXEL for report in reports]
    best = {
        name: max(report[name]["best"] for report in reports)
        for name in ("memoryBandwidth", "loadCeiling", "multiplyAddCeiling")
    }
    figure, axes = pyplot.subplots(figsize=(8, 5), dpi=120)
    span = [intensity[0] / 2, intensity[-1] * 2]
    ridge = best["multiplyAddCeiling"] / best["memoryBandwidth"]
    axes.loglog([span[0], ridge], [span[0] * best["memoryBandwidth"], best["multiplyAddCeiling"]], color="0.3",
                label=f"memory, {best['memoryBandwidth']:.0f} GB/s")
    axes.loglog([ridge, span[1]], [best["multiplyAddCeiling"]] * 2, color="0.3", linestyle="--",
                label=f"two multiply-adds an update, {best['multiplyAddCeiling']:.0f} GUPS")
    axes.loglog(
        [best["loadCeiling"] / best["memoryBandwidth"], span[1]],
        [best["loadCeiling"]] * 2,
        color="0.3",
        linestyle=":",
        label=f"a load for each, {best['loadCeiling']:.0f} GUPS",
    )
    for name, text, marker in (("pair", "forward and back", "o"), ("update", "complete SIRT update", "s")):
        axes.loglog(intensity, [report[name]["median"] for report in reports], marker=marker, linestyle="-", label=text)
    for x, report in zip(intensity, reports):
        axes.annotate(
            f"{report['angles']}",
            (x, report["update"]["median"]),
            textcoords="offset points",
            xytext=(0, -14),
            ha="center",
            fontsize=8,
        )
    axes.set_xlabel(f"updates a byte of memory traffic (angles / 6; the numbers are angles)")
    axes.set_ylabel("GUPS")
    axes.set_title(
        f"{reports[0]['processor']}, {options.threads} thread(s), {options.rows} × {options.columns}², medians",
        fontsize=9,
    )
    axes.grid(True, which="both", color="0.9")
    axes.legend(fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(options.picture)


if __name__ == "__main__":
    main()
