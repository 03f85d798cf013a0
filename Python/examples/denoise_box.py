#!/usr/bin/env python3
"""An example of a denoising program: the mean of the 3 x 3 voxels around each, within a slice.

    slipring recon scan.h5 --output-folder out --denoise program:Python/examples/denoise_box.py
The package has to be installed, or PYTHONPATH=Python/src.
"""

import numpy as np

import slipring

run = slipring.SharedRun()
denoised = run.denoised
for z in range(denoised.complete, run.slices):
    padded = np.pad(run.slice(z), 1, mode="edge")
    size = run.columns
    denoised.slices[z] = sum(padded[y:y + size, x:x + size] for y in range(3) for x in range(3)) / 9
    denoised.complete = z + 1
