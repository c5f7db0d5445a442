"""Masks of what can be brought out: warm things by their temperature, people and vehicles by boxes of a detector."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import InputError

MASK_GROUPS = ("person", "vehicle", "hot")
"""Bit i of a mask marks pixels of this highlight group."""

Boxes = Mapping[str, Mapping[str, list[tuple[str, float, float, float, float]]]]
"""Data set to pair to boxes: the group's name, then x0, y0, x1, y1 in pixels."""

_WARM_SIGMA = 24.0
_WARMER, _WARM = 40, 110
_LEAST_SHARE = 0.25  # of the box: where less of it is warm, its shape is not the object's
_ROUND = {"person": 2.0, "vehicle": 4.0}  # exponents of the superellipse in a box: 2 an ellipse, more is squarer


def read_boxes(path: Path) -> Boxes:
    """Read a file of boxes: JSON, ``{data set: {pair: [[group, x0, y0, x1, y1], ...]}}``.

    A pair is named by its stem, a frame of a video ``NAME#FRAME``.

    Raises:
        InputError: the file is missing or of another form.
    """
    try:
        boxes = json.loads(path.read_text())
        for pairs in boxes.values():
            for rows in pairs.values():
                if any(len(row) != 5 or row[0] not in MASK_GROUPS for row in rows):
                    raise ValueError("a box is [group, x0, y0, x1, y1]")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InputError(f"cannot read boxes from {path} ({error}): make the file anew") from None
    return boxes


def fingerprint(boxes: Boxes) -> str:
    """A short name for the contents of boxes, by which a crop store knows them."""
    return hashlib.sha256(json.dumps(boxes, sort_keys=True).encode()).hexdigest()[:16]


def warm_objects(infrared: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mask bits (H, W) of what stands out as warm: much brighter than its surroundings and bright in itself."""
    plane = infrared.astype(np.float32)
    surroundings = cv2.GaussianBlur(plane, (0, 0), _WARM_SIGMA)
    warm = ((plane - surroundings > _WARMER) & (plane > _WARM)).astype(np.uint8)
    opened = np.asarray(cv2.morphologyEx(warm, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    return opened << np.uint8(MASK_GROUPS.index("hot"))


def boxed_objects(infrared: NDArray[np.uint8], boxes: Iterable[tuple[str, Any, Any, Any, Any]]) -> NDArray[np.uint8]:
    """Mask bits (H, W) of people and vehicles in boxes.

    A person is what is warm in an ellipse in the box, where that is enough of it; otherwise, and for vehicles, the
    rounded box itself.
    """
    mask = np.zeros_like(infrared)
    height, width = infrared.shape
    for group, *corners in boxes:
        x0, y0, x1, y1 = (round(float(value)) for value in corners)
        rows, columns = slice(*np.clip((y0, y1), 0, height)), slice(*np.clip((x0, x1), 0, width))
        area = infrared[rows, columns]
        if area.size:
            across = (np.arange(columns.start, columns.stop) + 0.5 - (x0 + x1) / 2) / ((x1 - x0) / 2)
            down = (np.arange(rows.start, rows.stop) + 0.5 - (y0 + y1) / 2) / ((y1 - y0) / 2)
            power = _ROUND[group]
            shape = np.abs(down[:, None]) ** power + np.abs(across[None]) ** power <= 1.0
            if group == "person":
                threshold, _ = cv2.threshold(area, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
                warm = shape & (area > threshold)
                shape = warm if warm.mean() >= _LEAST_SHARE else shape
            mask[rows, columns] |= shape.astype(np.uint8) << np.uint8(MASK_GROUPS.index(group))
    return mask
