"""Samples for the network that reads pictures: real and rendered pairs, damaged in known ways."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lexifuse.damage_features import damage_features
from lexifuse.datasets import open_dataset
from lexifuse.datasets.synthetic import render_scene
from lexifuse.degradations import FAR_DEPTH
from lexifuse.instruction import ASKED_FOR, DEGRADATIONS
from lexifuse.pair import read_pair
from lexifuse.pixels import NIGHT_LUMA, change_depth, luma, to_float
from lexifuse.training.damage_variants import degrade_pair_variously

SYNTHETIC = "synthetic"
"""The source that is rendered, not read."""

SOURCES: dict[str, float] = {
    "msrs": 0.25,
    "roadscene": 0.3,
    "llvip256": 0.08,
    "llvip": 0.07,
    "m3svd": 0.1,
    "wisard_reg": 0.1,
    SYNTHETIC: 0.1,
}
"""Data sets and how often they are drawn from; M3FD is left out, since much of it is hazy or wet by nature."""

HELD_OUT = 8
"""Every so many pairs one is held out for thresholds."""

_WHOLE = 0.35
_LEAST_OF_WHOLE, _WHOLE_SIDE = 0.8, 640
_SMALLEST, _LARGEST = 144, 360
_CHANCES = (0.3, 0.45, 0.18, 0.07)
_EXCLUSIVE = {"visible.low_light", "visible.over_exposure"}


@dataclass(frozen=True, eq=False)
class Picture:
    """One undamaged pair in memory: (H, W) and (H, W, 3) uint8, and (H, W) metres of depth or None."""

    infrared: NDArray[np.uint8]
    visible: NDArray[np.uint8]
    depth: NDArray[Any] | None


def open_pictures(data: Path, sources: Iterable[str], scenes: int) -> dict[str, list[Picture]]:
    """All training pairs by data set, in memory (about 1 GB for :data:`SOURCES`).

    Args:
        data: folder of the data sets.
        sources: their names.
        scenes: how many to render for :data:`SYNTHETIC`.
    """
    rendered = (render_scene(2_000_000 + number) for number in range(scenes))
    return {
        name: [Picture(scene.infrared, scene.visible, scene.depth) for scene in rendered]
        if name == SYNTHETIC
        else list(_read(data, name))
        for name in sources
    }


def _read(data: Path, name: str) -> Iterator[Picture]:
    for item in open_dataset(data, name, "train").items:
        pair = read_pair(item.infrared, item.visible)
        visible = pair.visible if pair.has_colour else np.repeat(pair.visible[..., None], 3, axis=2)
        yield Picture(change_depth(pair.infrared, np.uint8), change_depth(visible, np.uint8), None)


def natural_darkness(visible: NDArray[Any]) -> float:
    """The ``low_light`` severity that a picture has without our doing, 0..1: 0 by day, up to 0.9 in deep night.

    A night is dark, whoever made it: somebody who types nothing wants it brighter.
    """
    mean = float(to_float(luma(visible)).mean())
    return 0.0 if mean >= NIGHT_LUMA else min(0.4 + 0.5 * (1 - mean / NIGHT_LUMA), 0.9)


def draw_damage(rng: np.random.Generator) -> dict[str, float]:
    """None, one, two or three degradations with severities from barely visible to full."""
    count = int(rng.choice(len(_CHANCES), p=_CHANCES))
    names = [str(name) for name in rng.choice(DEGRADATIONS, size=count, replace=False)]
    if set(names) >= _EXCLUSIVE:
        names.remove("visible.over_exposure")
    return {name: float(rng.uniform(ASKED_FOR, 1.0)) for name in names}


class PixelSamples(Dataset[dict[str, torch.Tensor]]):
    """Samples by number; number n is always the same sample.

    Each is a dict of ``features`` (F,), see :mod:`lexifuse.damage_features`, and ``severity`` (9,): 0 where a
    degradation is not there.

    Args:
        pictures: from :func:`open_pictures`.
        shares: how often each data set is drawn from.
        count: of samples.
        seed: of everything drawn.
        variants: how often a degradation is drawn from ``damage_variants.py``, 0..1.
        held_out: draw from the held-out pairs instead of the others.
    """

    def __init__(
        self,
        pictures: dict[str, list[Picture]],
        shares: Mapping[str, float],
        count: int,
        *,
        seed: int,
        variants: float = 0.0,
        held_out: bool = False,
    ) -> None:
        self.pictures = {
            name: [item for index, item in enumerate(items) if (index % HELD_OUT == HELD_OUT - 1) == held_out]
            for name, items in pictures.items()
        }
        self.pictures = {name: items for name, items in self.pictures.items() if items}
        weights = np.array([shares[name] for name in self.pictures])
        self.names, self.shares = list(self.pictures), weights / weights.sum()
        self.count, self.seed, self.variants = count, seed, variants

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng([self.seed, number])
        items = self.pictures[str(rng.choice(self.names, p=self.shares))]
        crop = _random_crop(items[int(rng.integers(len(items)))], rng)
        damage = draw_damage(rng)
        damaged = degrade_pair_variously(
            to_float(crop.infrared),
            to_float(crop.visible),
            damage,
            seed=int(rng.integers(2**31)),
            depth=crop.depth,
            share=self.variants,
        )
        infrared, visible = (change_depth(image, np.uint8) for image in damaged)
        natural = natural_darkness(crop.visible)
        if natural and "visible.over_exposure" not in damage:
            damage["visible.low_light"] = max(natural, damage.get("visible.low_light", 0.0))
        return {
            "features": torch.from_numpy(damage_features(infrared, visible)),
            "severity": torch.tensor([damage.get(name, 0.0) for name in DEGRADATIONS]),
        }


def _random_crop(picture: Picture, rng: np.random.Generator) -> Picture:
    """Most of a picture or a small window, perhaps mirrored, perhaps made smaller so that sharpness varies.

    Most of it is what users give: how far the range of a whole picture reaches says whether it is
    flat or blown out, and that of a window says little.
    """
    height, width = picture.infrared.shape
    scale = float(rng.uniform(0.7, 1.0)) if rng.random() < 0.3 else 1.0
    if rng.random() < _WHOLE:
        high, wide = (
            int(min(side, _WHOLE_SIDE / scale) * rng.uniform(_LEAST_OF_WHOLE, 1.0)) for side in (height, width)
        )
    else:
        largest = min(round(_LARGEST / scale), height, width)
        high = wide = int(rng.integers(min(_SMALLEST, largest), largest + 1))
    top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
    step = -1 if rng.random() < 0.5 else 1

    def cut(image: NDArray[Any]) -> NDArray[Any]:
        part = image[top : top + high, left : left + wide][:, ::step]
        if scale < 1.0:
            part = cv2.resize(np.ascontiguousarray(part), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(part)

    depth = None if picture.depth is None else np.minimum(cut(picture.depth), FAR_DEPTH).astype(np.float32)
    return Picture(cut(picture.infrared), cut(picture.visible), depth)
