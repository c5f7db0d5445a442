"""What a card promises is measured as it says: gains in decibels, nights, plain metrics."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import lexifuse
from lexifuse import ImagePair, Instruction
from lexifuse.datasets import pair_folders
from lexifuse.datasets.synthetic import Scene, save_dataset
from lexifuse.evaluation.nights import brighten, darker_half, flat_regions, noise_share
from lexifuse.evaluation.promises import keep_promises
from lexifuse.fuser import FusionResult
from lexifuse.instruction import DEGRADATIONS
from lexifuse.language import Reading
from lexifuse.pixels import change_depth, is_night


class Doubling:
    """A fuser that doubles the visible picture when it is asked to brighten, and does nothing else."""

    def fuse_pair(self, pair: ImagePair, instruction: Instruction | None = None) -> FusionResult:
        asked = instruction or Instruction()
        factor = 2 if asked.visible.low_light else 1
        image = np.clip(pair.visible.astype(np.int64) * factor, 0, 255).astype(np.uint8)
        return FusionResult(image, asked, 0.0)


def test_nights_are_told_from_days(night: Scene, day: Scene) -> None:
    assert is_night(night.visible)
    assert not is_night(day.visible)


def test_a_doubled_night_is_twice_as_bright_and_as_noisy_as_before(night: Scene) -> None:
    result = brighten(Doubling(), ImagePair(night.infrared, night.visible // 2))
    assert result.lift == pytest.approx(2.0, rel=0.1)
    assert result.noise == pytest.approx(1.0, abs=0.15)
    assert result.clipped >= 0


class Brightening:
    """A fuser of 50 grey levels with a noise of 3; brightened 100, with other noise and a part of it burnt out."""

    def __init__(self, noise: float, burnt_rows: int = 0) -> None:
        self.noise, self.burnt_rows = noise, burnt_rows

    def fuse_pair(self, pair: ImagePair, instruction: Instruction | None = None) -> FusionResult:
        del pair
        level, sigma = (100, self.noise) if instruction else (50, 3)
        image = np.clip(level + np.random.default_rng(0).normal(0, sigma, (200, 200)), 0, 255).astype(np.uint8)
        image[: self.burnt_rows if instruction else 0] = 255
        return FusionResult(image, instruction or Instruction(), 0.0)


def test_noise_and_glare_of_a_brightened_night_are_told_over_the_plain_one(night: Scene) -> None:
    pair = ImagePair(night.infrared, night.visible)
    noisy = brighten(Brightening(12), pair)
    assert noisy.noise == pytest.approx((12 / 101) / (3 / 51), rel=0.03)
    assert (noisy.lift, noisy.clipped) == (pytest.approx(93 / 49, rel=0.03), 0.0)
    assert brighten(Brightening(3, burnt_rows=20), pair).clipped == pytest.approx(0.1)


def test_noise_share_sees_noise_in_flat_regions() -> None:
    rng = np.random.default_rng(0)
    plane = np.full((64, 64), 100, np.uint8)
    noisy = (plane + rng.normal(0, 5, plane.shape)).astype(np.uint8)
    everywhere = np.ones(plane.shape, bool)
    assert noise_share(plane, everywhere) == 0
    assert noise_share(noisy, everywhere) == pytest.approx(0.05, rel=0.15)
    step = plane.copy()
    step[:, 32:] = 200
    assert not flat_regions(step)[:, 31:33].any()
    assert darker_half(step) == 100


class InItsOwnDepth:
    """A fuser that answers in the depth of the visible picture, and blurs a little where it is asked to denoise."""

    def fuse_pair(self, pair: ImagePair, asked: Reading | None = None) -> FusionResult:
        image, request = pair.visible, asked.instruction if asked else Instruction()
        if request.visible.noise:
            image = cv2.GaussianBlur(image, (0, 0), 1.0)
        return FusionResult(image, request, 0.0)


def test_gains_do_not_depend_on_the_depth(day: Scene, tmp_path: Path) -> None:
    gains = []
    for dtype, suffix in ((np.uint8, "png"), (np.uint16, "png"), (np.float32, "tif")):
        folder = tmp_path / np.dtype(dtype).name
        lexifuse.write_image(folder / "ir" / f"a.{suffix}", change_depth(day.infrared, dtype))
        lexifuse.write_image(folder / "vi" / f"a.{suffix}", change_depth(day.visible, dtype))
        promises = keep_promises(InItsOwnDepth(), [pair_folders(folder / "ir", folder / "vi")])
        gains.append(promises.gain["visible.noise"])
    assert gains[0] > 2
    assert gains[1:] == pytest.approx(gains[:1] * 2, abs=0.1)


def test_promises_of_the_shipped_model(fuser: lexifuse.Fuser, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("scenes")
    save_dataset(folder, 2, seed=5, height=96, width=128)
    promises = keep_promises(fuser, [pair_folders(folder / "ir", folder / "vi")])
    assert promises.pairs == 2
    assert set(promises.gain) <= set(DEGRADATIONS)
    assert promises.mean_gain == pytest.approx(np.mean(list(promises.gain.values())))
    assert promises.gain["visible.over_exposure"] > 1.0
    (metrics,) = promises.to_dict()["plain"].values()
    assert 0 < metrics["VIF"] < 3
