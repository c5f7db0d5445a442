"""Pseudo-labels: boxes that a detector of daylight pictures finds in either spectrum, and regions it is unsure of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lexifuse.boxes import IGNORED, Detection, covered, overlaps, suppress
from lexifuse.datasets.annotated import AnnotatedBox
from lexifuse.pixels import change_depth, is_night, luma

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels."""

Detect = Callable[[NDArray[Any], float], list[Detection]]
"""``detect(image, threshold)``, as detectors of this package have it."""

_WARM_SIGMA = 24.0
_WARM_ABOVE, _WARM_LEAST = 40, 110
_MOST_WARM = 8
"""Where more regions are warm, warmth says nothing about them."""

_SHARE_OF_DOUBLE = 0.8
_LARGEST = 0.4
"""A box around more of the picture than this is nearly always a mistake on an infrared picture."""

_SIDE = 640
"""Longest side of the views in pixels; detectors of daylight pictures shrink them further."""


@dataclass(frozen=True)
class PseudoThresholds:
    """What is done with what a detector finds.

    Attributes:
        object: a score from which a box counts as an object.
        doubt: a score from which a box that does not count is neither object nor background.
        overlap: boxes of one class that overlap more than this are duplicates.
        warm: least area, as a share of the picture, of a warm region without a box that counts as doubtful; detectors
            of daylight pictures miss many people in the infrared.
    """

    object: float = 0.4
    doubt: float = 0.15
    overlap: float = 0.5
    warm: float = 0.0003


def pseudo_labels(
    infrared: NDArray[Any], visible: NDArray[Any], detect: Detect, thresholds: PseudoThresholds
) -> tuple[AnnotatedBox, ...]:
    """Look for objects in several views of a pair.

    Args:
        infrared: (H, W), uint8, uint16 or float32 0..1.
        visible: (H, W, 3) or (H, W), likewise.
        detect: a detector of people and vehicles.
        thresholds: what counts.

    Returns:
        Boxes of objects, and of regions to be ignored.
    """
    grey, colour = _small(change_depth(infrared, np.uint8)), _small(change_depth(visible, np.uint8))
    height, width = grey.shape
    found = [item for view in _views(grey, colour) for item in detect(view, thresholds.doubt)]
    # The surest view of an object decides where it is.
    found = [item for item in suppress(found, thresholds.overlap) if _area(item) < _LARGEST * height * width]
    sure = _without_duplicates([item for item in found if item.score >= thresholds.object])
    doubtful = [item.box for item in found if item.score < thresholds.object]
    doubtful = _uncovered([*doubtful, *_warm_regions(grey, thresholds.warm * height * width)], sure)
    across, down = infrared.shape[1] / width, infrared.shape[0] / height

    def whole(box: Box) -> Box:
        x0, y0, x1, y1 = box
        return x0 * across, y0 * down, min(x1 * across, infrared.shape[1]), min(y1 * down, infrared.shape[0])

    boxes = [AnnotatedBox(whole(item.box), item.label, "pseudo", round(item.score, 3)) for item in sure]
    return (*boxes, *(AnnotatedBox(whole(box), IGNORED, "pseudo") for box in doubtful))


def _small(picture: NDArray[Any]) -> NDArray[Any]:
    scale = _SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _views(infrared: NDArray[np.uint8], visible: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Both spectra, a night brightened, the infrared black-hot (more like daylight), and the brighter pixel."""
    yield visible
    if is_night(visible):
        yield np.asarray(255 * (visible / 255.0) ** 0.5, np.uint8)
    yield infrared
    yield 255 - infrared
    brightness = luma(visible)
    gain = np.maximum(infrared, brightness).astype(np.float32) / np.maximum(brightness, 1)
    planes = visible if visible.ndim == 3 else np.repeat(visible[..., None], 3, axis=2)
    yield np.clip(planes * np.minimum(gain, 8.0)[..., None], 0, 255).astype(np.uint8)


def _area(item: Detection) -> float:
    x0, y0, x1, y1 = item.box
    return (x1 - x0) * (y1 - y0)


def _without_duplicates(found: list[Detection]) -> list[Detection]:
    """Leave out boxes that hold several others of their class, and those that lie inside a surer one."""
    kept = []
    for index, item in enumerate(found):
        others = [other for place, other in enumerate(found) if place != index and other.label == item.label]
        if others:
            own, rest = np.array([item.box]), np.array([other.box for other in others])
            inside = covered(rest, own)[:, 0] > _SHARE_OF_DOUBLE
            surer = np.array([other.score > item.score for other in others])
            if inside.sum() > 1 or (covered(own, rest)[0] > _SHARE_OF_DOUBLE)[surer].any():
                continue
        kept.append(item)
    return kept


def _warm_regions(infrared: NDArray[np.uint8], least: float) -> list[Box]:
    """Boxes around what stands out as warm: brighter than its surroundings, and bright in itself."""
    plane = infrared.astype(np.float32)
    surroundings = cv2.GaussianBlur(plane, (0, 0), _WARM_SIGMA)
    warm = ((plane - surroundings > _WARM_ABOVE) & (plane > _WARM_LEAST)).astype(np.uint8)
    warm = np.asarray(cv2.morphologyEx(warm, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)
    _, _, statistics, _ = cv2.connectedComponentsWithStats(warm)
    regions = [
        (float(x), float(y), float(x + wide), float(y + high))
        for x, y, wide, high, area in statistics[1:].tolist()
        if area >= least and wide * high < _LARGEST * infrared.size
    ]
    return regions if len(regions) <= _MOST_WARM else []


def _uncovered(boxes: list[Box], sure: list[Detection]) -> list[Box]:
    """Doubtful boxes that are not another look at a sure one, without the ones that lie inside others."""
    if not boxes:
        return []
    table = np.array(boxes)
    good = np.ones(len(boxes), bool)
    if sure:
        known = np.array([item.box for item in sure])
        good &= (overlaps(table, known) < 0.4).all(1) & (covered(table, known) < _SHARE_OF_DOUBLE).all(1)
    inside = covered(table, table) > 0.9
    larger = (table[:, 2:] - table[:, :2]).prod(1)
    for index in range(len(boxes)):
        above = (larger > larger[index]) | ((larger == larger[index]) & (np.arange(len(boxes)) < index))
        good[index] &= not (inside[index] & above & good).any()
    return [box for box, keep in zip(boxes, good, strict=True) if keep]
