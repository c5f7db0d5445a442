"""``lexifuse eval --detector`` on several data sets: whose pictures are judged, which pairs, sets without objects."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from lexifuse.boxes import Detection
from lexifuse.cli import app
from lexifuse.datasets import PairFiles, open_dataset
from lexifuse.errors import InputError
from lexifuse.evaluation.detection import LabelledItem, labelled_items, rows_of
from lexifuse.images import write_image
from lexifuse.metrics.average_precision import LabelledPicture

pytest.importorskip("faster_coco_eval")

PERSON = "0 0.5 0.5 0.5 0.5\n"


class SeesPeopleInBrightPictures:
    """A detector that finds the one labelled person where a picture is bright, and nothing else."""

    name, sha256 = "bright", "0" * 64

    def detect(self, image: np.ndarray, threshold: float | None = None) -> list[Detection]:
        del threshold
        return [Detection((12, 8, 36, 24), "person", 0.9)] if image.mean() > 128 else []


@pytest.fixture(autouse=True)
def _judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexifuse.yolox.load_any_detector", lambda _name: SeesPeopleInBrightPictures())


def save_pairs(root: Path, dataset: str, labels: dict[str, str]) -> None:
    """Grey pairs of 48x32 with a label file each."""
    for stem, text in labels.items():
        for source, shape in (("ir", (32, 48)), ("vi", (32, 48, 3))):
            write_image(root / dataset / "test" / source / f"{stem}.png", np.full(shape, 100, np.uint8))
        path = root / dataset / "test" / "labels" / f"{stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / dataset / "classes.txt").write_text("person\ncar\n")


def save_outputs(folder: Path, level: int, *stems: str) -> None:
    for stem in stems:
        write_image(folder / f"{stem}.png", np.full((32, 48), level, np.uint8))


def run(root: Path, datasets: str, *more: str | Path) -> Result:
    call = ["eval", "--data", root, "--dataset", datasets, "--detector", "any", "--json", *more]
    return CliRunner().invoke(app, [str(word) for word in call])


def told(result: Result) -> dict[tuple[str, str], dict[str, Any]]:
    assert result.exit_code == 0, result.exception
    return {(row["label"], row["dataset"]): row for row in json.loads(result.stdout)["rows"]}


def test_outputs_of_data_sets_that_share_stems_are_told_apart(tmp_path: Path) -> None:
    for name, level in (("near", 200), ("far", 10)):
        save_pairs(tmp_path, name, {"a": PERSON, "b": PERSON})
        save_outputs(tmp_path / "out" / name, level, "a", "b")
    found = told(run(tmp_path, "near,far", "--fused", f"{tmp_path / 'out'}=mine"))
    values = {name: found["mine", name]["values"]["AP50"]["mean"] for name in ("near", "far", "all")}
    assert values == pytest.approx({"near": 1.0, "far": 0.0, "all": 0.5}, abs=0.01)


def test_an_output_that_is_missing_is_told_before_anything_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("near", "far"):
        save_pairs(tmp_path, name, {"a": PERSON, "b": PERSON})
    save_outputs(tmp_path / "out" / "near", 200, "a", "b")
    save_outputs(tmp_path / "out" / "far", 200, "a")
    deaf = SimpleNamespace(name="never asked", sha256="")
    monkeypatch.setattr("lexifuse.yolox.load_any_detector", lambda _name: deaf)
    result = run(tmp_path, "near,far", "--fused", f"{tmp_path / 'out'}=mine")
    assert isinstance(result.exception, InputError) and "'mine' has no output for far/b" in str(result.exception)


def test_a_data_set_without_objects_is_undefined_and_the_others_are_measured(tmp_path: Path) -> None:
    save_pairs(tmp_path, "street", {"a": PERSON, "b": PERSON})
    save_pairs(tmp_path, "empty", {"a": "", "b": ""})
    for name in ("street", "empty"):
        save_outputs(tmp_path / "out" / name, 200, "a", "b")
    found = told(run(tmp_path, "street,empty", "--fused", f"{tmp_path / 'out'}=mine"))
    assert found["mine", "street"]["values"]["AP50"]["mean"] == pytest.approx(1.0, abs=0.01)
    nothing = found["mine", "empty"]
    assert nothing["values"]["AP50"] == {"person": None, "vehicle": None, "mean": None}
    assert nothing["intervals"] == {"AP50": [None, None], "AP50-95": [None, None]}
    assert found["mine", "all"]["pictures"] == 4


def test_nothing_but_empty_pictures_is_refused(tmp_path: Path) -> None:
    save_pairs(tmp_path, "empty", {"a": "", "b": ""})
    result = run(tmp_path, "empty")
    assert isinstance(result.exception, InputError) and "none of the 2 labelled pairs holds" in str(result.exception)


def test_a_limit_spreads_over_the_labelled_pairs_and_the_others_are_not_read(tmp_path: Path) -> None:
    save_pairs(tmp_path, "street", dict.fromkeys("abcdefg", PERSON))
    (tmp_path / "street" / "test" / "labels" / "a.txt").unlink()
    for stem in "acdfg":
        (tmp_path / "street" / "test" / "vi" / f"{stem}.png").write_bytes(b"no picture")
    items, without = labelled_items([open_dataset(tmp_path, "street")], 2)
    assert ([one.item.name for one in items], without) == (["b", "e"], 1)


def test_intervals_are_those_of_their_measure_at_95_percent() -> None:
    """Of a hundred objects half are found, with an overlap of two thirds: 1.96 standard errors on either side."""
    truth = LabelledPicture(48, 32, (((4, 4, 12, 28), "person"),))
    items = [LabelledItem("made", PairFiles(str(number), Path(), Path()), truth) for number in range(100)]
    found = [[Detection((4, 4, 12, 40), "person", 0.9)] * (number % 2) for number in range(100)]
    (row,) = rows_of("mine", items, found, resamples=600)
    assert row.intervals["AP50"] == pytest.approx((0.402, 0.598), abs=0.015)
    assert row.intervals["AP50-95"] == pytest.approx((0.4 * 0.402, 0.4 * 0.598), abs=0.006)
