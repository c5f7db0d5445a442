"""Label files of detection data sets: YOLO text and Pascal VOC XML, read into boxes in pixels and checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from lexifuse.errors import InputError

_OVERHANG = 0.05
"""Share of the picture by which a box may reach over its edge; it is cut off there."""


@dataclass(frozen=True)
class LabelledBox:
    """One object as a label file has it.

    Attributes:
        box: (x0, y0, x1, y1) in pixels, inside the picture, the end exclusive; a box may be one pixel large.
        name: the data set's name of its class.
    """

    box: tuple[float, float, float, float]
    name: str


def read_labels(path: Path, classes: Sequence[str], width: int, height: int) -> tuple[LabelledBox, ...]:
    """Read one label file. A file without lines says that there are no objects in the picture.

    Args:
        path: YOLO ``.txt`` (class, then centre x, centre y, width, height as shares) or Pascal VOC ``.xml`` (pixels).
        classes: the data set's class names, in the order of the YOLO class numbers.
        width: of the picture, pixels.
        height: of the picture, pixels.

    Raises:
        InputError: the file cannot be read, a class is unknown, or a box is empty or outside the picture.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the labels {path} ({error}): give YOLO text or Pascal VOC XML") from None
    if path.suffix.lower() == ".xml":
        found = _voc(path, text)
    else:
        found = [
            (f"{path}, line {number}", *_yolo_line(f"{path}, line {number}", line, classes, width, height))
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip()
        ]
    return tuple(LabelledBox(_inside(where, box, width, height), name) for where, name, box in found)


def _yolo_line(
    where: str, line: str, classes: Sequence[str], width: int, height: int
) -> tuple[str, tuple[float, float, float, float]]:
    parts = line.split()
    try:
        number, (x, y, wide, high) = int(parts[0]), map(float, parts[1:5])
    except ValueError:
        raise InputError(f"{where}: '{line[:60]}' is no YOLO label: write class, x, y, width, height") from None
    if not 0 <= number < len(classes):
        raise InputError(f"{where}: class {number} is unknown: classes.txt names {len(classes)} (0 is the first)")
    if not all(math.isfinite(value) for value in (x, y, wide, high)) or min(wide, high) <= 0:
        raise InputError(f"{where}: the box is empty ({wide:g} x {high:g}): remove the line")
    box = (x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height
    return classes[number], box


def _voc(path: Path, text: str) -> list[tuple[str, str, tuple[float, float, float, float]]]:
    try:
        root = ET.fromstring(text)  # noqa: S314 - the parser that Python ships refuses entity bombs
        return [
            (
                f"{path}, object {number}",
                str(item.findtext("name")),
                tuple(float(str(item.findtext(f"bndbox/{side}"))) for side in ("xmin", "ymin", "xmax", "ymax")),  # type: ignore[misc]
            )
            for number, item in enumerate(root.iter("object"), start=1)
        ]
    except (ET.ParseError, ValueError) as error:
        raise InputError(f"{path} is no Pascal VOC file ({error}): export the labels again") from None


def _inside(
    where: str, box: tuple[float, float, float, float], width: int, height: int
) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    if not all(math.isfinite(value) for value in box) or x1 <= x0 or y1 <= y0:
        raise InputError(f"{where}: the box is empty ({x0:g}, {y0:g}, {x1:g}, {y1:g}): remove it")
    over = max(-x0 / width, -y0 / height, x1 / width - 1, y1 / height - 1)
    cut = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    if over > _OVERHANG or cut[2] <= cut[0] or cut[3] <= cut[1]:
        raise InputError(
            f"{where}: the box ({x0:.0f}, {y0:.0f}, {x1:.0f}, {y1:.0f}) lies outside the {width}x{height} picture: "
            "are the labels of another size?"
        )
    return cut
