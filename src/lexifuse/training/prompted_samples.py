"""Training samples that come with words: on-the-fly damage and a prompt that asks for its repair, or pairs of EMS."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lexifuse.datasets.ems import RestorationDataset, RestorationPair
from lexifuse.errors import InputError
from lexifuse.instruction import DEGRADATIONS, PLAIN
from lexifuse.pair import read_image
from lexifuse.pixels import luma, to_float
from lexifuse.statistics import picture_statistics
from lexifuse.training.crops import CropStore
from lexifuse.training.networks.instructed import INSTRUCTION_FIELDS
from lexifuse.training.prompt_book import PromptBook
from lexifuse.training.recipe import Recipe
from lexifuse.training.samples import Samples


class PromptedSamples(Samples):
    """The samples of :class:`Samples`, each with a ``prompt`` that says in words what its ``conditioning`` asks for.

    Number n is always the same sample, prompt included, so training can stop and go on exactly.

    Args:
        store: clean crops to damage.
        recipe: with a ``text`` section.
        book: where the prompts come from.
        restoration: pairs that come damaged, with their clean versions; ``recipe.ems.share`` of the samples.
    """

    def __init__(
        self, store: CropStore, recipe: Recipe, book: PromptBook, restoration: RestorationDataset | None = None
    ) -> None:
        super().__init__(store, recipe)
        self.book, self.restoration = book, restoration

    def __getitem__(self, number: int) -> dict[str, Any]:
        rng = np.random.default_rng([self.recipe.seed, 2, number])
        if self.restoration is not None and self.recipe.ems and rng.random() < self.recipe.ems.share:
            return restoration_sample(self.restoration, self.recipe.crop, self.book, rng)
        sample = super().__getitem__(number)
        asked = sample["conditioning"][: len(DEGRADATIONS)].tolist()
        return {**sample, "prompt": self.book.prompt(dict(zip(DEGRADATIONS, asked, strict=True)), rng)}


def restoration_sample(
    dataset: RestorationDataset, side: int, book: PromptBook, rng: np.random.Generator
) -> dict[str, Any]:
    """One sample of a data set that brings its damage with it, in the form of ``PromptedSamples``.

    Degradations are drawn evenly, whatever the number of their pairs; the prompt is one of the data set's own where it
    has some.
    """
    names = dataset.degradations
    degradation = names[int(rng.integers(len(names)))]
    pairs = dataset.of(degradation)
    damaged, clean = _random_view(_read(pairs[int(rng.integers(len(pairs)))]), side, rng)
    prompts = dataset.prompts.get(degradation, ())
    prompt = prompts[int(rng.integers(len(prompts)))] if prompts else book.prompt({degradation: PLAIN}, rng)
    asked = [PLAIN if name == degradation else 0.0 for name in INSTRUCTION_FIELDS]
    return {
        "infrared": torch.from_numpy(damaged[0])[None],
        "visible": torch.from_numpy(damaged[1]).permute(2, 0, 1),
        "infrared_target": torch.from_numpy(clean[0])[None],
        "visible_target": torch.from_numpy(clean[1]).permute(2, 0, 1),
        "highlight": torch.zeros(1, side, side),
        "conditioning": torch.tensor([*asked, *picture_statistics(*damaged)], dtype=torch.float32),
        "statistics_target": torch.from_numpy(picture_statistics(*clean)),
        "plain": torch.tensor(0.0),
        "undamaged": torch.tensor(1.0),
        "brightened": torch.tensor(0.0),
        "prompt": prompt,
    }


_Pictures = tuple[NDArray[np.float32], NDArray[np.float32]]


def _read(pair: RestorationPair) -> tuple[_Pictures, _Pictures]:
    """Damaged and clean infrared (H, W) and visible (H, W, 3), float32 in 0..1."""
    pictures = [
        to_float(read_image(path)) for path in (pair.infrared, pair.visible, pair.clean_infrared, pair.clean_visible)
    ]
    if len({picture.shape[:2] for picture in pictures}) > 1:
        sizes = ", ".join("x".join(map(str, picture.shape[1::-1])) for picture in pictures)
        raise InputError(f"the four pictures of '{pair.name}' ({pair.degradation}) differ in size ({sizes}): mend them")
    planes = [luma(picture) for picture in pictures[::2]]
    colours = [picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2) for picture in pictures[1::2]]
    return (planes[0], colours[0]), (planes[1], colours[1])


def _random_view(pictures: tuple[_Pictures, _Pictures], side: int, rng: np.random.Generator) -> tuple[_Pictures, ...]:
    """The same square of all four, perhaps mirrored; pictures smaller than that are continued by reflection."""
    height, width = pictures[0][0].shape
    top, left = (int(rng.integers(max(length - side, 0) + 1)) for length in (height, width))
    step = -1 if rng.random() < 0.5 else 1

    def cut(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        area = picture[top : top + side, left : left + side]
        below, beside = side - area.shape[0], side - area.shape[1]
        area = cv2.copyMakeBorder(area, 0, below, 0, beside, cv2.BORDER_REFLECT)
        return np.ascontiguousarray(area[:, ::step], dtype=np.float32)

    return tuple((cut(infrared), cut(visible)) for infrared, visible in pictures)
