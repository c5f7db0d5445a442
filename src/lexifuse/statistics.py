"""What a network is told about a whole pair of pictures, so that it need not guess it from the part it sees.

A haze is as bright, and a flat infrared picture as far off, as the whole picture says; a network that sees 300 pixels
around each of its own can only guess. The numbers are a handful, cost under a millisecond, and are the same for every
tile of a large picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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

    def across(shift: int) -> NDArray[np.float32]:
        return _grey(band.take(np.clip(columns + shift, 0, width - 1), 1))

    def down(shift: int) -> NDArray[np.float32]:
        return _grey(image.take(np.clip(rows + shift, 0, height - 1), 0).take(columns, 1))

    band = image.take(rows, 0)
    middle = across(0)
    roughness = (np.abs(shifted(-1) - 2 * middle + shifted(1)) for shifted in (across, down))
    steps = [min(_ROUGHNESS_SCALE * float(quantiles(values, (0.5,))[0]), 1.0) for values in roughness]
    return np.array([*quantiles(middle, _QUANTILES), *steps], np.float32)


def quantiles(values: NDArray[np.float32], shares: Sequence[float]) -> NDArray[np.float64]:
    """What :func:`numpy.quantile` gives, ``shares`` in 0..1 of any array: one sort costs less than its partitions."""
    ordered = np.sort(values, axis=None)
    place = np.asarray(shares) * (len(ordered) - 1)
    below = place.astype(int)
    above = np.minimum(below + 1, len(ordered) - 1)
    low, high = ordered[below].astype(np.float64), ordered[above].astype(np.float64)
    return low + (high - low) * (place - below)


def _grey(image: NDArray[Any]) -> NDArray[np.float32]:
    return luma(to_float(image))
