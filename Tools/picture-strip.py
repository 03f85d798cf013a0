#!/usr/bin/env python3
"""Puts the middles of some pictures side by side, with the grey levels of the first one:
Tools/picture-strip.py STRIP.png EDGE PICTURE.tiff …

The pictures are what `slipring bench quality --pictures FOLDER` leaves. Needs numpy, pillow and tifffile, as in
.build/peers.
"""

import sys

import numpy as np
from PIL import Image
from tifffile import imread

GAP = 4
OUTLIERS = 0.5


def middle(picture, edge):
    top, left = (size // 2 - edge // 2 for size in picture.shape)
    return picture[top:top + edge, left:left + edge]


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    strip, edge = sys.argv[1], int(sys.argv[2])
    parts = [middle(imread(path), edge) for path in sys.argv[3:]]
    low, high = np.percentile(parts[0], [OUTLIERS, 100 - OUTLIERS])
    # Room above and below, so that noise is seen.
    low, high = low - 0.1 * (high - low), high + 0.1 * (high - low)
    gap = np.full((edge, GAP), 255, np.uint8)
    row = []
    for part in parts:
        row += [np.clip((part - low) / (high - low) * 255, 0, 255).astype(np.uint8), gap]
    Image.fromarray(np.hstack(row[:-1])).save(strip, optimize=True)


if __name__ == "__main__":
    main()
