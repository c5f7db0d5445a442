"""Average precision and recall of detections: what is right, wrong, not labelled or to be ignored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lexifuse.boxes import CLASSES, IGNORED, Detection
from lexifuse.errors import InputError
from lexifuse.metrics.average_precision import LabelledPicture, average_precision
from lexifuse.metrics.detection_matches import best_threshold, interpolated_precision, match, recall_at

PERSON, CAR = Detection((4, 4, 12, 28), "person", 0.9), Detection((20, 10, 44, 24), "vehicle", 0.7)
TRUTH = LabelledPicture(48, 32, (((4, 4, 12, 28), "person"), ((20, 10, 44, 24), "vehicle")))


def test_average_precision_of_right_wrong_and_nothing() -> None:
    pytest.importorskip("faster_coco_eval")
    right = average_precision([TRUTH], [[PERSON, CAR]])
    assert right["AP50"] == pytest.approx({"person": 1, "vehicle": 1, "mean": 1})
    assert average_precision([TRUTH], [[]])["AP50"]["mean"] == 0
    shifted = Detection((4, 4, 12, 40), "person", 0.9)  # an overlap of two thirds
    measured = average_precision([TRUTH], [[shifted, CAR]])
    assert measured["AP50"]["person"] == pytest.approx(1)
    assert measured["AP50-95"]["person"] == pytest.approx(0.4)
    with pytest.raises(InputError, match="no picture has a labelled object"):
        average_precision([LabelledPicture(8, 8, ())], [[]])


def test_a_class_without_objects_is_undefined_and_does_not_count() -> None:
    pytest.importorskip("faster_coco_eval")
    truth = LabelledPicture(48, 32, TRUTH.boxes[:1])
    measured = average_precision([truth], [[PERSON, CAR]])["AP50"]
    assert np.isnan(measured["vehicle"])
    assert measured["mean"] == pytest.approx(1)


def test_what_is_not_labelled_or_to_be_ignored_counts_neither_way() -> None:
    pytest.importorskip("faster_coco_eval")
    false = Detection((20, 10, 44, 24), "person", 0.95)
    assert average_precision([TRUTH], [[PERSON, CAR, false]])["AP50"]["person"] == pytest.approx(0.5)
    crowd = LabelledPicture(48, 32, (*TRUTH.boxes, ((18, 8, 46, 26), IGNORED)))
    assert average_precision([crowd], [[PERSON, CAR, false]])["AP50"]["person"] == pytest.approx(1)
    people_only = LabelledPicture(48, 32, TRUTH.boxes[:1], ("person",))
    assert average_precision([people_only], [[PERSON, CAR]])["AP50"]["mean"] == pytest.approx(1)


def test_matches_give_the_same_precision_as_faster_coco_eval() -> None:
    pytest.importorskip("faster_coco_eval")
    rng = np.random.default_rng(0)

    def box() -> tuple[float, float, float, float]:
        x, y, wide, high = (float(value) for value in rng.uniform((0, 0, 10, 10), (80, 80, 40, 40)))
        return x, y, x + wide, y + high

    truth, found = [], []
    for _ in range(12):
        boxes = [(box(), str(rng.choice([*CLASSES, IGNORED], p=(0.5, 0.4, 0.1)))) for _ in range(5)]
        near = [tuple(float(side) for side in np.array(one) + rng.normal(0, 2, 4)) for one, _ in boxes]
        truth.append(LabelledPicture(128, 128, tuple(boxes)))
        found.append(
            [
                Detection(place, str(rng.choice(CLASSES)), float(rng.random()))  # type: ignore[arg-type]
                for place in [*near, *near, *(box() for _ in range(5))]
            ]
        )
    measured = average_precision(truth, found)
    for label in CLASSES:
        ours = [interpolated_precision(match(truth, found, label, least)) for least in np.linspace(0.5, 0.95, 10)]
        assert ours[0] == pytest.approx(measured["AP50"][label], abs=1e-9)
        assert np.mean(ours) == pytest.approx(measured["AP50-95"][label], abs=1e-9)


def test_recall_at_false_positives() -> None:
    wrong = [Detection((30, 0, 40, 4), "person", score) for score in (0.95, 0.5)]
    matched = match([TRUTH, TRUTH], [[PERSON, wrong[0]], [wrong[1], replace(PERSON, score=0.4)]], "person")
    assert matched.hits.sum() == 2
    assert [recall_at(matched, rate) for rate in (0.0, 0.5, 1.0)] == [0.0, 0.5, 1.0]
    assert recall_at(matched.of(np.array([0, 0])), 1.0) == 1.0
    assert np.isnan(recall_at(match([LabelledPicture(8, 8, ())], [[]], "person"), 1.0))
    assert match([LabelledPicture(8, 8, (), ("vehicle",))], [wrong[:1]], "person").objects.tolist() == [-1]
    assert 0.5 <= best_threshold([TRUTH, TRUTH], [[PERSON, CAR], [PERSON, CAR, wrong[1]]]) <= 0.7
