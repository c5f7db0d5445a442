"""Rendered street scenes: the same seed gives the same scene, boxes fit masks, and heat and light behave."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexifuse.datasets.synthetic import CLASSES, TIMES, Scene, render_scene, save_dataset
from lexifuse.errors import OutputError, UsageError
from lexifuse.instruction import HIGHLIGHTS

SEEDS = (0, 2, 5)


@cache
def small_scene(seed: int, time: str | None = None) -> Scene:
    """A quarter-size scene, rendered once for all tests."""
    return render_scene(seed, height=180, width=240, time=time)


def tight_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def test_a_scene_has_the_promised_layers():
    scene = render_scene(7, height=480, width=640)
    assert scene.visible.shape == (480, 640, 3)
    assert scene.visible.dtype == np.uint8
    assert scene.infrared.shape == (480, 640)
    assert scene.infrared.dtype == np.uint8
    assert scene.depth.shape == (480, 640)
    assert scene.depth.dtype == np.float32
    assert scene.labels.shape == (480, 640)
    assert scene.labels.dtype == np.uint8
    assert scene.seed == 7
    assert scene.time in TIMES


def test_the_same_arguments_give_the_same_scene():
    first, second = (render_scene(4, height=96, width=128) for _ in range(2))
    assert np.array_equal(first.visible, second.visible)
    assert np.array_equal(first.infrared, second.infrared)
    assert np.array_equal(first.depth, second.depth)
    assert np.array_equal(first.labels, second.labels)
    assert (first.objects, first.time) == (second.objects, second.time)


def test_different_seeds_differ_and_every_time_is_drawn():
    scenes = [render_scene(seed, height=32, width=32) for seed in range(9)]
    assert len({scene.visible.tobytes() for scene in scenes}) == len(scenes)
    assert len({scene.infrared.tobytes() for scene in scenes}) == len(scenes)
    assert {scene.time for scene in scenes} == set(TIMES)


@pytest.mark.parametrize("seed", SEEDS)
def test_boxes_fit_the_masks(seed: int):
    scene = small_scene(seed)
    assert len(scene.objects) > 0
    assert set(np.unique(scene.labels)) - {0} == set(range(1, len(scene.objects) + 1))
    for number, thing in enumerate(scene.objects, start=1):
        assert thing.box == tight_box(scene.labels == number)
        assert thing.name in HIGHLIGHTS
        assert thing.name in CLASSES


@pytest.mark.parametrize("seed", SEEDS)
def test_objects_stand_where_the_depth_says(seed: int):
    scene = small_scene(seed)
    for number, thing in enumerate(scene.objects, start=1):
        seen = scene.depth[scene.labels == number]
        assert abs(float(np.median(seen)) - thing.distance) < 6.5  # half a bus


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(16, 90),
    width=st.integers(16, 90),
    time=st.sampled_from([*TIMES, None]),
)
def test_any_size_and_seed(seed: int, height: int, width: int, time: str | None):
    scene = render_scene(seed, height=height, width=width, time=time)
    assert scene.visible.shape == (height, width, 3)
    assert scene.infrared.shape == scene.labels.shape == scene.depth.shape == (height, width)
    assert time is None or scene.time == time
    assert np.isfinite(scene.depth).all()
    assert scene.depth.min() > 0
    assert scene.depth.max() <= 1000.0
    for number, thing in enumerate(scene.objects, start=1):
        assert thing.box == tight_box(scene.labels == number)


def test_a_building_that_starts_hardly_behind_the_camera():
    assert render_scene(2_000_266, height=320, width=416).visible.shape == (320, 416, 3)


@pytest.mark.parametrize("shape", [(16, 400), (300, 16)])
def test_narrow_frames(shape: tuple[int, int]):
    scene = render_scene(1, height=shape[0], width=shape[1])
    assert scene.infrared.shape == shape


@pytest.mark.parametrize("seed", SEEDS)
def test_night_is_darker_than_dusk_and_dusk_than_day(seed: int):
    day, dusk, night = (small_scene(seed, time).visible.mean() for time in ("day", "dusk", "night"))
    assert night < 0.8 * dusk
    assert dusk < day


def test_lamps_saturate_at_night():
    brightest = [small_scene(seed, "night").visible.max(axis=-1) for seed in SEEDS]
    assert sum((picture >= 250).any() for picture in brightest) >= len(SEEDS) - 1


@pytest.mark.parametrize("seed", SEEDS)
def test_infrared_does_not_depend_on_light(seed: int):
    scene = small_scene(seed, "night")
    assert scene.infrared.std() > 15
    assert scene.infrared.mean() > 0.5 * small_scene(seed, "day").infrared.mean()


def test_people_are_warmer_than_what_surrounds_them_at_night():
    margins = []
    for seed in range(5):
        scene = small_scene(seed, "night")
        for number, thing in enumerate(scene.objects, start=1):
            mask = (scene.labels == number).astype(np.uint8)
            if thing.name != "person" or mask.sum() < 60:
                continue
            ring = (cv2.dilate(mask, np.ones((9, 9))) - cv2.dilate(mask, np.ones((3, 3)))).astype(bool)
            ring &= scene.labels == 0
            if ring.sum() > 20:
                margins.append(scene.infrared[mask > 0].mean() - scene.infrared[ring].mean())
    assert len(margins) > 5
    assert np.mean(np.array(margins) > 15) > 0.95


@pytest.mark.parametrize("time", TIMES)
def test_the_sky_is_colder_than_the_street(time: str):
    skies = 0
    for seed in SEEDS:
        scene = small_scene(seed, time)
        sky = scene.depth >= 1000.0
        if sky.mean() > 0.02:
            skies += 1
            assert scene.infrared[sky].mean() < scene.infrared[~sky].mean() - 10
    assert skies >= 2


def test_each_camera_sees_texture_that_the_other_does_not():
    """Gradients of the two pictures of a day scene are only weakly related."""
    for seed in SEEDS:
        scene = small_scene(seed, "day")
        grey = cv2.cvtColor(scene.visible, cv2.COLOR_RGB2GRAY)
        edges = [np.hypot(*(cv2.Sobel(p, cv2.CV_32F, *d) for d in ((1, 0), (0, 1)))) for p in (grey, scene.infrared)]
        assert 0.02 < np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1] < 0.8


def test_a_saved_data_set_reads_back(tmp_path: Path):
    save_dataset(tmp_path / "scenes", 2, seed=5, height=64, width=96)
    folder = tmp_path / "scenes"
    classes = (folder / "classes.txt").read_text().split("\n")[:-1]
    assert classes == list(CLASSES)
    names = sorted(path.stem for path in (folder / "ir").iterdir())
    assert names == ["000005", "000006"]
    assert sorted(path.stem for path in (folder / "vi").iterdir()) == names
    for name in names:
        scene = render_scene(int(name), height=64, width=96)
        visible = cv2.imread(str(folder / "vi" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert visible is not None
        assert np.array_equal(cv2.cvtColor(visible, cv2.COLOR_BGR2RGB), scene.visible)
        infrared = cv2.imread(str(folder / "ir" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert infrared is not None
        assert np.array_equal(infrared, scene.infrared)
        lines = (folder / "labels" / f"{name}.txt").read_text().splitlines()
        assert len(lines) == len(scene.objects)
        for line, thing in zip(lines, scene.objects, strict=True):
            kind, x, y, wide, high = line.split()
            assert classes[int(kind)] == thing.name
            left, top = (float(x) - float(wide) / 2) * 96, (float(y) - float(high) / 2) * 64
            right, bottom = (float(x) + float(wide) / 2) * 96, (float(y) + float(high) / 2) * 64
            assert np.allclose((left, top, right, bottom), thing.box, atol=1e-3)


def test_saving_leaves_no_parts_and_replaces(tmp_path: Path):
    for _ in range(2):
        save_dataset(tmp_path, 1, height=16, width=16)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "000000.png", "000000.png", "000000.txt", "classes.txt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "call",
    [
        {"seed": 0, "height": 15},
        {"seed": 0, "width": 8},
        {"seed": -1},
        {"seed": 0, "time": "noon"},
    ],
)
def test_wrong_calls_say_so(call: dict):
    with pytest.raises(UsageError) as error:
        render_scene(**call)
    assert "\n" not in str(error.value)


def test_wrong_data_sets_say_so(tmp_path: Path):
    with pytest.raises(UsageError):
        save_dataset(tmp_path, 0)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save_dataset(tmp_path / "file", 1, height=16, width=16)
