"""Outlines of boxed objects: GrabCut says which pixels of a box belong to what is in its middle."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels, the end exclusive."""

_AROUND = 0.3  # of a box's sides, seen as background on each side
_LONGEST = 72  # pixels of a box and what surrounds it; an outline to highlight by need not be finer
_CORE = 0.2  # of the squared radius of the ellipse in a box, where the object certainly is
_ITERATIONS = 2
_SMALLEST = 4  # pixels of a box's sides


def outlines(picture: NDArray[np.uint8], boxes: Sequence[Box]) -> NDArray[np.uint8]:
    """The pixels of the objects in some boxes, (H, W), 1 inside and 0 outside.

    After Rother, Kolmogorov and Blake, "GrabCut", 2004: the colours outside a box against those in its middle.

    Args:
        picture: (H, W, 3).
        boxes: around one object each; they may reach beyond the picture.
    """
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for x0, y0, x1, y1 in boxes:
        wide, high = _AROUND * (x1 - x0) + 2, _AROUND * (y1 - y0) + 2
        left, top = int(max(0, x0 - wide)), int(max(0, y0 - high))
        right, bottom = int(min(width, x1 + wide + 1)), int(min(height, y1 + high + 1))
        if min(x1 - x0, y1 - y0, right - left, bottom - top) < _SMALLEST:
            continue
        inside = _outline(picture[top:bottom, left:right], (x0 - left, y0 - top, x1 - left, y1 - top))
        mask[top:bottom, left:right] |= inside
    return mask


def _outline(cut: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The object in a box of a small picture, 0 or 1; all of the ellipse in the box where it cannot be told."""
    height, width = cut.shape[:2]
    scale = min(1.0, _LONGEST / max(height, width))
    size = max(round(width * scale), _SMALLEST), max(round(height * scale), _SMALLEST)
    small = np.ascontiguousarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA))
    across, down = size[0] / width, size[1] / height
    x0, y0, x1, y1 = box[0] * across, box[1] * down, box[2] * across, box[3] * down
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    radius = ((2 * x - x0 - x1) / (x1 - x0)) ** 2 + ((2 * y - y0 - y1) / (y1 - y0)) ** 2
    within = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    known = np.where(within, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    known[within & (radius < _CORE)] = cv2.GC_FGD
    inside = (radius < 1).astype(np.uint8)
    if small.min() < small.max() and (known == cv2.GC_BGD).any() and (known == cv2.GC_FGD).any():
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(0)  # GrabCut begins with random means: the same picture shall give the same outline.
        cv2.grabCut(small, known, None, *models, _ITERATIONS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
        inside = ((known == cv2.GC_FGD) | (known == cv2.GC_PR_FGD)).astype(np.uint8)
    return np.asarray(cv2.resize(_solid(inside), (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _solid(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest piece of a mask, without holes: windows belong to a car."""
    pieces, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    solid = np.zeros_like(mask)
    if pieces:
        cv2.drawContours(solid, [max(pieces, key=cv2.contourArea)], 0, 1, cv2.FILLED)
    return solid
