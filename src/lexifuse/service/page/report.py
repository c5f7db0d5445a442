"""What is told of a fusion as JSON: the facts that ``lexifuse fuse --report`` writes, and what a detector finds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

from lexifuse.account import Account
from lexifuse.boxes import CLASSES
from lexifuse.detect import Detector
from lexifuse.models import Model
from lexifuse.service.page.store import Content


def report_json(account: Account, names: Mapping[str, str], model: Model) -> Content:
    """A JSON file.

    Args:
        account: the fusion beside the plain one.
        names: the file names of ``infrared`` and ``visible``.
        model: that made it.
    """
    told = {"infrared": names["infrared"], "visible": names["visible"], **account.record(model)}
    return Content(json.dumps(told, indent=1, ensure_ascii=False).encode(), "application/json")


def boxes_json(detector: Detector, image: NDArray[Any]) -> Content:
    """What a detector finds in a fused picture, as the viewer draws it: boxes in shares of the picture, and a count.

    Args:
        detector: that looks.
        image: (H, W, 3) or (H, W).
    """
    found = detector.detect(image)
    height, width = image.shape[:2]
    size = (width, height, width, height)
    told = {
        "boxes": [
            {
                "box": [round(value / side, 5) for value, side in zip(item.box, size, strict=True)],
                "label": item.label,
                "score": round(item.score, 2),
            }
            for item in found
        ],
        "found": counted(item.label for item in found),
        "detector": detector.name,
        "threshold": detector.threshold,
    }
    return Content(json.dumps(told).encode(), "application/json")


def counted(labels: Iterable[str]) -> str:
    """How many of each class there are, such as "3 people, 1 vehicle"; empty where there are none."""
    counts = Counter(labels)
    plurals = {"person": "people"}
    return ", ".join(
        f"{counts[label]} {label if counts[label] == 1 else plurals.get(label, f'{label}s')}"
        for label in CLASSES
        if counts[label]
    )
