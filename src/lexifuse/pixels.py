"""Arrays as pictures: what is allowed, change of depth, luma, and whether there is colour."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lexifuse.errors import InputError

NIGHT_LUMA = 62 / 255
"""Mean luma, 0..1, below which a visible picture counts as taken at night."""

_SAMPLE = 1_000_000
"""Pixels looked at to tell colour from grey."""

_JPEG_TOLERANCE = 12 / 255
"""Channels of a grey picture stored as colour JPEG stay this close together."""

_COLOURED_SHARE = 0.005
"""A picture is in colour if the channels of at least this share of its pixels lie further apart."""


class ValuesError(InputError):
    """Numbers that are no picture as they stand, and could be one if it were known which is black and which white."""


def check_pixels(image: NDArray[Any], where: str, *, measured: bool = False) -> NDArray[Any]:
    """The array in native byte order if it can be used as a picture.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); uint8, uint16, or floats in 0..1 (which become float32).
        where: how messages name it.
        measured: allow numbers of any range; whatever is not uint8 or uint16 becomes float32.

    Raises:
        ValuesError: the numbers are too large, or have a sign.
        InputError: wrong number of dimensions or channels, dtype, NaN, or no pixels.
    """
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise InputError(f"{where} has shape {image.shape}: give (height, width) or (height, width, 3)")
    if not image.size:
        raise InputError(f"{where} has no pixels (shape {image.shape}): give at least one")
    if image.dtype.kind == "f":
        low, high = float(image.min()), float(image.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise InputError(f"{where} holds NaN or infinite values: replace them first")
        if (low < 0 or high > 1) and not measured:
            raise ValuesError(f"{where} holds values from {low:g} to {high:g}: scale float pictures to 0..1 first")
        return image.astype(np.float32, copy=False)
    if image.dtype.kind != "u" or image.dtype.itemsize > 2:
        numbers = image.dtype.kind in "iu"
        if numbers and measured:
            return image.astype(np.float32)
        kind = ValuesError if numbers else InputError
        raise kind(f"{where} is of type {image.dtype}: convert it to uint8, uint16 or float32 in 0..1")
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def split_alpha(image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """(H, W[, C]) with C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA -> (H, W) or (H, W, 3), and (H, W) alpha or None."""
    if image.ndim == 2 or image.shape[2] == 3:
        return image, None
    alpha = np.ascontiguousarray(image[..., -1]) if image.shape[2] in (2, 4) else None
    colour = image[..., :3] if image.shape[2] == 4 else image[..., 0]
    return np.ascontiguousarray(colour), alpha


def upright(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation, 1 (as it is) to 8, to (H, W) or (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def inverted(image: NDArray[Any]) -> NDArray[Any]:
    """White for black: uint8, uint16, or floats in 0..1. Numbers that are no shades stay as they are."""
    if image.dtype.kind == "u":
        return np.invert(image)
    if image.dtype.kind == "f" and image.size and image.min() >= 0 and image.max() <= 1:
        return 1 - image
    return image


def to_float(image: NDArray[Any]) -> NDArray[np.float32]:
    """An array of any allowed dtype as float32 in 0..1 (a float32 array is returned as it is)."""
    if image.dtype.kind == "f":
        return image.astype(np.float32, copy=False)
    return np.divide(image, np.float32(np.iinfo(image.dtype).max), dtype=np.float32)


def from_float(image: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Undo :func:`to_float`: floats in 0..1 to ``dtype``, clipped, and rounded to the nearest step."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return np.clip(image, 0, 1).astype(dtype, copy=False)
    top = np.iinfo(dtype).max
    scaled = np.multiply(image, np.float32(top), dtype=np.float32)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, 0, top, out=scaled).astype(dtype)


def change_depth(image: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """The same picture in another of the allowed dtypes, rounded to the nearest step; no copy if it has it already."""
    dtype = np.dtype(dtype)
    if image.dtype == dtype:
        return image
    if (image.dtype, dtype) == (np.uint16, np.uint8):
        import cv2

        # A detour over floats would take four times the memory of the picture.
        return cv2.convertScaleAbs(image, alpha=255 / 65535)
    return from_float(to_float(image), dtype)


def luma(image: NDArray[Any]) -> NDArray[Any]:
    """0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) of (H, W, 3) as (H, W) of the same dtype; grey stays as it is."""
    if image.ndim == 2:
        return image
    import cv2

    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)


def mean_luma(image: NDArray[Any]) -> float:
    """The mean luma, 0..1, of (H, W) or (H, W, 3); of a picture of many million pixels, a sample of them."""
    step = max(1, math.isqrt(image.shape[0] * image.shape[1] // _SAMPLE))
    return float(to_float(luma(image[::step, ::step])).mean())


def is_night(image: NDArray[Any]) -> bool:
    """True if a visible picture, (H, W) or (H, W, 3), was taken in the dark: a mean luma below :data:`NIGHT_LUMA`."""
    return mean_luma(image) < NIGHT_LUMA


def is_coloured(image: NDArray[Any]) -> bool:
    """True if (H, W, 3) holds visible colour: more than JPEG leaves in a grey picture stored as RGB."""
    if image.ndim == 2:
        return False
    step = max(1, math.isqrt(image.shape[0] * image.shape[1] // _SAMPLE))
    sample = to_float(image[::step, ::step])
    spread = sample.max(axis=2) - sample.min(axis=2)
    return float(np.mean(spread > _JPEG_TOLERANCE)) >= _COLOURED_SHARE
