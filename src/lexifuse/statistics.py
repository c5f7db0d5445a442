"""What a network is told about a whole pair of pictures, so that it need not guess it from the part it sees.

A haze is as bright, and a flat infrared picture as far off, as the whole picture says; a network that sees 300 pixels
around each of its own can only guess. The numbers are a handful, cost under a millisecond, and are the same for every
tile of a large picture.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.pixels import luma, to_float

_QUANTILES = (0.02, 0.25, 0.5, 0.75, 0.98)
_ROUGHNESS = ("across", "down")
_ROUGHNESS_SCALE = 8.0
_SAMPLE = 128

STATISTICS: tuple[str, ...] = tuple(
    f"{source}.{name}"
    for source in ("infrared", "visible")
    for name in (*(f"quantile_{round(100 * quantile):02d}" for quantile in _QUANTILES), *_ROUGHNESS)
)
"""The names of the numbers that :func:`picture_statistics` gives, in order."""


def picture_statistics(infrared: NDArray[Any], visible: NDArray[Any]) -> NDArray[np.float32]:
    """The numbers named in :data:`STATISTICS`, each in 0..1, shape (14,).

    For each source: quantiles of its luma, and its roughness along the rows and down the columns, eight times the
    median absolute second difference: high in noise, higher along one axis under stripes, low in blur.

    Args:
        infrared: (H, W); uint8, uint16 or float32 in 0..1.
        visible: (H, W, 3) RGB or (H, W), likewise.
    """
    return np.concatenate((_of_one(infrared), _of_one(visible)))


def _of_one(image: NDArray[Any]) -> NDArray[np.float32]:
    height, width = image.shape[:2]
    # Every so many pixels: enough of them for a quantile, whatever the size of the picture.
    step = max(1, math.isqrt(height * width) // _SAMPLE)
    rows, columns = np.arange(0, height, step), np.arange(0, width, step)

    def at(down: int, across: int) -> NDArray[np.float32]:
        area = image[np.clip(rows + down, 0, height - 1)][:, np.clip(columns + across, 0, width - 1)]
        return luma(np.ascontiguousarray(to_float(area)))

    middle = at(0, 0)
    quantiles = np.quantile(middle, _QUANTILES)
    roughness = [
        np.median(np.abs(at(*before) - 2 * middle + at(*after)))
        for before, after in (((0, -1), (0, 1)), ((-1, 0), (1, 0)))
    ]
    return np.array([*quantiles, *(min(_ROUGHNESS_SCALE * float(value), 1.0) for value in roughness)], np.float32)
