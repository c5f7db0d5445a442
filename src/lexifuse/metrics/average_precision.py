"""Average precision of detections as COCO defines it, counted by faster-coco-eval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.boxes import CLASSES, IGNORED, Detection
from lexifuse.errors import InputError, MissingExtraError

MEASURES = ("AP50", "AP50-95")


def require() -> None:
    """Raise :class:`MissingExtraError`, which names the mend, where faster-coco-eval is not installed."""
    if find_spec("faster_coco_eval") is None:
        raise MissingExtraError("average precision", "eval")


@dataclass(frozen=True)
class LabelledPicture:
    """The truth of one picture.

    Attributes:
        width: pixels.
        height: pixels.
        boxes: (box x0 y0 x1 y1 in pixels, one of ``CLASSES`` or ``ignored``).
        labelled: the classes of which every object has a box; detections of others count neither way.
    """

    width: int
    height: int
    boxes: tuple[tuple[tuple[float, float, float, float], str], ...]
    labelled: tuple[str, ...] = CLASSES

    def count(self, label: str) -> int:
        """Objects of a class."""
        return sum(name == label for _, name in self.boxes) if label in self.labelled else 0


def average_precision(
    truth: Sequence[LabelledPicture], found: Sequence[Sequence[Detection]]
) -> dict[str, dict[str, float]]:
    """AP at an IoU of 0.5, and in the mean of 0.5, 0.55, ... 0.95, with 101 recall points and 100 detections a picture.

    Args:
        truth: the pictures; a region labelled ``ignored`` counts neither way, for every class.
        found: what was found in each.

    Returns:
        :data:`MEASURES` to class to AP in 0..1, NaN for a class without objects; ``mean`` is that of the others.

    Raises:
        InputError: the two differ in length, or there is not a single object.
        MissingExtraError: faster-coco-eval is not installed.
    """
    if len(truth) != len(found):
        raise InputError(f"{len(truth)} labelled pictures, but detections in {len(found)}: give one list per picture")
    counts = {label: sum(picture.count(label) for picture in truth) for label in CLASSES}
    if not any(counts.values()):
        raise InputError("no picture has a labelled object: average precision needs some")
    precision = _precision(truth, found)
    result: dict[str, dict[str, float]] = {}
    for name, values in (("AP50", precision[:1]), ("AP50-95", precision)):
        row = {
            label: float(values[:, :, number].mean()) if counts[label] else float("nan")
            for number, label in enumerate(CLASSES)
        }
        result[name] = {**row, "mean": float(np.nanmean(list(row.values())))}
    return result


def _precision(truth: Sequence[LabelledPicture], found: Sequence[Sequence[Detection]]) -> NDArray[np.float64]:
    """Precision (10 IoU thresholds, 101 recall points, classes)."""
    require()
    from faster_coco_eval import COCO, COCOeval_faster

    data: dict[str, Any] = {
        "images": [{"id": number, "width": one.width, "height": one.height} for number, one in enumerate(truth, 1)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)],
        "annotations": _annotations(truth),
    }
    results = [
        _record(number, CLASSES.index(item.label) + 1, item.box) | {"score": item.score}
        for number, (one, items) in enumerate(zip(truth, found, strict=True), 1)
        for item in items
        if item.label in one.labelled
    ]
    if not results:
        return np.zeros((10, 101, len(CLASSES)))
    known = COCO(data)
    judge = COCOeval_faster(known, known.loadRes(results), iouType="bbox", print_function=lambda *_: None)
    judge.evaluate()
    judge.accumulate()
    # Thresholds, recall points, classes, areas (the first: all), most detections (the last: 100).
    return np.maximum(np.asarray(judge.eval["precision"])[:, :, :, 0, -1], 0.0)


def _annotations(truth: Sequence[LabelledPicture]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, one in enumerate(truth, 1):
        for box, name in one.boxes:
            # A crowd, in COCO's words, takes up detections that would otherwise be false.
            for label in CLASSES if name == IGNORED else (name,):
                if label in one.labelled:
                    row = _record(number, CLASSES.index(label) + 1, box)
                    rows.append(row | {"id": len(rows) + 1, "iscrowd": int(name == IGNORED)})
    return rows


def _record(image: int, category: int, box: tuple[float, float, float, float]) -> dict[str, Any]:
    x0, y0, x1, y1 = box
    place = [x0, y0, x1 - x0, y1 - y0]
    return {"image_id": image, "category_id": category, "bbox": place, "area": place[2] * place[3]}
