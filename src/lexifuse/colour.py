"""The colours of a picture that noise was taken out of: those of the noisy one, smoothed along the edges of the clean.

Noise hides fine detail, but the colour of an area is still in its mean. A small network that takes noise out takes half
of the colour with it; the guided filter (He, Sun and Tang, "Guided image filtering", 2013) does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.instruction import Instruction
from lexifuse.pixels import change_depth, to_float

_RADIUS = 8  # pixels of the windows in which colour is a linear function of brightness
_EPSILON = 0.0008  # variance of brightness, of 1, below which an area has one colour
_MARGIN = 4 * _RADIUS  # rows beyond which nothing has a part in a pixel
_ROWS = 1024
_FROM, _FULLY = 0.1, 0.2  # severities of noise: below the first nothing is done, from the second all of it
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
    grows = done.severity("visible.low_light") > 0
    result = np.empty_like(fused)
    for rows, around, inner in _bands(fused.shape[0]):
        band = _recoloured(to_float(fused[around]), to_float(visible[around]), share, grows=grows)
        result[rows] = change_depth(band[inner], fused.dtype)
    return result


def _bands(height: int) -> Iterator[tuple[slice, slice, slice]]:
    """Rows of the picture, the same with a margin, and where they lie in that."""
    for top in range(0, height, _ROWS):
        bottom = min(top + _ROWS, height)
        first = max(top - _MARGIN, 0)
        yield slice(top, bottom), slice(first, min(bottom + _MARGIN, height)), slice(top - first, bottom - first)


def _recoloured(fused: NDArray[Any], visible: NDArray[Any], share: float, *, grows: bool) -> NDArray[Any]:
    import cv2

    out, noisy = (cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2YCrCb) for image in (fused, visible))
    guide = out[..., 0]
    gain: Any = 1.0
    if grows:
        gain = (_mean(guide) + _DARKEST) / (_mean(noisy[..., 0]) + _DARKEST)
        gain = np.clip(gain, _LEAST_GAIN, _MOST_GAIN)
    mean = _mean(guide)
    variance = _mean(guide * guide) - mean * mean + np.float32(_EPSILON)
    for channel in (1, 2):
        colour = (noisy[..., channel] - np.float32(0.5)) * gain
        level = _mean(colour)
        slope = (_mean(guide * colour) - mean * level) / variance
        smooth = _mean(slope) * guide + _mean(level - slope * mean) + np.float32(0.5)
        out[..., channel] += np.float32(share) * (smooth - out[..., channel])
    return np.clip(cv2.cvtColor(out, cv2.COLOR_YCrCb2RGB), 0.0, 1.0)


def _mean(plane: NDArray[Any]) -> NDArray[Any]:
    """The mean over a window around each pixel."""
    import cv2

    side = 2 * _RADIUS + 1
    return np.asarray(cv2.blur(plane, (side, side), borderType=cv2.BORDER_REFLECT_101))
