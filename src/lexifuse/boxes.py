"""Boxes around objects: which classes there are, overlap, non-maximum suppression, file formats, and drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.pixels import change_depth

CLASSES = ("person", "vehicle")
"""What is detected, in the order of the class numbers."""

IGNORED = "ignored"
"""The label of a region that neither counts as an object nor as background: crowds, doubtful objects."""

_SYNONYMS: Mapping[str, frozenset[str]] = {
    "person": frozenset({"person", "people", "pedestrian", "cyclist", "rider"}),
    "vehicle": frozenset(
        {
            "vehicle",
            "car",
            "truck",
            "bus",
            "van",
            "freight_car",
            "freight car",
            "feright_car",
            "motorcycle",
            "motorbike",
        }
    ),
    IGNORED: frozenset({IGNORED, "person?", "person-fa", "crowd", "dontcare"}),
    "": frozenset({"bike", "bicycle", "lamp", "animal", "traffic sign", "traffic light", "traffic_sign"}),
}
"""Class of ours to names that data sets use; the empty name holds what is known and not detected."""

_COLOURS: Mapping[str, tuple[int, int, int]] = {"person": (255, 196, 0), "vehicle": (0, 208, 255)}


@dataclass(frozen=True)
class Detection:
    """One object that was found.

    Attributes:
        box: (x0, y0, x1, y1) in pixels of the picture, the end exclusive.
        label: one of :data:`CLASSES`.
        score: 0..1, how sure the detector is.
    """

    box: tuple[float, float, float, float]
    label: str
    score: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"box": [round(value, 2) for value in self.box], "label": self.label, "score": round(self.score, 4)}


def class_of(name: str, names: Sequence[str] = ()) -> str | None:
    """The class of ours that a data set's class name stands for.

    Args:
        name: as the data set writes it.
        names: all class names of that data set: where it has both ``person`` and ``people``, people is a crowd.

    Returns:
        One of :data:`CLASSES`, :data:`IGNORED`, ``""`` for what is known and not detected, None for what is unknown.
    """
    plain = name.strip().lower()
    if plain == "people" and "person" in {other.strip().lower() for other in names}:
        return IGNORED
    return next((ours for ours, theirs in _SYNONYMS.items() if plain in theirs), None)


def overlaps(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Intersection over union of boxes (N, 4) and (M, 4), x0 y0 x1 y1, as (N, M); 0 where both are empty."""
    common = np.minimum(first[:, None, 2:], second[None, :, 2:]) - np.maximum(first[:, None, :2], second[None, :, :2])
    shared = np.clip(common, 0, None).prod(2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return shared / np.maximum(union, 1e-9)


def covered(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Share of each box of (N, 4) that lies inside each box of (M, 4), as (N, M)."""
    common = np.minimum(first[:, None, 2:], second[None, :, 2:]) - np.maximum(first[:, None, :2], second[None, :, :2])
    area = np.clip(first[:, 2:] - first[:, :2], 0, None).prod(1)
    return np.clip(common, 0, None).prod(2) / np.maximum(area[:, None], 1e-9)


def suppress(detections: Sequence[Detection], overlap: float = 0.6) -> list[Detection]:
    """Keep the surest of detections of one class that overlap by more than ``overlap``; the surest come first."""
    kept: list[Detection] = []
    for label in dict.fromkeys(item.label for item in detections):
        found = sorted((item for item in detections if item.label == label), key=lambda item: -item.score)
        boxes = np.array([item.box for item in found], np.float64)
        table = overlaps(boxes, boxes)
        alive = np.ones(len(found), bool)
        for index in range(len(found)):
            if alive[index]:
                kept.append(found[index])
                alive[index + 1 :] &= table[index, index + 1 :] <= overlap
    return sorted(kept, key=lambda item: -item.score)


def to_coco(detections: Sequence[Detection], image: int | str) -> list[dict[str, Any]]:
    """COCO result records: box as x, y, width, height; category 1 is person, 2 is vehicle."""
    return [
        {
            "image_id": image,
            "category_id": CLASSES.index(item.label) + 1,
            "bbox": [
                round(value, 2) for value in (*item.box[:2], item.box[2] - item.box[0], item.box[3] - item.box[1])
            ],
            "score": round(item.score, 4),
        }
        for item in detections
    ]


def to_yolo(detections: Sequence[Detection], width: int, height: int) -> str:
    """YOLO text, a line per object: class, centre x, centre y, width and height as shares of the picture, score."""
    lines = []
    for item in detections:
        x0, y0, x1, y1 = item.box
        place = (x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height
        numbers = " ".join(f"{value:.6f}" for value in (*place, item.score))
        lines.append(f"{CLASSES.index(item.label)} {numbers}\n")
    return "".join(lines)


def draw(image: NDArray[Any], detections: Sequence[Detection]) -> NDArray[np.uint8]:
    """The picture with boxes, labels and scores.

    Args:
        image: (H, W, 3) RGB or (H, W); uint8, uint16 or float32 in 0..1.
        detections: what to draw.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    from PIL import Image, ImageDraw, ImageFont

    canvas = Image.fromarray(change_depth(image, np.uint8)).convert("RGB")
    pen = ImageDraw.Draw(canvas)
    line = max(1, round(min(canvas.size) / 320))
    font = ImageFont.load_default(max(10, round(min(canvas.size) / 38)))
    for item in sorted(detections, key=lambda item: item.score):
        colour = _COLOURS[item.label]
        x0, y0, x1, y1 = item.box
        pen.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=colour, width=line)
        words = f"{item.label} {item.score:.2f}"
        left, top, right, bottom = pen.textbbox((0, 0), words, font=font)
        wide, high = right - left + 4, bottom - top + 4
        x = min(max(x0, 0), max(canvas.width - wide, 0))
        y = y0 - high if y0 >= high else min(y1, canvas.height - high)
        pen.rectangle((x, y, x + wide, y + high), fill=colour)
        pen.text((x + 2 - left, y + 2 - top), words, fill=(0, 0, 0), font=font)
    return np.array(canvas, np.uint8)
