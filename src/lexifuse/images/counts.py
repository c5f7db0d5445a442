"""Raw counts of a camera: the range of them that is worth showing, and stretching it to all of the 16 bits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import UsageError

_SAMPLE = 1_000_000  # pixels that a range is taken of
_MOST = 65535
_RAW_COUNTS = 0.25  # share of the 16 bits: what 14 of them fill at most
_NOISE_ALONE = 0.001  # share of the 16 bits that a covered lens may fill: 65 counts
_FEW = 1_000  # pixels that are too few to tell a range
_OUTLIERS = 0.001  # share of the pixels at either end: dead and stuck ones
_MARGIN = 0.05  # of the range, left at either end
_APART = 0.1  # of the range: how far above zero a picture starts whose zeros are none of it
_BLUR = 9  # pixels across which a warp mixes its border into the picture
_ROWS = 512
_DEPTHS = (8, 10, 12, 14)  # bits of cameras that are stored in 16


def checked_range(infrared_range: Sequence[float]) -> tuple[float, float]:
    """The two numbers of a range that was asked for.

    Raises:
        UsageError: it is not two finite numbers, the lower first.
    """
    try:
        if isinstance(infrared_range, (str, bytes, Mapping)):
            raise TypeError
        low, high = (float(number) for number in infrared_range)
    except (TypeError, ValueError, OverflowError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(
            f"infrared_range takes two numbers, the one that becomes black and a larger one that becomes white, such "
            f"as (7000, 8500), not {' '.join(repr(infrared_range).split())[:60]}"
        )
    return low, high


def parse_range(text: str, option: str) -> tuple[float, float]:
    """A range as it is typed: ``LOW,HIGH``.

    Args:
        text: such as ``7000,8500``.
        option: what the user set it with, for the error.

    Raises:
        UsageError: it is not two finite numbers, the lower first.
    """
    try:
        return checked_range([float(part) for part in text.split(",")])
    except (UsageError, ValueError):
        raise UsageError(
            f"{option} takes LOW,HIGH, two numbers with the lower first, such as 7000,8500, not '{text[:60]}'"
        ) from None


def of_range(infrared: NDArray[Any], low: float, high: float) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
    """An infrared picture with ``low`` as black and ``high`` as white.

    Args:
        infrared: (H, W) of any real numbers: counts, kelvin, degrees Celsius.
        low: becomes 0, as everything below it does.
        high: becomes 65535, as everything above it does.

    Returns:
        (H, W), and a note if nothing of the picture lies in the range.
    """
    least, most = float(infrared.min()), float(infrared.max())
    outside = most <= low or least >= high
    note = f"the infrared picture holds values from {least:g} to {most:g}, none of them in {low:g} to {high:g}"
    return _stretched(infrared, low, high), (note,) if outside else ()


def of_full_range(infrared: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Raw counts, 12 or 14 bits of 16, brought to the whole range, and a note; any other picture as it is.

    Args:
        infrared: (H, W); uint8, uint16 or float32 in 0..1.
    """
    if infrared.dtype != np.uint16 or infrared.size < _FEW:
        return infrared, ()
    low, high = _span(_told(infrared))
    share = (high - low) / _MOST
    if not _NOISE_ALONE < share < _RAW_COUNTS:
        return infrared, ()
    margin = _MARGIN * (high - low)
    low, high = max(low - margin, 0.0), min(high + margin, float(_MOST))
    note = (
        f"the infrared picture fills {share:.1%} of its 16 bits, as raw counts do: {low:.0f} to {high:.0f} were "
        "stretched to all of it"
    )
    return _stretched(infrared, low, high), (note,)


def raw_visible(visible: NDArray[Any]) -> tuple[str, ...]:
    """A note on a visible picture of 16 bits that may be raw counts of fewer.

    It is not stretched: a night is dark, and how dark is known to the camera alone.

    Args:
        visible: (H, W, 3) or (H, W); uint8, uint16 or float32 in 0..1.
    """
    if visible.dtype != np.uint16 or visible.size < _FEW:
        return ()
    most = int(visible.max())
    bits = next((bits for bits in _DEPTHS if 0 < most < 2**bits), None)
    if bits is None:
        return ()
    return (
        f"the visible picture uses {most / _MOST:.1%} of its 16 bits (nothing is above {most}): if these are raw "
        f"counts of {bits} bits, multiply them by {2 ** (16 - bits)}",
    )


def _told(infrared: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The pixels that tell the range: without what lies around a warped picture, and without saturated ones.

    Both are one value, 0 or the largest of all, set apart from every other.
    """
    step = max(1, round((infrared.size / _SAMPLE) ** 0.5))
    counts = infrared[::step, ::step].ravel()
    nothing = infrared == 0
    if nothing.any():
        import cv2

        around = cv2.dilate(nothing.view(np.uint8), np.ones((_BLUR, _BLUR), np.uint8))
        rest = infrared[::step, ::step][around[::step, ::step] == 0]
        if rest.size >= _FEW:
            low, high = _span(rest)
            counts = rest if low > _APART * (high - low) else counts
    rest = counts[counts < counts.max()]
    if rest.size >= _FEW:
        low, high = _span(rest)
        counts = rest if int(counts.max()) - int(rest.max()) > high - low else counts
    return counts


def _span(counts: NDArray[np.uint16]) -> tuple[float, float]:
    low, high = np.quantile(counts, (_OUTLIERS, 1 - _OUTLIERS)).tolist()
    return low, high


def _stretched(infrared: NDArray[Any], low: float, high: float) -> NDArray[np.uint16]:
    stretched = np.empty(infrared.shape, np.uint16)
    for start in range(0, len(infrared), _ROWS):  # a strip at a time, so that memory stays bounded
        with np.errstate(over="ignore"):  # what is far beyond a narrow range is clipped
            strip = (infrared[start : start + _ROWS].astype(np.float64) - low) * (_MOST / (high - low))
        stretched[start : start + _ROWS] = np.rint(np.clip(strip, 0, _MOST))
    return stretched
