"""The degradations' promises: identity at 0, more damage with more severity, same seed same damage, any size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lexifuse.datasets.synthetic import Scene
from lexifuse.degradations import degrade, degrade_pair
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


def test_wrong_calls_are_refused(day: Scene) -> None:
    with pytest.raises(UsageError, match=r"unknown degradation 'visible\.fog'"):
        degrade(day.visible, "visible.fog", 0.5)
    with pytest.raises(UsageError, match="severity must be from 0 to 1, not 2"):
        degrade(day.visible, "visible.haze", 2)
    with pytest.raises(UsageError, match="unknown degradation"):
        degrade_pair(day.infrared, day.visible, {"infrared.rain": 0.5})
