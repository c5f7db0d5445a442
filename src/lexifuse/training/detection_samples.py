"""Samples of a detector: a crop of a stored window, mirrored, scaled, moved and changed in brightness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lexifuse.training.detection_losses import IGNORE
from lexifuse.training.detection_recipe import DetectorRecipe
from lexifuse.training.detection_store import WindowStore, clip_boxes


class DetectionSamples(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Sample number n is a pure function of recipe, store and n: picture (3, h, w) in 0..1, boxes (K, 4), labels (K,).

    Every window is seen once before any is seen again.
    """

    def __init__(self, recipe: DetectorRecipe, store: WindowStore) -> None:
        self.recipe, self.store = recipe, store
        self.numbers = np.flatnonzero(~store.held_out)

    def __len__(self) -> int:
        return self.recipe.steps * self.recipe.batch

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        window, rng = self.drawn(number)
        picture, table = crop(
            self.store.picture(window, self.recipe.pictures), self.store.table_of(window), self.recipe, rng
        )
        return as_tensor(change_light(picture, self.recipe.brightness, rng)), *as_target(table)

    def drawn(self, number: int) -> tuple[int, np.random.Generator]:
        """The window of a sample, and the chance of everything that is done to it."""
        turn, place = divmod(number, len(self.numbers))
        order = np.random.default_rng([self.recipe.seed, 1, turn]).permutation(self.numbers)
        return int(order[place]), np.random.default_rng([self.recipe.seed, 2, number])


def crop(
    picture: NDArray[Any], boxes: NDArray[np.float32], recipe: DetectorRecipe, rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Cut out, scale and perhaps mirror.

    Args:
        picture: (H, W, C), at most four channels.
        boxes: (K, 5): x0, y0, x1, y1, label.
        recipe: size of the crop, ranges of scale and aspect ratio.
        rng: chance.
    """
    width, height = recipe.crop
    whole = picture.shape[1], picture.shape[0]
    scale, aspect = np.exp(rng.uniform(*np.log(recipe.scale))), 1 + rng.uniform(-recipe.aspect, recipe.aspect)
    wide = min(whole[0], round(width / scale * aspect**0.5))
    high = min(whole[1], round(height / scale / aspect**0.5))
    x, y = rng.uniform(0, 1, 2) * (whole[0] - wide, whole[1] - high)
    objects = boxes[boxes[:, 4] != IGNORE]
    if len(objects) and rng.random() < recipe.on_objects:
        x0, y0, x1, y1, _ = objects[rng.integers(len(objects))]
        x = np.clip((x0 + x1) / 2 - rng.uniform(0.1, 0.9) * wide, 0, whole[0] - wide)
        y = np.clip((y0 + y1) / 2 - rng.uniform(0.1, 0.9) * high, 0, whole[1] - high)
    left, top = int(x), int(y)
    area = picture[top : top + high, left : left + wide]
    smooth = cv2.INTER_AREA if wide > width else cv2.INTER_LINEAR
    cut = cv2.resize(area, (width, height), interpolation=smooth)
    moved = boxes.copy()
    moved[:, :4] = (moved[:, :4] - [left, top, left, top]) * np.tile([width / wide, height / high], 2)
    moved = clip_boxes(moved, width, height)
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
        moved[:, [0, 2]] = width - moved[:, [2, 0]]
    return cut, moved


def change_light(picture: NDArray[Any], most: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Another gamma, gain and offset, and a little noise: uint8 (H, W, 3) to float32 in 0..1."""
    gamma, gain = np.exp(rng.uniform(-most, most, 2))
    offset = rng.uniform(-most, most) / 4
    levels = gain * (np.arange(256) / 255) ** gamma + offset
    bright = levels.astype(np.float32)[picture]
    bright += rng.uniform(0, 0.02) * rng.standard_normal(picture.shape, np.float32)
    return np.clip(bright, 0, 1, out=bright)


def as_tensor(picture: NDArray[Any]) -> Tensor:
    """(H, W, C), uint8 or float32 0..1, as (C, H, W) float32."""
    values = picture.astype(np.float32) / 255 if picture.dtype == np.uint8 else picture
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def as_target(table: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """Boxes and labels in one table (K, 5) as boxes (K, 4) and labels (K,) int64."""
    return torch.from_numpy(table[:, :4].copy()), torch.from_numpy(table[:, 4].astype(np.int64))


def collate(samples: Sequence[tuple[Tensor, Tensor, Tensor]]) -> dict[str, Any]:
    """A batch: ``images`` (B, 3, h, w) and ``targets``, a list of (boxes, labels)."""
    images = torch.stack([image for image, _, _ in samples]).contiguous(memory_format=torch.channels_last)
    return {"images": images, "targets": [(boxes, labels) for _, boxes, labels in samples]}
