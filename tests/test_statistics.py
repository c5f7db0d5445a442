"""What a network is told about whole pictures: damage shows in the numbers, the size of the picture does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexifuse.datasets.synthetic import Scene
from lexifuse.degradations import degrade_pair
from lexifuse.statistics import STATISTICS, picture_statistics, quantiles


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    dtype=st.sampled_from((np.uint8, np.uint16, np.float32)),
    coloured=st.booleans(),
)
def test_any_size_and_depth(height: int, width: int, dtype: type, coloured: bool) -> None:
    rng = np.random.default_rng(height * 301 + width)
    scale = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    infrared = (rng.random((height, width)) * scale).astype(dtype)
    visible = (rng.random((height, width, 3) if coloured else (height, width)) * scale).astype(dtype)
    values = picture_statistics(infrared, visible)
    assert values.shape == (len(STATISTICS),)
    assert values.dtype == np.float32
    assert ((values >= 0) & (values <= 1)).all()


@settings(deadline=None)
@given(count=st.integers(1, 500), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_quantiles_are_those_of_numpy(count: int, share: float, seed: int) -> None:
    values = np.random.default_rng(seed).random((count, 2), dtype=np.float32)
    np.testing.assert_allclose(quantiles(values, (share, 0.5)), np.quantile(values, (share, 0.5)), atol=1e-6)


@pytest.fixture
def clean(day: Scene) -> tuple[np.ndarray, np.ndarray]:
    return day.infrared, day.visible


@pytest.mark.parametrize(
    ("damage", "statistic", "direction"),
    [
        ("visible.low_light", "visible.quantile_75", -1),
        ("visible.over_exposure", "visible.quantile_50", 1),
        ("visible.haze", "visible.quantile_02", 1),
        ("visible.noise", "visible.across", 1),
        ("infrared.noise", "infrared.down", 1),
    ],
)
def test_damage_shows(clean: tuple[np.ndarray, np.ndarray], damage: str, statistic: str, direction: int) -> None:
    index = STATISTICS.index(statistic)
    before = picture_statistics(*clean)[index]
    after = picture_statistics(*degrade_pair(*clean, {damage: 0.8}, seed=1))[index]
    assert direction * (after - before) > 0.05


def test_stripes_are_rougher_across_than_along_them() -> None:
    infrared = np.full((128, 128), 0.5, np.float32)
    infrared += np.random.default_rng(0).normal(0, 0.05, 128).astype(np.float32)
    values = dict(zip(STATISTICS, picture_statistics(infrared, infrared), strict=True))
    assert values["infrared.across"] > 0.1
    assert values["infrared.down"] == 0.0


def test_a_large_picture_says_what_a_small_one_says(clean: tuple[np.ndarray, np.ndarray]) -> None:
    large = [np.kron(image, np.ones((2, 2) if image.ndim == 2 else (2, 2, 1), image.dtype)) for image in clean]
    quantiles = [index for index, name in enumerate(STATISTICS) if "quantile" in name]
    np.testing.assert_allclose(picture_statistics(*large)[quantiles], picture_statistics(*clean)[quantiles], atol=0.02)


def test_the_numbers_are_those_that_shipped_networks_were_trained_on(clean: tuple[np.ndarray, np.ndarray]) -> None:
    expected = [0.0157, 0.2588, 0.3608, 0.4118, 0.5843, 0.0941, 0.0627]
    expected += [0.2504, 0.3273, 0.5221, 0.6428, 0.8534, 0.1183, 0.1090]
    np.testing.assert_allclose(picture_statistics(*clean), expected, atol=1e-3)
