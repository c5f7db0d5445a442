"""The degradations' promises: identity at 0, more damage with more severity, same seed same damage, any size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lexifuse.datasets.synthetic import Scene
from lexifuse.degradations import degrade, degrade_pair, plausible_depth
from lexifuse.errors import UsageError
from lexifuse.instruction import DEGRADATIONS

every = pytest.mark.parametrize("name", DEGRADATIONS)


def _picture(scene: Scene, name: str) -> np.ndarray:
    return scene.visible if name.startswith("visible.") else scene.infrared


@every
def test_severity_zero_is_the_identity(name: str, day: Scene) -> None:
    picture = _picture(day, name)
    clean = degrade(picture, name, 0.0)
    assert clean is not picture
    np.testing.assert_array_equal(clean, picture)


@every
def test_same_seed_same_damage_other_seed_other_damage(name: str, day: Scene) -> None:
    picture = _picture(day, name)
    first = degrade(picture, name, 0.7, seed=5)
    np.testing.assert_array_equal(first, degrade(picture, name, 0.7, seed=5))
    assert np.any(first != degrade(picture, name, 0.7, seed=6))


@every
@pytest.mark.parametrize("seed", range(5))
def test_damage_grows_with_severity(name: str, seed: int, day: Scene) -> None:
    picture = _picture(day, name).astype(np.float32) / 255
    errors = [float(np.mean((degrade(picture, name, s, seed=seed) - picture) ** 2)) for s in (0.2, 0.5, 0.8, 1.0)]
    assert all(less < more for less, more in pairwise(errors)), errors
    assert errors[-1] > 1e-4


@every
@settings(max_examples=12, deadline=None)
@given(
    data=st.data(),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    colour=st.booleans(),
    severity=st.floats(0, 1),
)
def test_any_size_and_depth_keeps_its_shape_range_and_input(
    name: str, data: st.DataObject, height: int, width: int, dtype: type, colour: bool, severity: float
) -> None:
    shape = (height, width, 3) if colour and name.startswith("visible.") else (height, width)
    values = st.floats(0, 1, width=32) if dtype == np.float32 else None
    picture = data.draw(hnp.arrays(dtype, shape, elements=values))
    before = picture.copy()
    damaged = degrade(picture, name, severity, seed=1)
    assert damaged.shape == shape
    assert damaged.dtype == dtype
    assert np.isfinite(damaged).all()
    assert damaged.min() >= 0
    assert damaged.max() <= (1 if dtype == np.float32 else np.iinfo(dtype).max)
    np.testing.assert_array_equal(picture, before)


def test_each_does_what_it_says(day: Scene) -> None:
    visible, infrared = day.visible, day.infrared
    assert degrade(visible, "visible.low_light", 0.8, seed=1).mean() < 0.7 * visible.mean()
    assert degrade(visible, "visible.over_exposure", 0.8, seed=1).mean() > 1.1 * visible.mean()
    assert degrade(visible, "visible.haze", 0.8, seed=1).std() < visible.std()
    assert degrade(infrared, "infrared.low_contrast", 0.8, seed=1).std() < 0.6 * infrared.std()
    blurred = degrade(visible, "visible.blur", 0.8, seed=1).astype(float)
    assert np.abs(np.diff(blurred, axis=1)).mean() < np.abs(np.diff(visible.astype(float), axis=1)).mean()


def test_haze_follows_the_given_depth(day: Scene) -> None:
    depth = np.full(day.infrared.shape, 1.0, np.float32)
    depth[:, 96:] = 60.0
    hazy = degrade(day.visible, "visible.haze", 0.8, seed=2, depth=depth).astype(float)
    change = np.abs(hazy - day.visible).mean(axis=(0, 2))
    assert change[96:].mean() > change[:96].mean()


def test_a_pair_is_damaged_source_by_source(day: Scene) -> None:
    infrared, visible = degrade_pair(day.infrared, day.visible, {"infrared.stripes": 0.7}, seed=3)
    np.testing.assert_array_equal(visible, day.visible)
    np.testing.assert_array_equal(infrared, degrade(day.infrared, "infrared.stripes", 0.7, seed=3))
    both = degrade_pair(day.infrared, day.visible, {"infrared.stripes": 0.7, "visible.noise": 0.5}, seed=3)
    np.testing.assert_array_equal(both[0], infrared)
    np.testing.assert_array_equal(both[1], degrade(day.visible, "visible.noise", 0.5, seed=3))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("visible.haze", "visible.rain"),
        ("visible.rain", "visible.blur"),
        ("visible.blur", "visible.low_light"),
        ("visible.blur", "visible.over_exposure"),
        ("visible.low_light", "visible.noise"),
        ("visible.over_exposure", "visible.noise"),
        ("infrared.low_contrast", "infrared.stripes"),
        ("infrared.stripes", "infrared.noise"),
    ],
)
def test_what_meets_the_light_first_is_done_first(first: str, then: str, day: Scene) -> None:
    """The air, then the lens, then the exposure, then the sensor: a lens out of focus blurs the rain, too."""
    infrared, visible = degrade_pair(day.infrared, day.visible, {then: 0.8, first: 0.8}, seed=4)
    damaged = visible if first.startswith("visible.") else infrared
    np.testing.assert_array_equal(
        damaged, degrade(degrade(_picture(day, first), first, 0.8, seed=4), then, 0.8, seed=4)
    )


def test_haze_thickens_as_the_law_says_up_to_the_far_depth() -> None:
    """What is left of black and white tells the transmission: the same factor for every so many metres."""
    depth = np.tile(np.array([0, 15, 30, 45, 60, 1000], np.float32), (2, 1))
    black, white = np.zeros((2, 6), np.float32), np.ones((2, 6), np.float32)
    black, white = (degrade(plane, "visible.haze", 0.8, seed=2, depth=depth) for plane in (black, white))
    fading = np.diff(np.log(white[0] - black[0]))
    assert fading[0] < -0.1
    np.testing.assert_allclose(fading[1:4], fading[0], rtol=1e-4)
    assert fading[4] == pytest.approx(0.0, abs=1e-6)


def test_a_plausible_depth_is_the_one_that_training_saw() -> None:
    depth = plausible_depth(60, 80, np.random.default_rng(0))
    assert depth.min() >= 2 and depth.max() <= 60
    known = [[46.58, 39.82, 56.95, 51.23], [33.83, 50.71, 29.25, 44.75], [29.5, 13.07, 23.66, 12.5]]
    np.testing.assert_allclose(depth[:45:15, ::20], known, atol=0.02)


def test_wrong_calls_are_refused(day: Scene) -> None:
    with pytest.raises(UsageError, match=r"unknown degradation 'visible\.fog'"):
        degrade(day.visible, "visible.fog", 0.5)
    with pytest.raises(UsageError, match="severity must be from 0 to 1, not 2"):
        degrade(day.visible, "visible.haze", 2)
    with pytest.raises(UsageError, match="unknown degradation"):
        degrade_pair(day.infrared, day.visible, {"infrared.rain": 0.5})
