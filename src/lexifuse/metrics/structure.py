"""How much of the sources' structure survives: SSIM and pixel-domain VIF."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

from lexifuse.metrics.planes import Field, Plane, same_size, strips

SSIM_WINDOW = 7
"""Side of the uniform SSIM window in pixels."""

VIF_SCALES = 4
"""Scales of the visual information fidelity; the largest window has 17 x 17 pixels."""

VIF_NOISE = 2.0
"""Variance of the visual noise, sigma_nsq, in squared grey levels."""

_TINY = 1e-10


def structural_similarity(
    infrared: ArrayLike, visible: ArrayLike, fused: ArrayLike, data_range: float = 255.0
) -> float:
    """SSIM summed over both sources: SSIM(F, IR) + SSIM(F, VIS), each as :func:`ssim` computes it.

    Args:
        infrared: (H, W) uint8 luma.
        visible: likewise, of the same size.
        fused: likewise.
        data_range: L in the constants. 255 is right for 8-bit luma; 2 on the same values gives "SSIM_literature",
            what the widely used public evaluator computes, kept for comparison with printed tables only.

    Returns:
        -2 .. 2, more is better; NaN when the image is smaller than 7 x 7.
    """
    *sources, out = same_size(infrared=infrared, visible=visible, fused=fused)
    return _ssim(sources, out, data_range)


def ssim(image: ArrayLike, reference: ArrayLike, data_range: float = 255.0) -> float:
    """Structural similarity of an image to a reference: uniform 7 x 7 window, sample covariance, mean without borders.

    SSIM = (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sx^2 + sy^2 + C2)), C1 = (0.01 L)^2, C2 = (0.03 L)^2, in
    every window that lies inside the image.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Transactions on Image Processing 2004.

    Args:
        image: (H, W) uint8 luma.
        reference: likewise, of the same size.
        data_range: L, the span of the grey levels.

    Returns:
        -1 .. 1 (identical); NaN when the image is smaller than 7 x 7.
    """
    one, other = same_size(image=image, reference=reference)
    return _ssim([other], one, data_range)


def visual_information_fidelity(infrared: ArrayLike, visible: ArrayLike, fused: ArrayLike) -> float:
    """VIF summed over both sources: VIF(IR, F) + VIF(VIS, F), pixel domain, four scales.

    VIF(S, F) = sum log10(1 + g^2 s^2 / (v^2 + n)) / sum log10(1 + s^2 / n), over all windows of all scales: s^2 is the
    local variance of the source, g the gain and v^2 the residual of predicting F from it, n = 2. Gaussian windows of
    N = 17, 9, 5 and 3 pixels with sigma N/5, only where they fit; each scale is the last one's, smoothed by its own
    window, at every second pixel.

    Source: Sheikh, Bovik, "Image information and visual quality", IEEE Transactions on Image Processing 2006 (their
    pixel-domain release, vifp); summed over the sources as in the fusion literature.

    Args:
        infrared: (H, W) uint8 luma.
        visible: likewise, of the same size.
        fused: likewise.

    Returns:
        0 .. about 2, more is better, above 1 per source where the fused image has more contrast than it. Scales that
        the image is too small for are left out; NaN below 17 x 17, or when a source is constant.
    """
    ir, vis, out = (plane.astype(np.float64) for plane in same_size(infrared=infrared, visible=visible, fused=fused))
    kept, present = np.zeros(2), np.zeros(2)
    for scale in range(1, VIF_SCALES + 1):
        size = 2 ** (VIF_SCALES - scale + 1) + 1
        window = cv2.getGaussianKernel(size, size / 5.0, cv2.CV_64F)
        if scale > 1 and min(out.shape) >= size:
            ir, vis, out = (np.ascontiguousarray(_filter(plane, window)[::2, ::2]) for plane in (ir, vis, out))
        if min(out.shape) < size:
            break
        for rows in strips(out.shape[0] - size + 1, out.shape[1]):
            block = slice(rows.start, rows.stop + size - 1)
            information = _information((ir[block], vis[block]), out[block], window)
            kept += information[0]
            present += information[1]
    return float((kept / present).sum()) if (present > 0).all() else math.nan


def _ssim(sources: Sequence[Plane], fused: Plane, data_range: float) -> float:
    """Sum over the sources of the mean similarity."""
    rows, columns = (side - SSIM_WINDOW + 1 for side in fused.shape)
    if min(rows, columns) < 1:
        return math.nan
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    total = 0.0
    for strip in strips(rows, columns):
        block = slice(strip.start, strip.stop + SSIM_WINDOW - 1)
        values = fused[block].astype(np.float64)
        mean = _box(values)
        square = mean * mean
        variance = _sample_covariance(values * values, square)
        for source in sources:
            others = source[block].astype(np.float64)
            other_mean = _box(others)
            other_square, means = other_mean * other_mean, mean * other_mean
            spread = variance + _sample_covariance(others * others, other_square)
            similarity = (2 * means + c1) * (2 * _sample_covariance(values * others, means) + c2)
            total += float((similarity / ((square + other_square + c1) * (spread + c2))).sum())
    return total / (rows * columns)


def _box(plane: Field) -> Field:
    border = SSIM_WINDOW // 2
    mean = cv2.boxFilter(plane, -1, (SSIM_WINDOW, SSIM_WINDOW), borderType=cv2.BORDER_CONSTANT)
    return mean[border:-border, border:-border]


def _sample_covariance(product: Field, product_of_means: Field) -> Field:
    count = SSIM_WINDOW**2
    return (_box(product) - product_of_means) * (count / (count - 1))


def _filter(plane: Field, window: Field) -> Field:
    """The windowed mean where the window lies inside the plane."""
    border = len(window) // 2
    return cv2.sepFilter2D(plane, -1, window, window, borderType=cv2.BORDER_CONSTANT)[border:-border, border:-border]


def _local_moments(plane: Field, window: Field) -> tuple[Field, Field]:
    mean = _filter(plane, window)
    return mean, np.maximum(_filter(plane * plane, window) - mean * mean, 0)


def _information(sources: Sequence[Field], fused: Field, window: Field) -> Field:
    """Information of each source that the fused image keeps, and that is in the source, at one scale: (2, sources)."""
    fused_mean, fused_variance = _local_moments(fused, window)
    kept, present = [], []
    for source in sources:
        mean, variance = _local_moments(source, window)
        covariance = _filter(source * fused, window) - mean * fused_mean
        gain = np.maximum(covariance / (variance + _TINY), 0)
        gain[variance < _TINY] = 0
        residual = np.maximum(fused_variance - gain * covariance, 0)
        kept.append(cv2.log(1 + gain * gain * variance / (residual + VIF_NOISE)).sum())
        present.append(cv2.log(1 + variance / VIF_NOISE).sum())
    return np.array([kept, present])
