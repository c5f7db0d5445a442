"""Detection on fused images: AP on real labels with bootstrap intervals, and what words do to recall."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lexifuse.boxes import CLASSES, Detection
from lexifuse.datasets import Dataset, PairFiles
from lexifuse.datasets.annotated import classes_labelled, labelled_boxes
from lexifuse.datasets.selection import spread
from lexifuse.errors import InputError
from lexifuse.evaluation.methods import Method
from lexifuse.evaluation.run import read_sources
from lexifuse.metrics.average_precision import MEASURES, LabelledPicture, average_precision
from lexifuse.metrics.detection_matches import interpolated_precision, match, recall_at

LEAST_SCORE = 0.02
"""Detections below this score are not looked at: average precision needs nearly all, and they take time."""

FALSE_POSITIVES = (0.1, 0.5, 1.0)
"""False positives per picture at which recall is compared."""

_OVERLAPS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())

RESAMPLES = 200
ALL = "all"

WORDS: Mapping[str, str] = {"person": "make the people stand out", "vehicle": "make the cars stand out"}
"""Class to the words that point at it."""


class Detects(Protocol):
    """A detector, ours or another."""

    @property
    def name(self) -> str:
        """For tables."""
        ...

    def detect(self, image: NDArray[Any], threshold: float | None = None) -> list[Detection]:
        """People and vehicles in (H, W, 3) RGB or (H, W)."""
        ...


@dataclass(frozen=True)
class LabelledItem:
    """A labelled pair: its data set, files, sources and the truth."""

    dataset: str
    item: PairFiles
    truth: LabelledPicture


@dataclass(frozen=True)
class DetectionRow:
    """One line of the table.

    Attributes:
        label: the method whose pictures were looked at.
        dataset: a data set, or ``all`` of them together.
        pictures: how many.
        objects: class to number of labelled objects.
        values: ``AP50`` and ``AP50-95`` to class (or ``mean``) to a value in 0..1, NaN without objects.
        intervals: ``AP50`` and ``AP50-95`` to the 95 % bootstrap interval of the mean over the pictures, NaN
            where there is a single picture or no object.
    """

    label: str
    dataset: str
    pictures: int
    objects: Mapping[str, int]
    values: Mapping[str, Mapping[str, float]]
    intervals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class WordsRow:
    """What words that point at one class did to the recall of a class.

    Attributes:
        dataset: a data set, or ``all``.
        pointed_at: the class that the words name.
        words: those words.
        measured: the class whose recall it is.
        false_positives: per picture.
        without: recall without words.
        with_words: recall with them.
        interval: 95 % bootstrap interval of the difference.
    """

    dataset: str
    pointed_at: str
    words: str
    measured: str
    false_positives: float
    without: float
    with_words: float
    interval: tuple[float, float]


def source_methods() -> list[Method]:
    """Both sources as they are: what every fusion has to beat."""
    return [
        Method("visible", lambda sources: sources.colours, lambda _item: "visible"),
        Method("infrared", lambda sources: sources.infrared, lambda _item: "infrared"),
    ]


def labelled_items(datasets: Sequence[Dataset], limit: int = 0) -> tuple[list[LabelledItem], int]:
    """The pairs that have labels, and how many have none (they are left out: nobody knows what is in them).

    Args:
        datasets: whose pairs are used.
        limit: at most this many labelled pairs of each, evenly spread; all where 0. The others are not read.

    Raises:
        InputError: no pair has labels, there is no object in any of them, or a label file is wrong.
    """
    found, without = [], 0
    for dataset in datasets:
        labelled = [item for item in dataset.items if item.labels is not None]
        without += len(dataset.items) - len(labelled)
        for item in spread(labelled, limit):
            height, width = read_sources(item).visible.shape
            boxes = tuple((box.box, box.label) for box in labelled_boxes(item, dataset, width, height))
            truth = LabelledPicture(width, height, boxes, classes_labelled(dataset))
            found.append(LabelledItem(dataset.name, item, truth))
    if not found:
        raise InputError(f"no pair of {', '.join(one.name for one in datasets)} has labels: detection needs some")
    if not any(_objects([one.truth for one in found]).values()):
        raise InputError(f"none of the {len(found)} labelled pairs holds an object: detection needs some")
    return found, without


def require_outputs(items: Sequence[LabelledItem], method: Method) -> None:
    """Raise :class:`InputError` where a method lacks the output of a pair."""
    for one in items:
        if not method.has(one.item):
            raise InputError(f"'{method.label}' has no output for {one.dataset}/{one.item.name}, which has labels")


def detect_all(
    items: Sequence[LabelledItem], method: Method, detector: Detects, advance: Callable[[], None] = lambda: None
) -> list[list[Detection]]:
    """What a detector finds in the pictures of one method.

    Raises:
        InputError: the method has no output for a pair, or one of another size.
    """
    require_outputs(items, method)
    found = []
    for one in items:
        image = method.fuse(read_sources(one.item))
        if image.shape[:2] != (one.truth.height, one.truth.width):
            raise InputError(f"{one.item.name} of '{method.label}' has another size than the pair and its labels")
        found.append(detector.detect(image, LEAST_SCORE))
        advance()
    return found


def rows_of(
    label: str, items: Sequence[LabelledItem], found: Sequence[Sequence[Detection]], *, resamples: int = RESAMPLES
) -> list[DetectionRow]:
    """The lines of one method: each data set, then all of them together where there are several."""
    return [
        _row(label, name, [items[index] for index in chosen], [found[index] for index in chosen], resamples)
        for name, chosen in _groups(items).items()
    ]


def words_rows(
    items: Sequence[LabelledItem],
    without: Sequence[Sequence[Detection]],
    with_words: Mapping[str, Sequence[Sequence[Detection]]],
    *,
    resamples: int = RESAMPLES,
) -> list[WordsRow]:
    """Recall at fixed false positives with and without words that point at a class.

    Args:
        items: the labelled pairs.
        without: what was found in the pictures fused without words.
        with_words: class of :data:`WORDS` to what was found in the pictures fused with its words.
        resamples: of the bootstrap over pictures.
    """
    rows = []
    for name, chosen in _groups(items).items():
        truth = [items[index].truth for index in chosen]
        plain = [without[index] for index in chosen]
        for pointed, found in with_words.items():
            told = [found[index] for index in chosen]
            for measured in CLASSES:
                before, after = match(truth, plain, measured), match(truth, told, measured)
                if not (before.objects > 0).any():
                    continue
                for rate in FALSE_POSITIVES:
                    draws = [
                        recall_at(after.of(some), rate) - recall_at(before.of(some), rate)
                        for some in _resampled(len(chosen), resamples)
                    ]
                    recalls = recall_at(before, rate), recall_at(after, rate)
                    rows.append(WordsRow(name, pointed, WORDS[pointed], measured, rate, *recalls, _bounds(draws)))
    return rows


def _row(
    label: str,
    dataset: str,
    items: Sequence[LabelledItem],
    found: Sequence[Sequence[Detection]],
    resamples: int,
) -> DetectionRow:
    truth = [one.truth for one in items]
    objects = _objects(truth)
    if not any(objects.values()):
        undefined = {name: {"mean": math.nan, **dict.fromkeys(CLASSES, math.nan)} for name in MEASURES}
        nowhere: dict[str, tuple[float, float]] = dict.fromkeys(MEASURES, (math.nan, math.nan))
        return DetectionRow(label, dataset, len(items), objects, undefined, nowhere)
    values = average_precision(truth, found)
    intervals = _intervals(truth, found, resamples if len(items) > 1 else 0)
    return DetectionRow(label, dataset, len(items), objects, values, intervals)


def _objects(truth: Sequence[LabelledPicture]) -> dict[str, int]:
    """Class to number of labelled objects."""
    return {name: sum(one.count(name) for one in truth) for name in CLASSES}


def _intervals(
    truth: Sequence[LabelledPicture], found: Sequence[Sequence[Detection]], resamples: int
) -> dict[str, tuple[float, float]]:
    """Bootstrap intervals over the pictures, of the mean of the classes that a resample has objects of."""
    matched = [[match(truth, found, label, least) for label in CLASSES] for least in _OVERLAPS]
    draws = np.array(
        [
            [[interpolated_precision(one.of(some)) for one in row] for row in matched]
            for some in _resampled(len(truth), resamples)
        ]
    ).reshape(-1, len(_OVERLAPS), len(CLASSES))
    known = draws[~np.isnan(draws).all((1, 2))]
    at_half, over_all = known[:, 0], known.mean(1)
    return dict(zip(MEASURES, (_bounds(np.nanmean(at_half, 1)), _bounds(np.nanmean(over_all, 1))), strict=True))


def _groups(items: Sequence[LabelledItem]) -> dict[str, list[int]]:
    names = list(dict.fromkeys(one.dataset for one in items))
    groups = {name: [index for index, one in enumerate(items) if one.dataset == name] for name in names}
    return groups if len(names) == 1 else {**groups, ALL: list(range(len(items)))}


def _resampled(count: int, resamples: int) -> list[NDArray[np.int64]]:
    """The same resamples for every method."""
    rng = np.random.default_rng(0)
    return [rng.integers(count, size=count) for _ in range(resamples)]


def _bounds(draws: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    known = np.array(draws)[~np.isnan(draws)] if len(draws) else np.zeros(0)
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
