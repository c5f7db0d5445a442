"""Samples of bilevel training: a crop of a stored window in both spectra, its boxes and its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lexifuse.errors import InputError
from lexifuse.language.plain_words import NOTHING_ASKED
from lexifuse.training.bilevel_recipe import Prompts
from lexifuse.training.detection_recipe import DetectorRecipe
from lexifuse.training.detection_samples import DetectionSamples, as_target, as_tensor, crop
from lexifuse.training.detection_store import WindowStore
from lexifuse.training.networks.instructed import CONDITIONING_FIELDS


class BilevelSamples(Dataset[dict[str, Any]]):
    """Sample number n is a pure function of recipe, store and n. Nothing is damaged and no repair asked for.

    Its ``infrared`` is (1, h, w) and its ``visible`` (3, h, w), both in 0..1; its ``target`` boxes (K, 4) and labels
    (K,), its ``prompt`` words.

    Args:
        recipe: how windows are cut.
        store: the windows.
        prompts: which of their words are told.

    Raises:
        InputError: a window has no such words.
    """

    def __init__(self, recipe: DetectorRecipe, store: WindowStore, prompts: Prompts) -> None:
        self.recipe, self.store, self.prompts = recipe, store, prompts
        self.windows = DetectionSamples(recipe, store)
        if prompts != "none" and any(prompts not in words for words in store.prompts):
            raise InputError(
                f"the annotation list has pairs without '{prompts}' prompts: annotate them again, or take prompts none"
            )

    def __len__(self) -> int:
        return 2 * len(self.windows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        window, rng = self.windows.drawn(number)
        cut, table = crop(self._both(window), self.store.table_of(window), self.recipe, rng)
        return {**_planes(cut), "target": as_target(table), "prompt": self._words(window)}

    def whole(self, window: int) -> dict[str, Any]:
        """A whole window in the place of a crop."""
        target = as_target(self.store.table_of(window))
        return {**_planes(self._both(window)), "target": target, "prompt": self._words(window)}

    def _both(self, window: int) -> NDArray[np.uint8]:
        """Visible and infrared as the four channels of one picture, which are cut alike."""
        return np.concatenate([self.store.visible[window], self.store.infrared[window][..., None]], axis=2)

    def _words(self, window: int) -> str:
        """Where there is nothing to name, nothing is asked for."""
        return self.store.prompts[window].get(self.prompts) or NOTHING_ASKED


def gather(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A batch as the fusion losses take it, in which the pair is its own target, and ``targets`` for a detector."""
    infrared = torch.stack([sample["infrared"] for sample in samples])
    visible = torch.stack([sample["visible"] for sample in samples]).contiguous(memory_format=torch.channels_last)
    return {
        "infrared": infrared,
        "visible": visible,
        "infrared_target": infrared,
        "visible_target": visible,
        "conditioning": torch.zeros(len(samples), len(CONDITIONING_FIELDS)),
        "prompt": [sample["prompt"] for sample in samples],
        "targets": [sample["target"] for sample in samples],
    }


def both_levels(samples: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A batch of its own for each level: with the same, the implicit gradient of detection would cancel."""
    half = len(samples) // 2
    return {"upper": gather(samples[:half]), "lower": gather(samples[half:])}


def _planes(picture: NDArray[np.uint8]) -> dict[str, Tensor]:
    planes = as_tensor(picture)
    return {"infrared": planes[3:], "visible": planes[:3]}
