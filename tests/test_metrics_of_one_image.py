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
    green, magenta = (np.full((2, 2, 3), colour, np.uint8) for colour in ((0, 255, 0), (255, 0, 255)))
    assert metrics.chroma_error(green, magenta) == pytest.approx(272.2, abs=0.05), "no two colours are farther apart"
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


def test_niqe_has_known_answers() -> None:
    picture = photograph(9)
    made_up = metrics.NiqeParameters(np.zeros(36), np.eye(36))
    assert metrics.niqe(picture, made_up) == pytest.approx(5.3714, abs=2e-3)
    fitted = metrics.NiqeParameters.fit(photograph(seed) for seed in (1, 2))
    assert metrics.niqe(picture, fitted) == pytest.approx(8.1362, abs=2e-3)


def test_niqe_is_fitted_to_blocks_three_quarters_as_sharp_as_the_sharpest() -> None:
    noise = np.random.default_rng(0).normal(0, 1, (96, 288)) * np.repeat((30.0, 0.78 * 30, 0.72 * 30), 96)
    fitted = metrics.NiqeParameters.fit([(128 + noise).astype(np.uint8)])
    assert np.linalg.matrix_rank(fitted.covariance) == 1, "the covariance of two blocks"


def test_niqe_says_what_it_cannot_use(tmp_path: Path) -> None:
    parameters = metrics.NiqeParameters(np.zeros(36), np.eye(36))
    assert math.isnan(metrics.niqe(np.zeros((95, 400), np.uint8), parameters))
    assert math.isnan(metrics.niqe(np.full((200, 200), 7, np.uint8), parameters))
    with pytest.raises(InputError, match="cannot read NIQE parameters"):
        metrics.niqe(photograph(1), tmp_path / "missing.npz")
    with pytest.raises(InputError, match="to be fitted"):
        metrics.NiqeParameters.fit([np.zeros((20, 20), np.uint8)])


@pytest.mark.parametrize("wrong", ["empty", "text", "nan", "infinite", "no archive", "other names"])
def test_niqe_parameters_that_are_none_are_told_in_one_line(tmp_path: Path, wrong: str) -> None:
    mean, covariance = np.zeros(36), np.eye(36)
    stored = {
        "text": (mean.astype(str), covariance.astype(str)),
        "nan": (mean, covariance * math.nan),
        "infinite": (mean + math.inf, covariance),
    }
    path = tmp_path / "model.npz"
    if wrong in stored:
        np.savez(path, mu_pris_param=stored[wrong][0], cov_pris_param=stored[wrong][1])
    elif wrong == "other names":
        np.savez(path, mean=mean, covariance=covariance)
    else:
        path.write_bytes(b"" if wrong == "empty" else b"PK\x03\x04 cut off")
    with pytest.raises(InputError, match="NIQE parameters") as caught:
        metrics.niqe(photograph(1), path)
    assert "\n" not in str(caught.value)
