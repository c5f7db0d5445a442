"""Contrast, sharpness and correlation: SD, SF, AG, SCD, CC."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from lexifuse.metrics.planes import same_size, strips


def standard_deviation(fused: ArrayLike) -> float:
    """SD, the population standard deviation of the grey levels: sqrt(mean((F - mean(F))^2)).

    Source: plain statistics; the field uses it as a measure of contrast.

    Args:
        fused: (H, W) uint8 luma.

    Returns:
        Grey levels, 0 (constant) .. 127.5 (half black, half white). More contrast scores higher.
    """
    (plane,) = same_size(fused=fused)
    return float(plane.std(dtype=np.float64))


def spatial_frequency(fused: ArrayLike) -> float:
    """SF, the root of the mean squared differences of horizontal and of vertical neighbours, added.

    SF = sqrt(mean((F[:, 1:] - F[:, :-1])^2) + mean((F[1:] - F[:-1])^2)); a direction with one pixel counts 0.

    Source: Eskicioglu, Fisher, "Image quality measures and their performance", IEEE Transactions on Communications
    1995, with means over the differences that exist.

    Args:
        fused: (H, W) uint8 luma.

    Returns:
        Grey levels per pixel, 0 (constant) .. 255 sqrt(2) = 360.6 (a chessboard). More is better; noise raises it.
    """
    (plane,) = same_size(fused=fused)
    values = plane.astype(np.float64)
    power = sum(float(np.mean(np.diff(values, axis=axis) ** 2)) for axis in (0, 1) if values.shape[axis] > 1)
    return math.sqrt(power)


def average_gradient(fused: ArrayLike) -> float:
    """AG, the mean of sqrt((Gx^2 + Gy^2) / 2) with central differences (one-sided at the border).

    A direction with one pixel has the gradient 0.

    Source: Cui, Feng, Xu, Li, Chen, "Detail preserved fusion of visible and infrared images using regional saliency
    extraction and multi-scale image decomposition", Optics Communications 2015.

    Args:
        fused: (H, W) uint8 luma.

    Returns:
        Grey levels per pixel, 0 (constant) .. 255. More is better; noise raises it.
    """
    (plane,) = same_size(fused=fused)
    total = 0.0
    for strip in strips(*plane.shape):
        top, bottom = max(strip.start - 1, 0), min(strip.stop + 1, plane.shape[0])  # the neighbours' rows
        values = plane[top:bottom].astype(np.float64)
        power = np.zeros_like(values)
        for axis in (0, 1):
            if values.shape[axis] > 1:
                power += np.square(np.gradient(values, axis=axis))
        total += float(np.sqrt(power[strip.start - top : strip.stop - top] / 2).sum())
    return total / plane.size


def sum_of_correlations_of_differences(infrared: ArrayLike, visible: ArrayLike, fused: ArrayLike) -> float:
    """SCD, corr(IR, F - VIS) + corr(VIS, F - IR): what was added to one source should look like the other.

    Source: Aslantas, Bendes, "A new image quality metric for image fusion: the sum of the correlations of
    differences", AEU International Journal of Electronics and Communications 2015.

    Args:
        infrared: (H, W) uint8 luma.
        visible: likewise, of the same size.
        fused: likewise.

    Returns:
        -2 .. 2, more is better; NaN when a source or a difference is constant (a correlation is undefined).
    """
    cov = _covariances(infrared, visible, fused)
    ir, vis, out = range(3)

    def agreement(source: int, other: int) -> float:
        variance_of_difference = cov[out][out] + cov[other][other] - 2 * cov[out][other]
        return _correlation(cov[source][out] - cov[source][other], cov[source][source], variance_of_difference)

    return agreement(ir, vis) + agreement(vis, ir)


def correlation_coefficient(infrared: ArrayLike, visible: ArrayLike, fused: ArrayLike) -> float:
    """CC, the mean of the Pearson correlations of the fused image with both sources: (corr(F, IR) + corr(F, VIS)) / 2.

    Source: Deshmukh, Bhosale, "Image fusion and image quality assessment of fused images", International Journal of
    Image Processing 2010.

    Args:
        infrared: (H, W) uint8 luma.
        visible: likewise, of the same size.
        fused: likewise.

    Returns:
        -1 .. 1, more is better; NaN when an image is constant.
    """
    cov = _covariances(infrared, visible, fused)
    return sum(_correlation(cov[source][2], cov[source][source], cov[2][2]) for source in (0, 1)) / 2


def _covariances(infrared: ArrayLike, visible: ArrayLike, fused: ArrayLike) -> list[list[int]]:
    """n^2 times the covariances of the three planes, exact."""
    planes = same_size(infrared=infrared, visible=visible, fused=fused)
    values = [plane.ravel().astype(np.float64) for plane in planes]
    sums = [int(plane.sum(dtype=np.int64)) for plane in planes]
    # sums of products of bytes are exact in float64; einsum, since the threads of a BLAS get in each other's way here
    return [
        [values[0].size * int(np.einsum("i,i->", one, other)) - sums[i] * sums[j] for j, other in enumerate(values)]
        for i, one in enumerate(values)
    ]


def _correlation(covariance: int, variance: int, other_variance: int) -> float:
    energy = variance * other_variance
    return covariance / math.sqrt(energy) if energy else math.nan
