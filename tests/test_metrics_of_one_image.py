"""What is measured before and beside a fusion: luma, the chroma error and NIQE."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from lexifuse import metrics
from lexifuse.errors import InputError

RNG = np.random.default_rng(3)


def test_luma_follows_the_recipe() -> None:
    colours = RNG.integers(0, 256, (9, 7, 3)).astype(np.uint8)
    expected = [[round(0.299 * r + 0.587 * g + 0.114 * b) for r, g, b in row] for row in colours.tolist()]
    assert np.array_equal(metrics.luma(colours), expected)
    assert np.array_equal(metrics.luma(colours[..., 0]), colours[..., 0])
    assert np.array_equal(metrics.luma(colours[..., :1]), colours[..., 0])
    assert np.array_equal(metrics.luma(colours.astype(np.uint16) * 257), metrics.luma(colours))
    assert np.array_equal(metrics.luma(colours / np.float32(255)), metrics.luma(colours))
    assert metrics.luma(np.array([[65535, 128, 129]], np.uint16)).tolist() == [[255, 0, 1]]


@pytest.mark.parametrize(
    "image",
    [np.full((4, 4), np.nan), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8), np.zeros((4, 4), np.int64)],
)
def test_luma_refuses_what_is_no_image(image: np.ndarray) -> None:
    with pytest.raises(InputError):
        metrics.luma(image)


def test_chroma_error_sees_colour_and_not_brightness() -> None:
    colours = RNG.integers(20, 200, (12, 10, 3)).astype(np.uint8)
    assert metrics.chroma_error(colours, colours + np.uint8(30)) == pytest.approx(0, abs=1e-9)
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    grey = np.full((4, 4), 76, np.uint8)
    luminance = 0.299 * 255
    assert metrics.chroma_error(red, grey) == pytest.approx(math.hypot(0.564 * luminance, 0.713 * (255 - luminance)))
    with pytest.raises(InputError, match="fused is 4x4 but visible is 10x12"):
        metrics.chroma_error(colours, grey)


def photograph(seed: int) -> np.ndarray:
    """A picture with the 1/f spectrum and the edges of natural scenes."""
    rng = np.random.default_rng(seed)
    plane = np.sum([cv2.resize(rng.normal(0, 24, (6 * 2**k, 8 * 2**k)), (384, 288)) for k in range(6)], axis=0)
    for _ in range(30):
        x, y, w, h = rng.integers(0, 300), rng.integers(0, 220), rng.integers(10, 90), rng.integers(10, 90)
        plane[y : y + h, x : x + w] += rng.normal(0, 40)
    return np.clip(plane + 128, 0, 255).astype(np.uint8)


def test_niqe_rises_with_noise_and_blur(tmp_path: Path) -> None:
    parameters = metrics.NiqeParameters.fit(photograph(seed) for seed in range(6))
    clean = photograph(9)
    noise = np.random.default_rng(0).normal(0, 1, clean.shape)
    noisy = [np.clip(clean + level * noise, 0, 255).astype(np.uint8) for level in (15, 40)]
    blurred = [cv2.GaussianBlur(clean, (0, 0), sigma) for sigma in (1.5, 4)]
    score = metrics.niqe(clean, parameters)
    assert score < metrics.niqe(noisy[0], parameters) < metrics.niqe(noisy[1], parameters)
    assert score < metrics.niqe(blurred[0], parameters) < metrics.niqe(blurred[1], parameters)

    path = tmp_path / "model.npz"
    np.savez(path, mu_pris_param=parameters.mean[None], cov_pris_param=parameters.covariance)
    assert metrics.niqe(clean, path) == pytest.approx(score)


def test_niqe_says_what_it_cannot_use(tmp_path: Path) -> None:
    parameters = metrics.NiqeParameters(np.zeros(36), np.eye(36))
    assert math.isnan(metrics.niqe(np.zeros((95, 400), np.uint8), parameters))
    assert math.isnan(metrics.niqe(np.full((200, 200), 7, np.uint8), parameters))
    with pytest.raises(InputError, match="cannot read NIQE parameters"):
        metrics.niqe(photograph(1), tmp_path / "missing.npz")
    with pytest.raises(InputError, match="to be fitted"):
        metrics.NiqeParameters.fit([np.zeros((20, 20), np.uint8)])
