"""How much information a fused image carries, and how much of it comes from the sources: EN, MI, FMI."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from lexifuse.metrics.planes import Field, Plane, same_size, strips

LEVELS = 256
"""Grey levels of an 8-bit plane."""

FMI_WINDOW = 3
"""Side of the FMI window in pixels."""


def entropy(fused: ArrayLike) -> float:
    """EN, the Shannon entropy of the grey levels: -sum p log2 p over the 256-bin histogram.

    Source: Roberts, van Aardt, Ahmed, "Assessment of image fusion procedures using entropy, image quality, and
    multispectral classification", Journal of Applied Remote Sensing 2008.

    Args:
        fused: (H, W) uint8 luma.

    Returns:
        Bits, 0 (one grey level) .. 8 (all grey levels equally often). More is taken to be better; noise raises it.

    >>> entropy(np.array([[0, 255]], np.uint8))
    1.0
    """
    (plane,) = same_size(fused=fused)
    return _entropy_nats(np.bincount(plane.ravel(), minlength=LEVELS)) / math.log(2)


def mutual_information(infrared: ArrayLike, visible: ArrayLike, fused: ArrayLike) -> float:
    """MI, what the grey levels of the fused image tell of those of both sources: I(F; IR) + I(F; VIS).

    I(F; S) = sum p(f, s) ln(p(f, s) / (p(f) p(s))) over the 256 x 256 joint histogram, in nats.

    Source: Qu, Zhang, Yan, "Information measure for performance of image fusion", Electronics Letters 2002.

    Args:
        infrared: (H, W) uint8 luma.
        visible: likewise, of the same size.
        fused: likewise.

    Returns:
        Nats, 0 .. 2 ln 256 = 11.09. More is better; a copy of one source scores high.
    """
    ir, vis, out = same_size(infrared=infrared, visible=visible, fused=fused)
    return _shared_nats(ir, out) + _shared_nats(vis, out)


def feature_mutual_information(infrared: ArrayLike, visible: ArrayLike, fused: ArrayLike) -> float:
    """FMI, normalised mutual information of 3 x 3 windows, averaged over both sources and all windows.

    Every window, stretched to 0..1 and divided by its sum, is read as a distribution over its nine places. The joint
    distribution of a source window and the fused window is the mixture of independence and of the Fréchet bound that
    has their correlation; FMI is 2 I / (H(source) + H(fused)), and 1 for identical windows.

    Source: Haghighat, Razian, "Fast-FMI: non-reference image fusion metric", AICT 2014, on raw pixels.

    Args:
        infrared: (H, W) uint8 luma.
        visible: likewise, of the same size.
        fused: likewise.

    Returns:
        About 0 .. 1, more is better; NaN when the image is smaller than 3 x 3.
    """
    ir, vis, out = same_size(infrared=infrared, visible=visible, fused=fused)
    if min(out.shape) < FMI_WINDOW:
        return math.nan
    rows = out.shape[0] - FMI_WINDOW + 1
    total = 0.0
    for strip in strips(rows, out.shape[1] * 10):  # 81 joint cells per window
        block = slice(strip.start, strip.stop + FMI_WINDOW - 1)
        total += _window_information(ir[block], out[block]) + _window_information(vis[block], out[block])
    return total / (2 * rows * (out.shape[1] - FMI_WINDOW + 1))


def _entropy_nats(counts: NDArray[np.intp]) -> float:
    share = counts[counts > 0] / counts.sum()
    return abs(float(np.sum(share * np.log(share))))


def _shared_nats(source: Plane, fused: Plane) -> float:
    joint = np.bincount(source.ravel() * np.intp(LEVELS) + fused.ravel(), minlength=LEVELS * LEVELS)
    table = joint.reshape(LEVELS, LEVELS)
    shared = _entropy_nats(table.sum(axis=0)) + _entropy_nats(table.sum(axis=1)) - _entropy_nats(joint)
    return max(0.0, shared)


def _window_information(source: Plane, fused: Plane) -> float:
    """Sum over the windows of a strip of the normalised mutual information of source and fused window."""
    ours, theirs = _windows(source), _windows(fused)
    identical = (ours == theirs).all(axis=1)
    p, q = _as_distribution(ours[~identical]), _as_distribution(theirs[~identical])
    places = np.arange(1, p.shape[1] + 1)
    spread = [np.sqrt(np.maximum((d * places**2).sum(axis=1) - (d * places).sum(axis=1) ** 2, 0)) for d in (p, q)]

    centred_p, centred_q = p - p.mean(axis=1, keepdims=True), q - q.mean(axis=1, keepdims=True)
    norm = np.sqrt((centred_p**2).sum(axis=1) * (centred_q**2).sum(axis=1))
    correlation = _ratio((centred_p * centred_q).sum(axis=1), norm)

    cdf_p, cdf_q = np.cumsum(p, axis=1)[:, :, None], np.cumsum(q, axis=1)[:, None, :]
    rising = correlation[:, None, None] >= 0
    bound = np.where(rising, np.minimum(cdf_p, cdf_q), np.maximum(cdf_p + cdf_q - 1, 0))
    covariance = (bound - cdf_p * cdf_q).sum(axis=(1, 2))
    share = _ratio(correlation * spread[0] * spread[1], covariance)[:, None, None]
    dependent = np.diff(np.diff(bound, axis=1, prepend=0), axis=2, prepend=0)
    joint = share * dependent + (1 - share) * p[:, :, None] * q[:, None, :]

    entropies = _entropies(p) + _entropies(q)
    shared = _ratio(2 * (entropies - _entropies(joint.reshape(-1, p.shape[1] ** 2))), entropies)
    return float(identical.sum() + shared.sum())


def _windows(plane: Plane) -> NDArray[np.float64]:
    views = sliding_window_view(plane, (FMI_WINDOW, FMI_WINDOW))
    return views.transpose(0, 1, 3, 2).reshape(-1, FMI_WINDOW**2).astype(np.float64)  # column by column, as published


def _as_distribution(windows: Field) -> Field:
    low, high = windows.min(axis=1, keepdims=True), windows.max(axis=1, keepdims=True)
    stretched = np.where(high > low, windows - low, 1.0)
    return stretched / stretched.sum(axis=1, keepdims=True)


def _entropies(distributions: Field) -> Field:
    size = np.abs(distributions)  # the mixture can step below zero by a rounding error, or where its share exceeds 1
    return -(distributions * np.log2(np.where(size > 0, size, 1.0))).sum(axis=1)


def _ratio(above: Field, below: Field) -> Field:
    usable = np.abs(below) > 1e-12
    return np.where(usable, above / np.where(usable, below, 1.0), 0.0)
