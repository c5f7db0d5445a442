"""Training of the network that reads pictures: what was collected is kept, what was learned is exported."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from lexifuse.automatic import PixelReader
from lexifuse.datasets.synthetic import render_scene
from lexifuse.errors import ModelError
from lexifuse.instruction import DEGRADATIONS
from lexifuse.pair import ImagePair
from lexifuse.training.automatic import samples as samples_module
from lexifuse.training.automatic.export import choose_thresholds, make_automatic
from lexifuse.training.automatic.samples import PixelSamples, natural_darkness, open_pictures
from lexifuse.training.automatic.trainer import AutomaticRecipe, collect, fit, loss_of

RECIPE = AutomaticRecipe(sources={"synthetic": 1.0}, scenes=8, samples=60, held_out=20, epochs=30, batch=20)


@pytest.fixture(scope="module", autouse=True)
def _small_scenes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples_module, "render_scene", partial(render_scene, height=144, width=192))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_automatic(RECIPE, folder, folder, workers=0)
    return folder


def test_samples_are_the_same_every_time_and_some_are_undamaged(tmp_path: Path) -> None:
    pictures = open_pictures(tmp_path, ["synthetic"], 2)
    samples = PixelSamples(pictures, {"synthetic": 1.0}, 20, seed=3)
    assert {bool(samples[number]["severity"][1:].any()) for number in range(20)} == {True, False}
    for name, value in samples[4].items():
        torch.testing.assert_close(value, samples[4][name], rtol=0, atol=0)


def test_a_night_is_dark_by_nature() -> None:
    assert natural_darkness(np.full((8, 8, 3), 200, np.uint8)) == 0.0
    assert 0.4 < natural_darkness(np.full((8, 8, 3), 20, np.uint8)) <= 0.9


def test_the_loss_knows_right_from_wrong() -> None:
    truth = torch.zeros(1, 9)
    truth[0, 2] = 0.8
    presence, error = loss_of(20 * (truth > 0) - 10.0, truth, truth)
    wrong_presence, wrong_error = loss_of(10 - 20.0 * (truth > 0), 1 - truth, truth)
    assert presence < 0.01 < wrong_presence
    assert error == 0
    assert wrong_error == pytest.approx(0.6)


def test_what_was_collected_is_not_made_again(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a sample was made twice")

    before = collect(RECIPE, run, run / "samples", workers=0)
    monkeypatch.setattr(PixelSamples, "__getitem__", fail)
    after = collect(RECIPE, run, run / "samples", workers=0)
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(first.features, second.features, rtol=0, atol=0)
    with pytest.raises(ModelError, match="another recipe"):
        collect(RECIPE.model_copy(update={"seed": 5}), run, run / "samples", workers=0)


def test_learning_lowers_the_loss_and_repeats_itself(run: Path) -> None:
    samples, held_out = collect(RECIPE, run, run / "samples", workers=0)
    learned = fit(RECIPE, samples)
    barely = fit(RECIPE.model_copy(update={"epochs": 1}), samples)
    with torch.no_grad():
        answers = [network(samples.features) for network in (learned, barely)]
        late, early = (loss_of(logits, severities, samples.severity)[0] for logits, severities in answers)
    assert late < 0.8 * early
    for first, second in zip(learned.parameters(), fit(RECIPE, samples).parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert set(choose_thresholds(learned, held_out)) == set(DEGRADATIONS)


def test_the_exported_network_reads_pictures(run: Path) -> None:
    from lexifuse.models import find_model

    rng = np.random.default_rng(0)
    pair = ImagePair(rng.integers(0, 256, (70, 90), np.uint8), rng.integers(0, 256, (70, 90, 3), np.uint8))
    reading = PixelReader(find_model(run / "export")).read(pair)
    assert set(reading.severity) == set(DEGRADATIONS)
