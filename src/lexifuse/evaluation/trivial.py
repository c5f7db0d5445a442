"""Fusions that need no training: the rows that every method should beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np

from lexifuse.metrics.planes import Field, Plane, same_size

PYRAMID_LEVELS = 4
"""Levels of detail in the Laplacian pyramid, fewer where the image is too small for them."""


def average(infrared: Plane, visible: Plane) -> Plane:
    """The mean of both images, rounded to the nearest integer (half to even, as :func:`numpy.rint`).

    Args:
        infrared: (H, W) uint8 luma; here and in the functions below.
        visible: likewise, of the same size.

    Returns:
        (H, W) uint8.
    """
    infrared, visible = same_size(infrared=infrared, visible=visible)
    return np.rint((infrared.astype(np.float64) + visible) / 2).astype(np.uint8)


def maximum(infrared: Plane, visible: Plane) -> Plane:
    """The brighter pixel of both images."""
    infrared, visible = same_size(infrared=infrared, visible=visible)
    return np.maximum(infrared, visible)


def laplacian_pyramid(infrared: Plane, visible: Plane) -> Plane:
    """Per level and pixel the detail of larger magnitude (the visible one where equal), on the mean of both bases.

    Source: Burt, Adelson, "The Laplacian pyramid as a compact image code", IEEE Transactions on Communications 1983,
    with the 5-tap kernel of OpenCV and the choose-max rule of Burt's and Toet's fusion papers.
    """
    infrared, visible = same_size(infrared=infrared, visible=visible)
    levels = min(PYRAMID_LEVELS, int(np.log2(min(infrared.shape))))
    ours, theirs = (_pyramid(plane.astype(np.float64), levels) for plane in (infrared, visible))
    fused = (ours[-1] + theirs[-1]) / 2
    for one, other in zip(ours[-2::-1], theirs[-2::-1], strict=True):
        fused = _expand(fused, one.shape) + np.where(np.abs(one) > np.abs(other), one, other)
    return _to_plane(fused)


def guided_filter(infrared: Plane, visible: Plane) -> Plane:
    """Two-scale fusion with weights from saliency, smoothed by a guided filter.

    Base: a 31 x 31 mean; detail: the rest. Saliency: the magnitude of the Laplacian under an 11 x 11 Gaussian of
    sigma 5. The more salient source gets the weight 1, and every weight map is filtered with its own source as guide:
    radius 45 and epsilon 0.3 for the base, radius 7 and epsilon 1e-6 for the detail (grey levels 0..1).

    Source: Li, Kang, Hu, "Image fusion with guided filtering", IEEE Transactions on Image Processing 2013, with the
    parameters of the paper.
    """
    planes = [plane / 255.0 for plane in same_size(infrared=infrared, visible=visible)]
    bases = [cv2.blur(plane, (31, 31), borderType=cv2.BORDER_REPLICATE) for plane in planes]
    salient = [_saliency(plane) for plane in planes]
    chosen = [(salient[0] > salient[1]).astype(np.float64), (salient[0] <= salient[1]).astype(np.float64)]
    fused = np.zeros_like(planes[0])
    for layers, radius, epsilon in (
        (bases, 45, 0.3),
        ([plane - base for plane, base in zip(planes, bases, strict=True)], 7, 1e-6),
    ):
        weights = [
            np.clip(_guided(plane, weight, radius, epsilon), 0, 1) + 1e-12
            for plane, weight in zip(planes, chosen, strict=True)
        ]
        fused += (weights[0] * layers[0] + weights[1] * layers[1]) / (weights[0] + weights[1])
    return _to_plane(fused * 255.0)


TRIVIAL: Mapping[str, Callable[[Plane, Plane], Plane]] = MappingProxyType(
    {"average": average, "max": maximum, "laplacian": laplacian_pyramid, "guided filter": guided_filter}
)
"""The trivial fusions by the label of their row."""


def _to_plane(values: Field) -> Plane:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _pyramid(plane: Field, levels: int) -> list[Field]:
    """``levels`` layers of detail, finest first, then the base."""
    layers = []
    for _ in range(levels):
        smaller = cv2.pyrDown(plane)
        layers.append(plane - _expand(smaller, plane.shape))
        plane = smaller
    return [*layers, plane]


def _expand(plane: Field, shape: tuple[int, ...]) -> Field:
    return cv2.pyrUp(plane, dstsize=(shape[1], shape[0]))


def _saliency(plane: Field) -> Field:
    edges = np.abs(cv2.Laplacian(plane, cv2.CV_64F, ksize=1, borderType=cv2.BORDER_REPLICATE))
    return cv2.GaussianBlur(edges, (11, 11), 5, borderType=cv2.BORDER_REPLICATE)


def _guided(guide: Field, values: Field, radius: int, epsilon: float) -> Field:
    """The guided filter (He, Sun, Tang 2013) with windows cut off at the border."""
    count = _window_sum(np.ones_like(guide), radius)

    def mean(field: Field) -> Field:
        return _window_sum(field, radius) / count

    guide_mean, values_mean = mean(guide), mean(values)
    slope = (mean(guide * values) - guide_mean * values_mean) / (mean(guide * guide) - guide_mean**2 + epsilon)
    return mean(slope) * guide + mean(values_mean - slope * guide_mean)


def _window_sum(field: Field, radius: int) -> Field:
    side = 2 * radius + 1
    return cv2.boxFilter(field, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
