"""Numbers that damage shows in: spectra of patches, shares of the histogram, dark channel. For telling it from pixels.

Noise lifts the high end of a spectrum, blur lowers it, stripes stand out along one axis and rain along another; haze
lifts the dark channel, wrong exposure moves the histogram. The cost does not depend on the size of the pictures.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.pixels import luma, to_float
from lexifuse.statistics import picture_statistics, quantiles

PATCH = 64
"""Side of a patch, and of the thumbnail, pixels."""

PATCHES = 16
"""Patches looked at, spread evenly over the picture."""

_RADII = (0.0, 0.04, 0.08, 0.15, 0.25, 0.36, 0.71)
"""Edges of the bands of spatial frequency, cycles per pixel."""

_ANGLES = (0.0, 4.0, 25.0, 65.0, 86.0, 90.1)
"""Edges of the sectors of direction, degrees from the rows; the narrow ones hold stripes."""

_PERCENTILES = (20, 50, 80)
_QUANTILES = (0.005, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.995)

Corner = tuple[int, int]


def damage_features(
    infrared: NDArray[Any], visible: NDArray[Any], statistics: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The numbers of a pair, shape (F,), F = ``len(damage_features(...))`` for any pair.

    Args:
        infrared: (H, W); uint8, uint16 or float32 in 0..1.
        visible: (H, W, 3) RGB or (H, W), likewise.
        statistics: what :func:`~lexifuse.statistics.picture_statistics` gave, where that is known.
    """
    height, width = infrared.shape
    patches = np.stack([_patch(infrared, visible, corner) for corner in spread(height, width)])
    return np.concatenate(
        (
            *(_of_plane(patches[..., index]) for index in range(3)),
            _of_whole(infrared, visible),
            picture_statistics(infrared, visible) if statistics is None else statistics,
        )
    ).astype(np.float32)


def spread(height: int, width: int) -> list[Corner]:
    """Row and column of :data:`PATCHES` or fewer patches, on a grid with about the proportions of the picture."""
    rows = min(max(round(math.sqrt(PATCHES * height / width)), 1), PATCHES)
    columns = max(PATCHES // rows, 1)

    def along(length: int, count: int) -> list[int]:
        space = max(length - PATCH, 0)
        return sorted({round(space * (index + 0.5) / count) for index in range(count)})

    return [(row, column) for row in along(height, rows) for column in along(width, columns)]


def _patch(infrared: NDArray[Any], visible: NDArray[Any], corner: Corner) -> NDArray[np.float32]:
    """Infrared, visible luma and red minus green of one patch, (PATCH, PATCH, 3)."""
    area = np.s_[corner[0] : corner[0] + PATCH, corner[1] : corner[1] + PATCH]
    seen = to_float(visible[area])
    chroma = seen[..., 0] - seen[..., 1] if seen.ndim == 3 else np.zeros_like(seen)
    planes = np.stack((to_float(infrared[area]), to_float(luma(seen)), chroma), axis=2)
    below, beside = PATCH - planes.shape[0], PATCH - planes.shape[1]
    return np.pad(planes, ((0, below), (0, beside), (0, 0)), mode="symmetric") if below or beside else planes


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float32]:
    window = np.hanning(PATCH + 2)[1:-1]
    return np.outer(window, window).astype(np.float32)


@lru_cache(maxsize=1)
def _bands() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which numbers of a half spectrum, (PATCH * (PATCH // 2 + 1),), make which band.

    All of them band by band, where each band that has any begins there, and how many each of all bands has.
    """
    down, across = np.fft.fftfreq(PATCH)[:, None], np.fft.rfftfreq(PATCH)[None]
    radius, angle = np.hypot(down, across).ravel(), np.degrees(np.arctan2(np.abs(down), across)).ravel()
    members = [
        np.flatnonzero((radius > inner) & (radius <= outer) & (angle >= low) & (angle < high))
        for inner, outer in itertools.pairwise(_RADII)
        for low, high in itertools.pairwise(_ANGLES)
    ]
    counts = np.array([len(found) for found in members])
    starts = np.cumsum(counts) - counts
    return np.concatenate(members), starts[counts > 0], counts


def _in_bands(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, PATCH * (PATCH // 2 + 1)) to (N, B): the mean over each band, zero over an empty one."""
    order, starts, counts = _bands()
    means = np.zeros((len(power), len(counts)), np.float32)
    # No matrix product: threads of a BLAS wait busily after it, and the network then has to share the cores with them.
    means[:, counts > 0] = np.add.reduceat(power[:, order], starts, axis=1) / counts[counts > 0]
    return means


def _of_plane(patches: NDArray[np.float32]) -> NDArray[Any]:
    """Spectra of (N, PATCH, PATCH) in bands, as percentiles over the patches, and the shape of fine detail."""
    import cv2

    centred = (patches - patches.mean((1, 2), keepdims=True)) * _window()
    power = np.empty((len(patches), PATCH, PATCH // 2 + 1), np.float32)
    for index, patch in enumerate(centred):
        # OpenCV transforms a patch in a tenth of the time that NumPy takes.
        spectrum = cv2.dft(patch, flags=cv2.DFT_COMPLEX_OUTPUT)[:, : PATCH // 2 + 1]
        power[index] = spectrum[..., 0] ** 2 + spectrum[..., 1] ** 2
    levels = np.log10(_in_bands(power.reshape(len(patches), -1)) / PATCH**2 + 1e-7)
    fine = patches[:, 1:-1, 1:-1] - 0.25 * (
        patches[:, :-2, 1:-1] + patches[:, 2:, 1:-1] + patches[:, 1:-1, :-2] + patches[:, 1:-1, 2:]
    )
    deviation = fine.std((1, 2)) + 1e-3
    # Streaks are brighter than what is behind them: they skew the fine detail, noise does not.
    square = fine * fine
    skewness = (square * fine).mean((1, 2)) / deviation**3
    kurtosis = np.log((square * square).mean((1, 2)) / deviation**4 + 1e-3)
    return np.concatenate(
        (
            np.percentile(levels, _PERCENTILES, axis=0).ravel(),
            np.percentile(np.stack((skewness, kurtosis), 1), _PERCENTILES, axis=0).ravel(),
        )
    )


def _of_whole(infrared: NDArray[Any], visible: NDArray[Any]) -> NDArray[Any]:
    """Histograms, dark channel, saturation and their change from top to bottom, of a thumbnail of the whole."""
    import cv2

    side = (PATCH, PATCH)
    heat = to_float(cv2.resize(infrared, side, interpolation=cv2.INTER_AREA))
    seen = to_float(cv2.resize(visible, side, interpolation=cv2.INTER_AREA))
    colour = seen if seen.ndim == 3 else np.repeat(seen[..., None], 3, axis=2)
    channels = cv2.split(colour)
    grey, brightest, darkest = luma(colour), reduce(np.maximum, channels), reduce(np.minimum, channels)
    dark_channel = np.asarray(cv2.erode(darkest, np.ones((5, 5), np.uint8)), np.float32)
    saturation = np.asarray((brightest - darkest) / (brightest + 0.02), np.float32)
    planes = (heat, np.asarray(grey, np.float32), dark_channel, saturation)
    values: list[NDArray[Any]] = [quantiles(plane, _QUANTILES) for plane in planes]
    for plane in planes:
        halves = plane[: PATCH // 2], plane[PATCH // 2 :]
        values.append(np.array([f(half) for half in halves for f in (np.mean, np.std)]))
    clipped = [np.mean(plane >= 0.98) for plane in (heat, grey, brightest)]
    crushed = [np.mean(plane <= 0.02) for plane in (heat, grey, darkest)]
    return np.concatenate((*values, clipped, crushed))
