"""Distance to an image that is known to be right: PSNR (also to both sources of a fusion) and the chroma error."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lexifuse.errors import InputError
from lexifuse.metrics.planes import eight_bit, same_size

PEAK = 255.0
"""The largest 8-bit grey level."""


def psnr(image: ArrayLike, reference: ArrayLike) -> float:
    """Peak signal-to-noise ratio of an image to a reference: 10 log10(255^2 / mean((X - R)^2)).

    Source: plain signal processing. For the similarity of structure see :func:`lexifuse.metrics.ssim`.

    Args:
        image: (H, W) uint8 luma.
        reference: likewise, of the same size.

    Returns:
        Decibels, 0 .. infinity (identical); more is better.
    """
    return _decibels(_squared_error(*same_size(image=image, reference=reference)))


def fusion_psnr(infrared: ArrayLike, visible: ArrayLike, fused: ArrayLike) -> float:
    """PSNR of a fusion: 10 log10(255^2 / MSE) with the mean of both sources' MSE to the fused image.

    Rewards the average of both sources, which has the smallest possible error.

    Source: Ma, Ma, Li, "Infrared and visible image fusion methods and applications: a survey", Information Fusion 2019.

    Args:
        infrared: (H, W) uint8 luma.
        visible: likewise, of the same size.
        fused: likewise.

    Returns:
        Decibels, 0 .. infinity (all three identical); more is taken to be better.
    """
    ir, vis, out = same_size(infrared=infrared, visible=visible, fused=fused)
    return _decibels((_squared_error(ir, out) + _squared_error(vis, out)) / 2)


def chroma_error(visible: ArrayLike, fused: ArrayLike) -> float:
    """Mean distance of the fused image's colour from the visible image's, in the chroma plane.

    mean(sqrt((Cb_F - Cb_V)^2 + (Cr_F - Cr_V)^2)) with the full-range chroma of ITU-R BT.601,
    Cb = 0.564 (B - Y), Cr = 0.713 (R - Y). Brightness does not count; a grey image has no chroma.

    Args:
        visible: (H, W, 3) RGB or (H, W) grey; uint8, uint16, or float 0..1.
        fused: likewise, of the same height and width.

    Returns:
        8-bit levels, 0 (the same colours) .. 272.2 (green and magenta); less is better.

    Raises:
        InputError: the sizes differ, or an image cannot be read as :func:`lexifuse.metrics.luma` does.
    """
    planes = [_chroma(image) for image in (visible, fused)]
    (height, width), (other_height, other_width) = (plane.shape[1:] for plane in planes)
    if planes[0].shape != planes[1].shape:
        raise InputError(
            f"fused is {other_width}x{other_height} but visible is {width}x{height}: images must be of the same size"
        )
    return float(np.mean(np.hypot(*(planes[1] - planes[0]))))


def _chroma(image: ArrayLike) -> NDArray[np.float64]:
    """Cb and Cr, (2, H, W), around 0."""
    pixels = eight_bit(image).astype(np.float64)
    if pixels.ndim == 2:
        return np.zeros((2, *pixels.shape))
    red, green, blue = np.moveaxis(pixels, 2, 0)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.stack([0.564 * (blue - grey), 0.713 * (red - grey)])


def _squared_error(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(cv2.norm(one, other, cv2.NORM_L2SQR)) / one.size


def _decibels(squared_error: float) -> float:
    return 10 * math.log10(PEAK**2 / squared_error) if squared_error > 0 else math.inf
