"""Detections matched with objects picture by picture: recall at a rate of false positives, and the best threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexifuse.boxes import CLASSES, IGNORED, Detection, covered, overlaps
from lexifuse.metrics.average_precision import LabelledPicture

MATCHED = 0.5
"""Least intersection over union of a detection and the object that it found."""

_MOST = 100


@dataclass(frozen=True, eq=False)
class Matches:
    """All detections of one class, in pictures where that class is labelled.

    Attributes:
        scores: (N,) 0..1.
        hits: (N,) bool, true where an object was found; its duplicates are false.
        pictures: (N,) number of the picture.
        objects: (P,) number of objects in each picture; -1 where the class is not labelled.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    pictures: NDArray[np.int64]
    objects: NDArray[np.int64]

    def of(self, chosen: NDArray[np.int64]) -> Matches:
        """The matches in some of the pictures; one that is chosen twice counts twice."""
        times = np.bincount(chosen, minlength=len(self.objects))
        rows = np.repeat(np.arange(len(self.scores)), times[self.pictures])
        return Matches(self.scores[rows], self.hits[rows], self.pictures[rows], self.objects[chosen])


def match(
    truth: Sequence[LabelledPicture], found: Sequence[Sequence[Detection]], label: str, least: float = MATCHED
) -> Matches:
    """Match detections of one class, by descending score, with the free object each overlaps most, by ``least``.

    Detections of which most lies in an ignored region count neither way.
    """
    scores, hits, pictures, objects = [], [], [], []
    for number, (one, items) in enumerate(zip(truth, found, strict=True)):
        if label not in one.labelled:
            objects.append(-1)
            continue
        boxes = np.array([box for box, name in one.boxes if name == label], np.float64).reshape(-1, 4)
        ignored = np.array([box for box, name in one.boxes if name == IGNORED], np.float64).reshape(-1, 4)
        objects.append(len(boxes))
        free = np.ones(len(boxes), bool)
        some = sorted((item for item in items if item.label == label), key=lambda item: -item.score)[:_MOST]
        own = np.array([item.box for item in some], np.float64).reshape(-1, 4)
        table, crowds = overlaps(own, boxes), covered(own, ignored).max(1, initial=0.0)
        for index, item in enumerate(some):
            row = np.where(free, table[index], 0.0)
            hit = bool(len(row)) and row.max() >= least
            if hit:
                free[row.argmax()] = False
            elif crowds[index] >= least:
                continue
            scores.append(item.score)
            hits.append(hit)
            pictures.append(number)
    return Matches(
        np.array(scores, np.float64), np.array(hits, bool), np.array(pictures, np.int64), np.array(objects, np.int64)
    )


def interpolated_precision(matches: Matches) -> float:
    """Average precision at 101 recalls, as COCO interpolates it; NaN without objects.

    The same number as :func:`lexifuse.metrics.average_precision.average_precision` gives, from matches that can be
    resampled without being made again.
    """
    total = int(matches.objects[matches.objects > 0].sum())
    if not total:
        return float("nan")
    hits = np.cumsum(matches.hits[np.argsort(-matches.scores, kind="stable")])
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    places = np.searchsorted(hits / total, np.linspace(0, 1, 101), side="left")
    return float(np.append(precision, 0.0)[places].mean())


def recall_at(matches: Matches, false_positives: float) -> float:
    """Share of the objects found at the threshold with so many false positives per picture; NaN without objects."""
    labelled = matches.objects >= 0
    total = int(matches.objects[labelled].sum())
    if not total:
        return float("nan")
    order = np.argsort(-matches.scores, kind="stable")
    wrong = np.cumsum(~matches.hits[order])
    return float(matches.hits[order][wrong <= false_positives * labelled.sum()].sum() / total)


def best_threshold(truth: Sequence[LabelledPicture], found: Sequence[Sequence[Detection]]) -> float:
    """The least score that makes the best F1 in the mean of the classes that have objects; 0.3 where none has."""
    matched = [one for one in (match(truth, found, label) for label in CLASSES) if (one.objects > 0).any()]
    if not matched:
        return 0.3
    thresholds = np.linspace(0.05, 0.9, 86)
    f1 = np.zeros(len(thresholds))
    for one in matched:
        total = one.objects[one.objects > 0].sum()
        for index, threshold in enumerate(thresholds):
            said = one.scores >= threshold
            f1[index] += 2 * one.hits[said].sum() / max(said.sum() + total, 1) / len(matched)
    return round(float(thresholds[f1.argmax()]), 2)
