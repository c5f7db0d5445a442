"""A finished model that another learns from: what it makes of a pair is what the learner should make of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from lexifuse.errors import UsageError
from lexifuse.graphs import open_graph
from lexifuse.models import Model
from lexifuse.training.crops import CropStore
from lexifuse.training.networks.instructed import CONDITIONING_FIELDS
from lexifuse.training.objective import follows_itself, has_reference, reference_fusion
from lexifuse.training.recipe import Recipe, TaughtBy
from lexifuse.training.samples import Samples


class Teacher:
    """A model that hears the same instructions as the network in training.

    It runs in ONNX Runtime, so a model that ships can teach, and on one thread, since every loader process has its own.

    Args:
        model: from :func:`lexifuse.models.find_model`.

    Attributes:
        facts: for the recipe of the learner.

    Raises:
        UsageError: the model hears something else.
        ModelError: its file is damaged.
    """

    def __init__(self, model: Model) -> None:
        if model.card.conditioning_fields != CONDITIONING_FIELDS:
            raise UsageError(f"model '{model.name}' hears no instructions and cannot teach: try --teacher compact-fine")
        self.facts = TaughtBy(model=model.name, sha256=model.card.sha256)
        self._content = model.read()

    @cached_property
    def _session(self) -> Any:
        # Made where it is first needed: threads do not survive the fork into a loader process.
        return open_graph(self._content, "the teacher", threads=1)

    def __call__(self, infrared: Tensor, visible: Tensor, conditioning: Tensor) -> Tensor:
        """Pictures (1, 1, H, W) and (1, 3, H, W) and a conditioning (1, C) to a fused picture (1, 3, H, W) in 0..1."""
        given = {"infrared": infrared, "visible": visible, "conditioning": conditioning}
        return torch.from_numpy(self._session.run(None, {name: value.numpy() for name, value in given.items()})[0])


class TaughtSamples(Samples):
    """Samples that bring along what a teacher makes of their target pairs, as ``reference`` (3, S, S).

    Args:
        store: of crops.
        recipe: of the learner.
        teacher: whose fusions these are.
    """

    def __init__(self, store: CropStore, recipe: Recipe, teacher: Teacher) -> None:
        super().__init__(store, recipe)
        self.teacher = teacher

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        sample = super().__getitem__(number)
        batch = {name: value[None] for name, value in sample.items()}
        if follows_itself(self.recipe.losses) and has_reference(batch).item():
            return {**sample, "reference": torch.zeros_like(sample["visible_target"])}  # never looked at
        return {**sample, "reference": reference_fusion(self.teacher, batch, self.recipe.losses.glow)[0]}
