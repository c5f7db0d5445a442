"""Colours of a picture that noise was taken out of: kept, smooth, in any size and depth, where it was asked alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexifuse import Fuser, Instruction
from lexifuse import colour as module
from lexifuse.colour import recolour
from lexifuse.datasets.synthetic import Scene
from lexifuse.degradations import degrade_pair
from lexifuse.pixels import change_depth, to_float

NOISY = Instruction().with_values({"visible.noise": 0.6})


def colours(image: np.ndarray) -> np.ndarray:
    """Smoothed chroma (H, W, 2), around 0."""
    planes = cv2.cvtColor(to_float(image), cv2.COLOR_RGB2YCrCb)[..., 1:] - 0.5
    return cv2.GaussianBlur(planes, (0, 0), 3)


def kept(image: np.ndarray, clean: np.ndarray) -> float:
    """How much of the colour of a clean picture another one has; 1 is all."""
    return float((colours(image) * colours(clean)).sum() / (colours(clean) ** 2).sum())


def luma(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(to_float(image), cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize("prompt", ["the visible image is noisy", "the visible image is dark and noisy"])
def test_what_is_cleaned_of_noise_keeps_its_colours(fuser: Fuser, day: Scene, prompt: str) -> None:
    damage = {"visible.noise": 0.7} | ({"visible.low_light": 0.5} if "dark" in prompt else {})
    clean = fuser.fuse(day.infrared, day.visible).image
    noisy = degrade_pair(day.infrared, day.visible, damage, seed=4)
    session = fuser.session(*noisy)
    found = session.fuse(prompt).image
    assert 0.75 < kept(found, clean) < 1.3
    by_network = fuser.network.decode(
        session._encoded, fuser.conditioning(session.pair, session.fuse(prompt).carried_out)
    )
    assert kept(by_network, clean) < kept(found, clean) - 0.1
    assert np.mean((to_float(found) - to_float(clean)) ** 2) < 0.95 * np.mean(
        (to_float(by_network) - to_float(clean)) ** 2
    )


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    kind=st.sampled_from([np.uint8, np.uint16, np.float32]),
    seed=st.integers(0, 9),
)
@settings(max_examples=40)
def test_brightness_stays_in_any_size_and_depth(height: int, width: int, kind: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    fused = change_depth(np.full((height, width, 3), rng.uniform(0.3, 0.7), np.float32), kind)
    visible = change_depth((0.5 + rng.normal(0, 0.05, (height, width, 3))).clip(0, 1).astype(np.float32), np.uint8)
    before = fused.copy()
    found = recolour(fused, visible, NOISY)
    np.testing.assert_array_equal(fused, before)
    assert found.shape == fused.shape and found.dtype == fused.dtype
    np.testing.assert_allclose(luma(found), luma(fused), atol=0.01)


def test_nothing_is_done_where_no_noise_was_taken_out_or_there_is_no_colour(day: Scene) -> None:
    assert recolour(day.visible, day.visible[::-1], Instruction().with_values({"visible.haze": 0.9})) is day.visible
    assert recolour(day.visible, day.visible[::-1], Instruction().with_values({"visible.noise": 0.03})) is day.visible
    assert recolour(day.infrared, day.infrared, NOISY) is day.infrared


def test_colours_grow_only_where_darkness_was_repaired(day: Scene) -> None:
    dark = degrade_pair(day.infrared, day.visible, {"visible.low_light": 0.8}, seed=1)[1]
    noise_alone = recolour(day.visible, dark, NOISY)
    toned_down = recolour(day.visible, dark, NOISY.with_values({"visible.low_light": 0.03}))
    np.testing.assert_array_equal(toned_down, noise_alone)
    assert kept(recolour(day.visible, dark, NOISY.with_values({"visible.low_light": 0.6})), day.visible) > 1.5 * kept(
        noise_alone, day.visible
    )


def test_bands_leave_no_seam(day: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = degrade_pair(day.infrared, day.visible, {"visible.noise": 0.8}, seed=1)[1]
    dark = NOISY.with_values({"visible.low_light": 0.5})
    for done in (NOISY, dark):
        whole = recolour(day.visible, noisy, done)
        with monkeypatch.context() as patch:
            patch.setattr(module, "_ROWS", 16)
            assert np.abs(recolour(day.visible, noisy, done).astype(int) - whole).max() <= 1


def test_networks_that_hear_sentences_are_left_alone(day: Scene) -> None:
    from lexifuse import load

    noisy = degrade_pair(day.infrared, day.visible, {"visible.noise": 0.7}, seed=4)
    fuser = load("text-if-small")
    assert fuser.finish(day.visible, noisy[1], NOISY) is day.visible
