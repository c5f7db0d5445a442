"""Pairs with boxes and prompts: the annotation list that detection is trained and measured with, as checked JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lexifuse.boxes import CLASSES, IGNORED, class_of
from lexifuse.datasets.folders import Dataset, PairFiles
from lexifuse.datasets.labels import read_labels
from lexifuse.errors import InputError
from lexifuse.files import atomic_file

VERSION = 1
PROMPT_KINDS = ("objects", "scene", "request")
"""Kinds of prompts: a bare list of classes, a description of the scene, a request to the fusion."""

SOURCES = ("label", "rendered", "pseudo")
"""Where a box comes from: a person's label, the renderer (exact), or another detector."""

SCHEMA_FILE = Path(__file__).with_name("annotated.schema.json")
"""JSON schema (2020-12) of an annotation list."""


@dataclass(frozen=True)
class AnnotatedBox:
    """One object of a pair.

    Attributes:
        box: (x0, y0, x1, y1) in pixels, the end exclusive.
        label: one of :data:`lexifuse.boxes.CLASSES`, or ``ignored``: neither object nor background.
        source: one of :data:`SOURCES`.
        score: 0..1; 1 unless another detector found it.
    """

    box: tuple[float, float, float, float]
    label: str
    source: str = "label"
    score: float = 1.0


@dataclass(frozen=True)
class AnnotatedPair:
    """One pair with what is in it.

    Attributes:
        dataset: its data set.
        name: stem of its files.
        infrared: path, relative to the folder of the data sets where it lies below it.
        visible: the same.
        width: pixels.
        height: pixels.
        boxes: the objects.
        labelled: the classes of which every object has a box; nothing is known of the others.
        prompts: kind (of :data:`PROMPT_KINDS`) to words.
        scene: what the words were made from: place, light, weather, counts, degradations.
    """

    dataset: str
    name: str
    infrared: str
    visible: str
    width: int
    height: int
    boxes: tuple[AnnotatedBox, ...]
    labelled: tuple[str, ...]
    prompts: Mapping[str, str] = field(default_factory=dict)
    scene: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AnnotationList:
    """Annotated pairs, and how they came about.

    Attributes:
        pairs: in the order of data set and name.
        facts: the detectors, thresholds and counts; free-form JSON.
    """

    pairs: tuple[AnnotatedPair, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def counts(self) -> dict[str, dict[str, int]]:
        """Data set to number of pairs and of boxes per label."""
        table: dict[str, Counter[str]] = {}
        for pair in self.pairs:
            row = table.setdefault(pair.dataset, Counter())
            row["pairs"] += 1
            row.update(box.label for box in pair.boxes)
        return {name: dict(row) for name, row in table.items()}


def labelled_boxes(item: PairFiles, dataset: Dataset, width: int, height: int) -> tuple[AnnotatedBox, ...]:
    """The boxes of one label file in our classes; what is known and not detected (a lamp) is left out.

    Args:
        item: a pair with labels.
        dataset: that it belongs to.
        width: of its pictures, pixels.
        height: of its pictures, pixels.

    Raises:
        InputError: the file is damaged, a class number is out of range, or a class name is unknown.
    """
    assert item.labels is not None
    boxes = []
    for found in read_labels(item.labels, dataset.classes, width, height):
        label = class_of(found.name, dataset.classes)
        if label is None:
            raise InputError(f"{item.labels}: unknown class '{found.name}': rename it to one of {', '.join(CLASSES)}")
        if label:
            boxes.append(AnnotatedBox(found.box, label))
    return tuple(boxes)


def classes_labelled(dataset: Dataset) -> tuple[str, ...]:
    """The classes of ours that a data set's labels speak of; all where it does not list its classes."""
    known = {class_of(name, dataset.classes) for name in dataset.classes}
    return tuple(name for name in CLASSES if name in known) if dataset.classes else CLASSES


def write_annotations(path: Path, annotations: AnnotationList) -> None:
    """Write an annotation list as JSON (see :data:`SCHEMA_FILE`), whole or not at all."""
    data = {"version": VERSION, "classes": list(CLASSES), **asdict(annotations)}
    with atomic_file(path) as file:
        file.write((json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


def read_annotations(path: Path) -> AnnotationList:
    """Read what :func:`write_annotations` wrote.

    Raises:
        InputError: the file cannot be read, or something in it is wrong; the message names the pair.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}): `lexifuse train annotate` writes such a list") from None
    if not isinstance(data, dict) or data.get("version") != VERSION or not isinstance(data.get("pairs"), list):
        raise InputError(f"{path} is no annotation list of version {VERSION}: write it with `lexifuse train annotate`")
    pairs = tuple(_pair(f"{path}, pair {number}", row) for number, row in enumerate(data["pairs"], start=1))
    facts = data.get("facts", {})
    if not isinstance(facts, dict):
        raise InputError(f"{path}: 'facts' must be an object: write it with `lexifuse train annotate`")
    return AnnotationList(pairs, facts)


_TYPES = {
    **dict.fromkeys(("dataset", "name", "infrared", "visible"), (str, "text")),
    **dict.fromkeys(("width", "height"), (int, "a whole number")),
    **dict.fromkeys(("prompts", "scene"), (dict, "an object")),
}


def _pair(where: str, row: Any) -> AnnotatedPair:
    try:
        boxes = tuple(_box(box) for box in row["boxes"])
        pair = AnnotatedPair(**{**row, "boxes": boxes, "labelled": tuple(row["labelled"])})
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{where} lacks or has a field that it should not: {error}") from None
    where = f"{where} ({pair.name})"
    for name, (kind, words) in _TYPES.items():
        if not isinstance(getattr(pair, name), kind):
            raise InputError(f"{where}: '{name}' must be {words}, not {json.dumps(getattr(pair, name))[:40]}")
    for box in boxes:
        _check_box(where, box, pair.width, pair.height)
    _check_names(where, "class", pair.labelled, CLASSES)
    _check_names(where, "kind of prompt", tuple(pair.prompts), PROMPT_KINDS)
    return pair


def _box(row: Mapping[str, Any]) -> AnnotatedBox:
    return AnnotatedBox(**{**row, "box": tuple(map(float, row["box"])), "score": float(row.get("score", 1.0))})


def _check_box(where: str, box: AnnotatedBox, width: int, height: int) -> None:
    _check_names(where, "label", (box.label,), (*CLASSES, IGNORED))
    _check_names(where, "source", (box.source,), SOURCES)
    if len(box.box) != 4 or not all(math.isfinite(value) for value in (*box.box, box.score)):
        raise InputError(f"{where}: a box is four numbers x0, y0, x1, y1, not {list(box.box)}")
    x0, y0, x1, y1 = box.box
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InputError(f"{where}: the box {list(box.box)} is empty or outside the {width}x{height} picture")
    if not 0 <= box.score <= 1:
        raise InputError(f"{where}: a score lies in 0..1, not {box.score:g}")


def _check_names(where: str, what: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"{where}: unknown {what} '{name}': choose from {', '.join(known)}")
