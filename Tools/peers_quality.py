"""Time to SIRT's best picture, one core each; called by Tools/benchmark-peers.

`slipring bench quality` makes the slice, its noise, the pictures of SIRT and auto, and their processor time. The public
codes get the same line integrals: ASTRA's SIRT and CGLS, its matrix as CSR in scipy with 16 slices at once (the fastest
public way on a CPU that was found), and algotom's FBP. Times are processor time for a slice.
"""

import json
import os
import subprocess
import time

import astra
import numpy as np
from skimage.io import imread

SLICES = 16
# Iterations after which CGLS is looked at.
CGLS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20)


def measure(slipring, folder, columns, angles, iterations, seed):
    """Slipring's report on a foam, its data, and the truth."""
    command = [
        slipring, "bench", "quality", "--size", str(columns), "--angles", str(angles), "--seed", str(seed),
        "--slices", str(SLICES), "--iterations", ",".join(map(str, iterations)), "--pictures", folder, "--json",
    ]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    data, truth = (imread(os.path.join(folder, f"foam-{name}.tiff")) for name in ("data", "truth"))
    return report["tables"][0]["rows"], np.ascontiguousarray(data, np.float32), truth


def psnr(picture, truth):
    """Decibels inside 0.45 columns, as `bench quality`."""
    columns = len(truth)
    y, x = np.mgrid[:columns, :columns] - (columns - 1) / 2
    disc = x * x + y * y <= (0.45 * columns) ** 2
    error = np.mean((picture.astype(np.float64) - truth)[disc] ** 2)
    return 10 * np.log10((truth[disc].max() - truth[disc].min()) ** 2 / error)


def processor_seconds(body):
    start = time.process_time()
    result = body()
    return time.process_time() - start, result


def matrix_pair(peer, columns, angles):
    """Seconds of A x and its transpose for one of 16 slices at once, by ASTRA's matrix in scipy."""
    matrix = astra.matrix.get(astra.projector.matrix(peer.projector)).tocsr()
    transposed = matrix.T.tocsr()
    slices = np.ones((columns * columns, SLICES), np.float32)
    return min(processor_seconds(lambda: transposed @ (matrix @ slices))[0] for _ in range(3)) / SLICES


def algotom_fbp(sinogram, theta):
    """Seconds, compilation excluded."""
    import algotom.rec.reconstruction as reconstruction

    def run():
        # Its axis counts from the middle of the first pixel.
        return reconstruction.fbp_reconstruction(
            sinogram, sinogram.shape[1] / 2 - 0.5, angles=theta, gpu=False, apply_log=False, ncore=1)

    run()
    return processor_seconds(run)


def table(make_peer, slipring, folder, columns, angles, looked_at, seed):
    """Markdown lines."""
    rows, sinogram, truth = measure(slipring, folder, columns, angles, looked_at, seed)
    theta = np.pi * np.arange(angles) / angles
    peer = make_peer(sinogram, theta)
    sirt = max((row for row in rows if row["method"] == "sirt"), key=lambda row: row["known"]["psnr"])
    filtered = max((row for row in rows if row["method"] == "fbp"), key=lambda row: row["known"]["psnr"])
    best, iterations = sirt["known"]["psnr"], int(sirt["sweeps"])
    auto = [row for row in rows if row.get("variant") == "standard"]
    ours = next((row for row in auto if row["known"]["psnr"] >= best), None)
    if ours is None:
        return ["auto is nowhere as good as SIRT's best"]
    few, many = (processor_seconds(lambda n=n: peer.run("SIRT", n))[0] for n in (1, 5))
    sirt_seconds = few + (iterations - 1) * (many - few) / 4
    csr_seconds = iterations * matrix_pair(peer, columns, angles)
    cgls = max(
        ((psnr(picture, truth), count, seconds) for count in CGLS
         for seconds, (_, picture) in [processor_seconds(lambda count=count: peer.run("CGLS", count))]))
    fbp_seconds, fbp = algotom_fbp(sinogram, theta)
    found = [
        ("Slipring auto", f"{int(ours['sweeps'])} sweeps", ours["seconds"], ours["known"]["psnr"]),
        ("Slipring SIRT", f"{iterations} iterations", sirt["seconds"], best),
        ("ASTRA matrix as CSR, 16 slices at once, SIRT", f"{iterations} iterations", csr_seconds, best),
        ("ASTRA CGLS at its best", f"{cgls[1]} iterations", cgls[2], cgls[0]),
        ("ASTRA SIRT", f"{iterations} iterations", sirt_seconds, best),
        ("Slipring FBP, best filter", "1 pass", filtered["seconds"], filtered["known"]["psnr"]),
        ("algotom FBP", "1 pass", fbp_seconds, psnr(fbp, truth)),
    ]
    lines = [
        f"Foam, {columns}², {angles} angles, 1 % noise, seed {seed}; to the best picture of SIRT ({best:.2f} dB), "
        "processor time of one core for a slice:\n",
        "| code | after | ms | PSNR, dB | times Slipring's auto |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, after, seconds, quality in found:
        factor = seconds / ours["seconds"]
        lines.append(f"| {name} | {after} | {1000 * seconds:.1f} | {quality:.2f} | {factor:.3g} |")
    return lines
