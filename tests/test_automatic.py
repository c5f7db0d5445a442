"""Pixels to an instruction: damage is seen, clean pairs are left alone, words have the last word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import lexifuse
from lexifuse import Fuser, Instruction
from lexifuse.automatic import SHIPPED, is_automatic, override, read_pixels, spoken_of
from lexifuse.cli import app
from lexifuse.damage_features import PATCH, PATCHES, damage_features, spread
from lexifuse.datasets.synthetic import Scene, render_scene
from lexifuse.degradations import degrade_pair
from lexifuse.instruction import DEGRADATIONS
from lexifuse.language import read_prompt
from lexifuse.models import find_model
from lexifuse.pair import ImagePair


@settings(deadline=None, max_examples=25)
@given(
    height=st.integers(1, 260),
    width=st.integers(1, 260),
    dtype=st.sampled_from((np.uint8, np.uint16, np.float32)),
    coloured=st.booleans(),
)
def test_any_size_and_depth_is_read(height: int, width: int, dtype: type, coloured: bool) -> None:
    rng = np.random.default_rng(height * 261 + width)
    scale = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    infrared = (rng.random((height, width)) * scale).astype(dtype)
    visible = (rng.random((height, width, 3) if coloured else (height, width)) * scale).astype(dtype)
    reading = read_pixels(ImagePair(infrared, visible))
    assert set(reading.probability) == set(DEGRADATIONS)
    assert all(0 <= value <= 1 for value in (*reading.probability.values(), *reading.severity.values()))


@given(height=st.integers(1, 5000), width=st.integers(1, 5000))
def test_patches_are_few_and_inside(height: int, width: int) -> None:
    corners = spread(height, width)
    assert 1 <= len(corners) <= PATCHES
    assert len(set(corners)) == len(corners)
    assert all(0 <= row <= max(height - PATCH, 0) and 0 <= column <= max(width - PATCH, 0) for row, column in corners)


def test_depths_are_seen_alike(day: Scene) -> None:
    eight = damage_features(day.infrared, day.visible)
    sixteen = damage_features(day.infrared.astype(np.uint16) * 257, day.visible.astype(np.uint16) * 257)
    # Luma is rounded to the steps of the picture, which a spectrum of a flat patch sees.
    assert np.abs(eight - sixteen).mean() < 0.05


@pytest.mark.parametrize("degradation", DEGRADATIONS)
def test_severe_damage_is_seen(degradation: str) -> None:
    # Several scenes and seeds: one kind of haze on one street may be hard to tell from the weather.
    seen = 0
    for seed in range(5):
        scene = render_scene(seed, height=240, width=320, time="day")
        before = read_pixels(ImagePair(scene.infrared, scene.visible)).probability[degradation]
        damaged = degrade_pair(scene.infrared, scene.visible, {degradation: 0.95}, seed=seed, depth=scene.depth)
        seen += read_pixels(ImagePair(*damaged)).probability[degradation] > max(before, 0.4)
    assert seen >= 3


def test_the_network_is_as_small_as_promised() -> None:
    model = find_model(SHIPPED)
    assert model.size_bytes <= 1_000_000
    assert model.card.metrics["mean_f1"] > 0.5


def test_words_override_the_pixels_field_by_field() -> None:
    seen = Instruction.from_dict({"visible": {"haze": 0.5, "noise": 0.7}, "infrared": {"stripes": 0.4}})
    reading = read_prompt("no haze, it is slightly noisy; make people stand out")
    mixed = override(seen, reading.instruction, spoken_of(reading))
    assert mixed.visible.haze == 0
    assert mixed.visible.noise == pytest.approx(0.3)
    assert mixed.infrared.stripes == pytest.approx(0.4)
    assert mixed.highlight == ("person",)


def test_auto_is_a_request(fuser: Fuser, day: Scene) -> None:
    damaged = degrade_pair(day.infrared, day.visible, {"visible.noise": 0.9}, seed=1)
    result = fuser.fuse(*damaged, "auto")
    assert result.seen is not None
    assert result.instruction == result.seen.instruction
    assert result.reading is None
    with_words = fuser.fuse(*damaged, "the visible image is not noisy", automatic=True)
    assert with_words.instruction.visible.noise == 0


def test_inspect_prints_the_instruction(day: Scene, tmp_path: Path) -> None:
    infrared, visible = degrade_pair(day.infrared, day.visible, {"visible.noise": 0.9}, seed=1)
    for name, image in (("ir.png", infrared), ("vi.png", visible)):
        lexifuse.write_image(tmp_path / name, image)
    files = [str(tmp_path / "ir.png"), str(tmp_path / "vi.png")]
    shown = CliRunner().invoke(app, ["inspect", *files, "--json"])
    assert shown.exit_code == 0
    import json

    data = json.loads(shown.stdout)
    assert Instruction.from_dict({key: data[key] for key in ("visible", "infrared")}).visible.noise > 0
    assert "noise" in CliRunner().invoke(app, ["inspect", *files]).stdout


def test_set_fields_are_the_last_word(day: Scene, tmp_path: Path) -> None:
    infrared, visible = degrade_pair(day.infrared, day.visible, {"visible.noise": 0.9}, seed=1)
    for name, image in (("ir.png", infrared), ("vi.png", visible)):
        lexifuse.write_image(tmp_path / name, image)
    call = ["fuse", str(tmp_path / "ir.png"), str(tmp_path / "vi.png"), "-o", str(tmp_path / "out.png"), "--auto"]
    import json

    def noise(*more: str) -> float:
        run = CliRunner().invoke(app, [*call, "--json", *more])
        assert run.exit_code == 0, run.output
        return json.loads(run.stdout)["instruction"]["visible"]["noise"]

    assert noise() > 0.2
    assert noise("--set", "visible.noise=0") == 0


def test_real_clean_days_are_left_alone(real_data: Path) -> None:
    from lexifuse.automatic import PixelReader
    from lexifuse.datasets import open_dataset
    from lexifuse.evaluation.pixel_reading import measure_reading

    figures = measure_reading(
        PixelReader.shipped(), [open_dataset(real_data, "msrs"), open_dataset(real_data, "roadscene")], limit=6
    )
    assert figures.pairs == 12
    assert figures.to_dict()["mean_f1"] > 0.7
    assert figures.false_alarms <= 0.25


@pytest.mark.parametrize(
    "words",
    [
        "auto",
        " AUTO ",
        "automatic",
        "fix it",
        "Enhance!",
        "please clean it up",
        "make it look better",
        "improve the image",
    ],
)
def test_who_asks_for_the_best_alone_lets_the_pixels_speak(words: str) -> None:
    assert is_automatic(words)


@pytest.mark.parametrize(
    "words", ["", "clear", "good", "fix the noise", "enhance contrast", "make it brighter", "auto, no haze", None, 3]
)
def test_who_asks_for_something_does_not(words: object) -> None:
    assert not is_automatic(words)
