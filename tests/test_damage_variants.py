"""The nine degradations by other formulas: any size, any severity, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexifuse.datasets.synthetic import Scene
from lexifuse.degradations import degrade_pair
from lexifuse.instruction import DEGRADATIONS
from lexifuse.pixels import to_float
from lexifuse.training.damage_variants import VARIANTS, degrade_pair_variously

_OVERCAST, _GROUND = 0.55, 0.2


def test_every_degradation_has_other_formulas() -> None:
    assert set(VARIANTS) == set(DEGRADATIONS)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(DEGRADATIONS),
    severity=st.floats(0.05, 1.0),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**31),
)
def test_any_size_stays_a_picture(name: str, severity: float, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    infrared, visible = rng.random((height, width), np.float32), rng.random((height, width, 3), np.float32)
    call = {"seed": seed, "depth": None, "share": 1.0}
    damaged = degrade_pair_variously(infrared, visible, {name: severity}, **call)
    for before, after in zip((infrared, visible), damaged, strict=True):
        assert after.shape == before.shape and after.dtype == np.float32
        assert after.min() >= 0 and after.max() <= 1
    again = degrade_pair_variously(infrared, visible, {name: severity}, **call)
    np.testing.assert_array_equal(damaged[0], again[0])
    np.testing.assert_array_equal(damaged[1], again[1])


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_every_formula_damages_and_more_so_when_severe(name: str, day: Scene) -> None:
    image = to_float(day.visible if name.startswith("visible.") else day.infrared)
    for variant in VARIANTS[name]:
        slight, severe = (
            float(np.mean([np.abs(variant(image, s, np.random.default_rng(n)) - image).mean() for n in range(4)]))
            for s in (0.3, 0.9)
        )
        assert 0.0005 < slight < severe


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_no_drawing_leaves_a_picture_as_it_was(name: str, day: Scene) -> None:
    image = to_float(day.visible if name.startswith("visible.") else day.infrared)
    for variant in VARIANTS[name]:
        for seed in range(8):
            assert not np.array_equal(variant(image, 0.15, np.random.default_rng(seed)), image)


def test_haze_may_have_the_colour_of_an_overcast_sky() -> None:
    image = np.full((48, 64, 3), _OVERCAST, np.float32)
    image[24:] = _GROUND
    skies, grounds = [], []
    for variant in VARIANTS["visible.haze"]:
        found = [variant(image, 0.8, np.random.default_rng(seed)) for seed in range(4)]
        skies.append(max(float(np.abs(hazy[:24] - _OVERCAST).max()) for hazy in found))
        grounds.append(min(float(hazy[24:].mean()) for hazy in found))
    unchanged = [ground for sky, ground in zip(skies, grounds, strict=True) if sky < 1e-3]
    assert unchanged and len(unchanged) < len(skies)
    assert min(unchanged) > _GROUND + 0.05


def test_no_share_gives_what_everything_is_measured_by(day: Scene) -> None:
    pair = to_float(day.infrared), to_float(day.visible)
    damage = {"visible.rain": 0.5, "infrared.stripes": 0.7}
    found = degrade_pair_variously(*pair, damage, seed=4, depth=None, share=0.0)
    for one, other in zip(found, degrade_pair(*pair, damage, seed=4), strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_degradation_does_not_change_how_another_is_made(day: Scene) -> None:
    pair = to_float(day.infrared), to_float(day.visible)
    for seed in range(6):
        call = {"seed": seed, "depth": None, "share": 0.5}
        alone = degrade_pair_variously(*pair, {"infrared.noise": 0.6}, **call)
        both = degrade_pair_variously(*pair, {"infrared.noise": 0.6, "visible.haze": 0.6}, **call)
        np.testing.assert_array_equal(alone[0], both[0])
