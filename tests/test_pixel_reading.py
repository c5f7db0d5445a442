"""How well damage is told from pixels is measured as it says: what counts, and what is undefined at night."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lexifuse.automatic import PixelReading
from lexifuse.datasets import Dataset, pair_folders
from lexifuse.datasets.synthetic import Scene
from lexifuse.evaluation.pixel_reading import measure_reading
from lexifuse.images import write_image
from lexifuse.instruction import DEGRADATIONS, Instruction
from lexifuse.pair import ImagePair


class Says:
    """A reader that says the same of every pair."""

    def __init__(self, **visible: float) -> None:
        self.said = Instruction().with_values({f"visible.{name}": value for name, value in visible.items()})

    def read(self, pair: ImagePair) -> PixelReading:
        del pair
        return PixelReading(self.said, {}, {})


def saved(folder: Path, *scenes: Scene) -> Dataset:
    for number, scene in enumerate(scenes):
        write_image(folder / "ir" / f"{number}.png", scene.infrared)
        write_image(folder / "vi" / f"{number}.png", scene.visible)
    return pair_folders(folder / "ir", folder / "vi")


def test_figures_are_those_of_the_trials(tmp_path: Path, day: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def trials(name: str, night: bool) -> Iterator[dict[str, float]]:
        del name, night
        yield from ({}, {"visible.haze": 0.3}, {"visible.haze": 0.9})

    monkeypatch.setattr("lexifuse.evaluation.pixel_reading.trials", trials)
    figures = measure_reading(Says(haze=0.6), [saved(tmp_path, day)])
    assert figures.f1["visible.haze"] == pytest.approx(0.8), "two of three"
    assert figures.error["visible.haze"] == pytest.approx((0.6 + 0.3 + 0.3) / 3)
    assert figures.error_present["visible.haze"] == pytest.approx(0.3)
    assert figures.false_alarms == 1.0
    assert figures.to_dict()["mean_severity_error"] == pytest.approx(0.4 / len(DEGRADATIONS), abs=1e-3)


def test_nights_are_no_alarms_and_what_cannot_be_told_of_them_is_undefined(tmp_path: Path, night: Scene) -> None:
    figures = measure_reading(Says(low_light=0.6), [saved(tmp_path, night)])
    assert (figures.nights, figures.false_alarms) == (1.0, 0.0)
    told = json.loads(json.dumps(figures.to_dict(), allow_nan=False))
    assert told["f1"]["visible.low_light"] is told["f1"]["visible.over_exposure"] is None
    assert told["severity_error"]["visible.low_light"] is None
    assert told["severity_error"]["visible.over_exposure"] == 0.0
    assert told["severity_error_where_damaged"]["visible.over_exposure"] is None
    defined = [value for value in told["f1"].values() if value is not None]
    assert (len(defined), told["mean_f1"]) == (7, 0.0)
    assert told["mean_severity_error"] > 0


def test_days_only_have_no_share_of_nights(tmp_path: Path, day: Scene) -> None:
    told = measure_reading(Says(haze=0.6), [saved(tmp_path, day)]).to_dict()
    assert told["nights_called_dark"] is None
    assert all(value is not None for value in told["f1"].values())
