#!/usr/bin/env python3
"""MS-SSIM of the image pairs of MultiScaleSimilarityTests, straight from Wang, Simoncelli and Bovik (2003) with SciPy's
convolutions.

Prints the table that the tests hold. Needs numpy and scipy; with scikit-image its single scale is checked as well.
"""
import numpy as np
from scipy.signal import convolve2d

MASK = (1 << 64) - 1
WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def unit(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53


def pair(number):
    """Discs with a little noise, and the same distorted in one of five ways."""
    size = 176 + 7 * number
    random = SplitMix64(number)
    discs = [[random.unit() for _ in range(4)] for _ in range(12)]
    y, x = np.mgrid[0:size, 0:size].astype(np.float64)
    first = np.zeros((size, size))
    for cx, cy, r, v in discs:
        radius = r * 0.25 * size
        inside = (x - cx * size) ** 2 + (y - cy * size) ** 2 <= radius * radius
        first = np.where(inside, first + (v - 0.25) * 0.5, first)
    first += np.array([random.unit() for _ in range(size * size)]).reshape(size, size) * 0.05
    strength = 0.05 + 0.02 * number
    second = first.copy()
    kind = number % 5
    if kind in (0, 4):
        second += (np.array([random.unit() for _ in range(size * size)]).reshape(size, size) - 0.5) * strength
    if kind == 1:
        second = second * (1 - strength) + 0.1
    if kind in (2, 4):
        second = np.roll(second, (1 + number % 3, 2), axis=(0, 1))
    if kind == 3:
        second = (
            second + np.roll(second, 1, axis=0) + np.roll(second, 1, axis=1) + np.roll(second, (1, 1), axis=(0, 1))
        ) * 0.25
    return first.astype(np.float32), second.astype(np.float32)


def window():
    taps = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    kernel = np.outer(taps, taps)
    return kernel / kernel.sum()


def ssim(a, b):
    kernel = window()
    mean = lambda image: convolve2d(image, kernel, mode="valid")
    c1, c2 = 0.01**2, 0.03**2
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    cs = (2 * cov + c2) / (va + vb + c2)
    return ((2 * ma * mb + c1) / (ma * ma + mb * mb + c1) * cs).mean(), cs.mean()


def halve(image):
    filtered = convolve2d(np.pad(image, ((0, 1), (0, 1)), mode="symmetric"), np.ones((2, 2)) / 4, mode="valid")
    return filtered[::2, ::2]


def msssim(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    product = 1.0
    for scale, weight in enumerate(WEIGHTS):
        both, cs = ssim(a, b)
        product *= max(both if scale == len(WEIGHTS) - 1 else cs, 0) ** weight
        a, b = halve(a), halve(b)
    return product


try:
    from skimage.metrics import structural_similarity

    a, b = (image.astype(np.float64) for image in pair(4))
    _, full = structural_similarity(
        a, b, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    assert abs(full[5:-5, 5:-5].mean() - ssim(a, b)[0]) < 1e-9
except ImportError:
    pass

for number in range(20):
    print(f"    {msssim(*pair(number)):.8f},")
