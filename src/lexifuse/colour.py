"""The colours of a picture that noise was taken out of: those of the noisy one, smoothed along the edges of the clean.

Noise hides fine detail, but the colour of an area is still in its mean. A small network that takes noise out takes half
of the colour with it; the guided filter (He, Sun and Tang, "Guided image filtering", 2013) does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.instruction import ASKED_FOR, Instruction
from lexifuse.pixels import from_float, to_float

_RADIUS = 8  # pixels of the windows in which colour is a linear function of brightness
_EPSILON = 0.0008  # variance of brightness, of 1, below which an area has one colour
_MARGIN = 4 * _RADIUS  # rows beyond which nothing has a part in a pixel
_ROWS = 1024
_SHRINK = 4
_WEIGHTS = (0.299, 0.587, 0.114)  # of red, green and blue in brightness
_FROM, _FULLY = 0.1, ASKED_FOR  # severities of noise: below the first nothing is done, from the second all of it
_DARKEST = 0.015  # brightness that is added before two are divided
_LEAST_GAIN, _MOST_GAIN = 0.25, 8.0


def recolour(fused: NDArray[Any], visible: NDArray[Any], done: Instruction) -> NDArray[Any]:
    """Give a fused picture that noise was taken out of the colours of the visible picture.

    Args:
        fused: (H, W, 3) RGB; uint8, uint16 or float32 in 0..1. A grey one is returned as it is.
        visible: the noisy picture, of the same shape; any of these types.
        done: what was carried out; without ``visible.noise`` the picture is returned as it is.

    Returns:
        The brightness of ``fused`` and the smoothed colours of ``visible``, in the type of ``fused``. Where darkness
        was repaired, too, colours grow with the brightness.
    """
    share = min(max((done.severity("visible.noise") - _FROM) / (_FULLY - _FROM), 0.0), 1.0)
    if fused.ndim != 3 or not share:
        return fused
    grows = done.severity("visible.low_light") >= ASKED_FOR
    result = np.empty_like(fused)
    for rows, around, inner in _bands(fused.shape[0]):
        band = _recoloured(to_float(fused[around]), to_float(visible[around]), share, grows=grows)
        result[rows] = from_float(band[inner], fused.dtype)
    return result


def _bands(height: int) -> Iterator[tuple[slice, slice, slice]]:
    """Rows of the picture, the same with a margin, and where they lie in that."""
    for top in range(0, height, _ROWS):
        bottom = min(top + _ROWS, height)
        first = max(top - _MARGIN, 0)
        yield slice(top, bottom), slice(first, min(bottom + _MARGIN, height)), slice(top - first, bottom - first)


def _recoloured(fused: NDArray[Any], visible: NDArray[Any], share: float, *, grows: bool) -> NDArray[Any]:
    """The same for a part of the picture, (H, W, 3) RGB float32 in 0..1; what comes out may lie a little outside.

    What makes colours of brightness is found in a picture of a quarter of the size (He and Sun, "Fast guided filter",
    2015).
    """
    import cv2

    height, width = fused.shape[:2]
    bright = cv2.cvtColor(np.ascontiguousarray(fused), cv2.COLOR_RGB2GRAY)
    guide, noisy = _quarter(bright), _quarter(visible)
    dim = cv2.cvtColor(noisy, cv2.COLOR_RGB2GRAY)
    gain: Any = 1.0
    if grows:
        gain = np.clip((_mean(guide) + _DARKEST) / (_mean(dim) + _DARKEST), _LEAST_GAIN, _MOST_GAIN)
    mean = _mean(guide)
    variance = _mean(guide * guide) - mean * mean + np.float32(_EPSILON)
    added = []
    for channel in (0, 2):
        colour = (noisy[..., channel] - dim) * gain
        level = _mean(colour)
        slope = (_mean(guide * colour) - mean * level) / variance
        added.append(_full(_mean(slope), height, width) * bright + _full(_mean(level - slope * mean), height, width))
    red, blue = added
    # Brightness stays: what red and blue add, green takes back.
    green = np.float32(-_WEIGHTS[0] / _WEIGHTS[1]) * red - np.float32(_WEIGHTS[2] / _WEIGHTS[1]) * blue
    result = cv2.merge([bright + red, bright + green, bright + blue])
    if share < 1.0:
        result = fused + np.float32(share) * (result - fused)
    return result


def _quarter(image: NDArray[Any]) -> NDArray[Any]:
    """A picture of a quarter of the size, each pixel the mean of sixteen; what is missing of these repeats the edge."""
    import cv2

    height, width = image.shape[:2]
    bottom, right = -height % _SHRINK, -width % _SHRINK
    whole = np.ascontiguousarray(image)
    if bottom or right:
        whole = cv2.copyMakeBorder(whole, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    size = whole.shape[1] // _SHRINK, whole.shape[0] // _SHRINK
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA))


def _full(plane: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """A plane of a quarter of the size in full size."""
    import cv2

    size = plane.shape[1] * _SHRINK, plane.shape[0] * _SHRINK
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR))[:height, :width]


def _mean(plane: NDArray[Any]) -> NDArray[Any]:
    """The mean over a window around each pixel of a picture of a quarter of the size."""
    import cv2

    side = 2 * (_RADIUS // _SHRINK) + 1
    return np.asarray(cv2.blur(plane, (side, side), borderType=cv2.BORDER_REPLICATE))
