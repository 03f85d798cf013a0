"""Slipring beside public codes, one core each, in alternating rounds; called by Tools/benchmark-peers.

GUPS are angles x slices x columns^2 (twice for a forward and a back projection) over seconds and 10^9. The public codes
reconstruct single slices; Slipring's figure is that of its 64 interleaved slices, because that is how it works. TomoPy
is not on PyPI and is left out where it is missing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import astra
import h5py
import numpy as np
from skimage.transform import iradon

import peers_quality


def line_integrals(slipring, folder, angles, columns):
    """Sinogram (angles, columns) and angles in radians of one slice of Slipring's foam phantom."""
    path = os.path.join(folder, "foam.h5")
    shape = ["--rows", "1", "--columns", str(columns), "--projections", str(angles)]
    subprocess.run([slipring, "simulate", path, "--line-integrals", "--quiet", *shape], check=True)
    with h5py.File(path) as file:
        theta = np.radians(np.asarray(file["exchange/theta"], dtype=np.float64))
        return np.ascontiguousarray(file["exchange/data"][:, 0, :], dtype=np.float32), theta


class Astra:
    """ASTRA's CPU algorithms with its linear (Joseph) projector."""

    def __init__(self, sinogram, theta, same_rays=True):
        columns = sinogram.shape[1]
        if same_rays:
            # Slipring's: direction (sin, -cos), detector along (cos, sin).
            vectors = np.stack(
                [np.sin(theta), -np.cos(theta), 0 * theta, 0 * theta, np.cos(theta), np.sin(theta)], axis=1
            )
            geometry = astra.create_proj_geom("parallel_vec", columns, vectors)
        else:
            # The only one that its FBP takes; the slice is turned.
            geometry = astra.create_proj_geom("parallel", 1.0, columns, theta)
        self.projector = astra.create_projector("linear", geometry, astra.create_vol_geom(columns, columns))
        self.sinogram = astra.data2d.create("-sino", geometry, sinogram)
        self.volume = astra.data2d.create("-vol", astra.projector.volume_geometry(self.projector), 0)

    def run(self, name, iterations=None):
        """Seconds of a run, and the slice."""
        configuration = astra.astra_dict(name)
        configuration["ProjectorId"] = self.projector
        configuration["ProjectionDataId"] = self.sinogram
        configuration["ReconstructionDataId"] = self.volume
        astra.data2d.store(self.volume, 0)
        algorithm = astra.algorithm.create(configuration)
        start = time.perf_counter()
        astra.algorithm.run(algorithm, *([iterations] if iterations else []))
        seconds = time.perf_counter() - start
        astra.algorithm.delete(algorithm)
        return seconds, astra.data2d.get(self.volume)


def slipring_kernel(slipring, algorithm, angles, rows, columns):
    """Slipring's report on a complete update of an algorithm, one thread."""
    command = [
        slipring, "bench", "kernel", "--shape", f"{angles},{rows},{columns}", "--algorithm", algorithm, "--threads",
        "1", "--seconds", "5", "--json",
    ]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def agreement(slipring, folder, iterations, reference, columns):
    """Relative L2 distance to ASTRA's slice inside r < 0.42 N, so that the speeds are those of the same work."""
    output = os.path.join(folder, "out")
    subprocess.run(
        [
            slipring, "recon", os.path.join(folder, "foam.h5"), "--output-folder", output, "--rotation-axis",
            str(columns / 2), "--algorithm", "sirt", "--window-step", "0", "--final-iterations", str(iterations),
            "--format", "hdf5", "--durability", "memory", "--quiet",
        ],
        check=True,
    )
    with h5py.File(os.path.join(output, "foam_rec.h5")) as file:
        volume = file["exchange/data"][0]
    y, x = np.mgrid[:columns, :columns] - (columns - 1) / 2
    disk = x * x + y * y < (0.42 * columns) ** 2
    return float(np.linalg.norm((volume - reference)[disk]) / np.linalg.norm(reference[disk]))


def rates(options):
    """Prints how fast an iteration of SIRT is, and FBP."""
    gups = options.angles * options.columns ** 2 * 2 / 1e9
    with tempfile.TemporaryDirectory(prefix="slipring-peers-") as folder:
        sirt, sirt_theta = line_integrals(options.slipring, folder, options.angles, options.columns)
        peer = Astra(sirt, sirt_theta)
        distance = agreement(options.slipring, folder, 5, peer.run("SIRT", 5)[1], options.columns)
        fbp, fbp_theta = line_integrals(options.slipring, folder, options.fbp_angles, options.columns)
        fbp_peer = Astra(fbp, fbp_theta, same_rays=False)
        figures = {name: [] for name in ("ours", "astra", "fbp ours", "fbp astra", "fbp scikit-image")}
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            ours = slipring_kernel(options.slipring, "sirt", options.angles, options.rows, options.columns)
            figures["ours"].append(ours["update"]["median"])
            # Less the weights, which SIRT computes once: the time of four more iterations.
            few, many = peer.run("SIRT", 1)[0], peer.run("SIRT", 5)[0]
            figures["astra"].append(4 * gups / (many - few))
            ours = slipring_kernel(options.slipring, "fbp", options.fbp_angles, options.rows, options.columns)
            figures["fbp ours"].append(ours["updateSeconds"]["median"] / options.rows)
            figures["fbp astra"].append(fbp_peer.run("FBP")[0])
            start = time.perf_counter()
            iradon(fbp.T, np.degrees(fbp_theta), circle=True)
            figures["fbp scikit-image"].append(time.perf_counter() - start)
    middle = {name: statistics.median(values) for name, values in figures.items()}
    print(f"{ours['processor']}, one core, {options.rounds} rounds in turn, medians; ASTRA {astra.__version__}.")
    print(f"SIRT-5 of one slice: relative L2 distance to ASTRA {distance:.1e}. TomoPy: not on PyPI.\n")
    print(f"| what | Slipring | ASTRA | scikit-image | Slipring is faster by |\n| --- | --- | --- | --- | --- |")
    print(f"| SIRT ({options.angles}, {options.columns}²), GUPS | {middle['ours']:.1f} | {middle['astra']:.3f} | – | "
          f"{middle['ours'] / middle['astra']:.0f} × |")
    best = min(middle["fbp astra"], middle["fbp scikit-image"])
    print(
        f"| FBP ({options.fbp_angles}, {options.columns}²), s a slice | {middle['fbp ours']:.4f} | "
        f"{middle['fbp astra']:.2f} | "
        f"{middle['fbp scikit-image']:.2f} | {best / middle['fbp ours']:.0f} × (the faster one) |"
    )


def main():
    parser = argparse.ArgumentParser(
        prog="Tools/benchmark-peers", description="Slipring beside public codes, one core each."
    )
    parser.add_argument("slipring", help=argparse.SUPPRESS)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--angles", type=int, default=180, help="of SIRT")
    parser.add_argument("--fbp-angles", type=int, default=720)
    parser.add_argument("--rows", type=int, default=64, help="of Slipring")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--quality-columns", type=int, default=256, help="of the foam whose picture is to be as good as SIRT's best")
    parser.add_argument("--iterations", default="50,100,150,200,300", help="of SIRT, that its best is looked for at")
    parser.add_argument("--seed", type=int, default=21, help="of that foam and its noise")
    parser.add_argument("--quality-only", action="store_true", help="leave the rates out")
    options = parser.parse_args()
    numbers = [options.columns, options.angles, options.fbp_angles, options.rows, options.rounds]
    if min(numbers + [options.quality_columns]) < 1:
        parser.error("every number must be at least 1")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if not options.quality_only:
        rates(options)
        print()
    with tempfile.TemporaryDirectory(prefix="slipring-peers-") as folder:
        iterations = [int(number) for number in options.iterations.split(",")]
        for line in peers_quality.table(
            Astra, options.slipring, folder, options.quality_columns, options.angles, iterations, options.seed
        ):
            print(line)


if __name__ == "__main__":
    main()
