"""The pixels that every metric sees: 8-bit luma planes of one size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lexifuse.errors import InputError

Plane = NDArray[np.uint8]
"""A luma plane: (H, W), uint8, 0..255."""

Field = NDArray[Any]
"""Real numbers, one per pixel: (H, W), float64."""


STRIP = 25_000
"""Pixels that are worked on at a time."""


def luma(image: ArrayLike) -> Plane:
    """The 8-bit luma that all metrics are computed on.

    An image that is not 8-bit is scaled to 0..255 and rounded first; then Y = 0.299 R + 0.587 G + 0.114 B, rounded to
    the nearest integer. A grey image is its own luma.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) RGB; uint8, uint16, or float 0..1.

    Returns:
        (H, W) uint8, 0..255.

    Raises:
        InputError: another shape or type, no pixels, NaN or infinite pixels.

    >>> int(luma(np.array([[[255, 0, 0]]], np.uint8))[0, 0])
    76
    """
    pixels = eight_bit(image)
    if pixels.ndim == 2:
        return pixels
    return np.rint(cv2.cvtColor(pixels.astype(np.float32), cv2.COLOR_RGB2GRAY)).astype(np.uint8)


def eight_bit(image: ArrayLike) -> NDArray[np.uint8]:
    """The image as uint8, in its own shape; (H, W, 1) becomes (H, W). Arguments and errors as in :func:`luma`."""
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim != 2 and not (pixels.ndim == 3 and pixels.shape[2] == 3):
        raise InputError(f"an image must have the shape (H, W) or (H, W, 3), not {pixels.shape}")
    if pixels.size == 0:
        raise InputError(f"an image without pixels cannot be measured: its shape is {pixels.shape}")
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return np.rint(pixels / 257.0).astype(np.uint8)
    if not np.issubdtype(pixels.dtype, np.floating):
        raise InputError(f"pixels must be uint8, uint16 or float from 0 to 1, not {pixels.dtype}")
    _refuse_nan("image", pixels)
    return np.rint(np.clip(pixels, 0, 1) * 255.0).astype(np.uint8)


def same_size(**planes: ArrayLike) -> tuple[Plane, ...]:
    """Check that the named arguments are luma planes of one size, and return them in the order given.

    Raises:
        InputError: a plane is not (H, W) uint8, is empty, has NaN pixels, or differs in size from the first.
    """
    arrays = {name: np.asarray(plane) for name, plane in planes.items()}
    for name, array in arrays.items():
        _refuse_nan(name, array)
        if array.dtype != np.uint8 or array.ndim != 2:
            raise InputError(f"{name} must be an 8-bit luma plane (H, W), not {array.dtype} {array.shape}: use luma()")
        if array.size == 0:
            raise InputError(f"{name} has no pixels: its shape is {array.shape}")
    (first, expected), *others = arrays.items()
    for name, array in others:
        if array.shape != expected.shape:
            raise InputError(
                f"{name} is {_size(array)} but {first} is {_size(expected)}: images must be of the same size"
            )
    return tuple(arrays.values())


def strips(rows: int, columns: int) -> Iterator[slice]:
    """Slices of rows of about :data:`STRIP` pixels: what is computed strip by strip stays in the processor's cache,
    which halves the time of metrics that are sums over pixels.
    """
    step = max(1, STRIP // columns)
    for top in range(0, rows, step):
        yield slice(top, min(top + step, rows))


def _size(plane: NDArray[Any]) -> str:
    return f"{plane.shape[1]}x{plane.shape[0]}"


def _refuse_nan(name: str, array: NDArray[Any]) -> None:
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        raise InputError(f"{name} has pixels that are NaN or infinite: replace them before measuring")
