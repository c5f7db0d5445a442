"""The kinds of fusion networks: for each, what the trainer, the validation and the export must know of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lexifuse.datasets.ems import open_ems
from lexifuse.instruction import DEGRADATIONS
from lexifuse.training.crops import CropStore
from lexifuse.training.degradation_losses import degradation_objective, weight_table
from lexifuse.training.networks import compact
from lexifuse.training.networks.text_if import TextIF
from lexifuse.training.objective import objective, to_repair, without_repairs
from lexifuse.training.prompt_book import NOTHING_ASKED, PromptBook, say
from lexifuse.training.prompted_samples import PromptedSamples
from lexifuse.training.recipe import Recipe, TextIFShape
from lexifuse.training.samples import Samples
from lexifuse.training.text_encoders import TextEncoder
from lexifuse.training.text_features import TextFeatures, open_text_features


class Family(ABC):
    """One kind of network, as a recipe describes it.

    Attributes:
        conditioning: for the card: ``instruction``, or ``text/<encoder id>``.
        conditioning_fields: what the conditioning consists of, in order; for text ``sentence`` or ``tokens``.
        size_multiple: height and width that the network takes without padding are multiples of this.
        overlap: pixels around a tile that can still change its inside by more than rounding.
    """

    conditioning: str
    conditioning_fields: tuple[str, ...]
    size_multiple: int
    overlap: int

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    @abstractmethod
    def network(self) -> nn.Module:
        """A fresh network; it takes infrared (B, 1, H, W), visible (B, 3, H, W) and a conditioning."""

    @abstractmethod
    def samples(self, store: CropStore, data: Path) -> Samples:
        """The samples by number, from a crop store and the folder of the data sets."""

    @abstractmethod
    def terms(self, model: nn.Module, average: nn.Module, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """The weighted loss terms of a batch, each a scalar; ``average`` is the averaged copy of the network."""

    @abstractmethod
    def example(self) -> Tensor:
        """A conditioning as the network takes it, for one picture."""

    def by_instruction(self, network: nn.Module) -> nn.Module:
        """The network as the validation speaks to it: its conditioning is the vector of instruction fields."""
        return network

    def repairing(self, step: int) -> bool:
        """Whether repairs are compared, at this step, with what the averaged network makes of the clean pair."""
        return self.recipe.losses.consistency > 0 and step >= self.recipe.losses.consistency_start * self.recipe.steps


class CompactFamily(Family):
    """The compact network: it hears an instruction."""

    conditioning = "instruction"
    conditioning_fields = compact.CONDITIONING_FIELDS
    size_multiple = compact.SIZE_MULTIPLE
    overlap = compact.OVERLAP

    def network(self) -> nn.Module:
        """A :class:`CompactFusion` of the recipe's widths, frozen but for the words that the recipe trains alone."""
        network = compact.CompactFusion(self.recipe.widths)
        if self.recipe.only:
            network.freeze_all_but(self.recipe.only)
        return network

    def samples(self, store: CropStore, data: Path) -> Samples:  # noqa: ARG002
        """Crops damaged on the fly."""
        return Samples(store, self.recipe)

    def terms(self, model: nn.Module, average: nn.Module, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """The objective of ``objective.py``."""
        reference = None
        if self.repairing(step):
            with torch.no_grad():
                asked = to_repair(batch)
                wishes = without_repairs(batch["conditioning"], batch["statistics_target"])[asked]
                pair = batch["infrared_target"][asked], batch["visible_target"][asked]
                reference = average(*pair, wishes).clamp(0, 1) if asked.any() else pair[1]
        output = model(batch["infrared"], batch["visible"], batch["conditioning"])
        return objective(output, batch, self.recipe.losses, reference)

    def example(self) -> Tensor:
        """A plain instruction, (1, C)."""
        return torch.zeros(1, len(self.conditioning_fields))


class TextIFFamily(Family):
    """Text-IF: it hears text features.

    Args:
        recipe: with a section ``text``.
        encoder: the text encoder, where it is not the embedded one; only needed to train and to validate.
    """

    # Transposed attention and group norm see the whole picture: no margin makes a tile exactly like it.
    overlap = 64

    def __init__(self, recipe: Recipe, encoder: TextEncoder | None = None) -> None:
        super().__init__(recipe)
        assert recipe.text is not None
        self.text, self._encoder = recipe.text, encoder
        self.shape = recipe.text_if or TextIFShape()
        self.conditioning = f"text/{self.text.encoder}"
        self.conditioning_fields = (self.text.features,)
        self.size_multiple = 8 * self.shape.patch
        self._weights = weight_table(recipe.degradation_weights)

    @cached_property
    def features(self) -> TextFeatures:
        """The text features of the recipe, from the encoder that it names."""
        return open_text_features(self.text.encoder, self.text.features, self.text.width, self._encoder)

    def network(self) -> nn.Module:
        """A :class:`TextIF` of the recipe's shape."""
        return TextIF(**self.shape.model_dump(), feature_width=self.text.width)

    def samples(self, store: CropStore, data: Path) -> Samples:
        """Crops damaged on the fly and pairs of EMS, with prompts."""
        book = PromptBook(self.text.prompts, self.text.canonical, self.recipe.seed)
        restoration = open_ems(data / self.recipe.ems.folder) if self.recipe.ems else None
        return PromptedSamples(store, self.recipe, book, restoration)

    def terms(self, model: nn.Module, average: nn.Module, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """The published losses, and where the recipe wants it the share of the damage that a repair leaves."""
        infrared, visible = batch["infrared"], batch["visible"]
        output = model(infrared, visible, self.features(batch["prompt"]).to(visible.device))
        terms = degradation_objective(output, batch, self._weights.to(visible.device))
        asked = to_repair(batch)
        if self.repairing(step) and asked.any():
            pair = batch["infrared_target"][asked], batch["visible_target"][asked]
            plain = self.features([NOTHING_ASKED]).to(visible.device).expand(len(pair[0]), -1, -1)
            with torch.no_grad():
                reference = average(*pair, plain).clamp(0, 1)
            repairs = {name: value[asked] for name, value in batch.items() if isinstance(value, Tensor)}
            share = asked.float().mean()
            repaired = objective(output[asked], repairs, self.recipe.losses, reference)
            terms |= {name: share * term for name, term in repaired.items()}
        return terms

    def example(self) -> Tensor:
        """One feature, (1, T, D)."""
        return torch.zeros(1, 1 if self.text.features == "sentence" else 4, self.text.width)

    def by_instruction(self, network: nn.Module) -> nn.Module:
        """The network with an interpreter before it that puts severities into words."""
        return _Interpreted(network, self.features)


class _Interpreted(nn.Module):
    """A network that hears text, behind the interface of one that hears instructions."""

    def __init__(self, network: nn.Module, features: TextFeatures) -> None:
        super().__init__()
        self.network, self.features = network, features

    def forward(self, infrared: Tensor, visible: Tensor, conditioning: Tensor) -> Tensor:
        """Only the nine severities of the conditioning (B, C) are put into words; the rest has no meaning here."""
        rows = conditioning[:, : len(DEGRADATIONS)].tolist()
        prompts = [say(dict(zip(DEGRADATIONS, row, strict=True))) for row in rows]
        return self.network(infrared, visible, self.features(prompts).to(visible.device))


def family_of(recipe: Recipe, encoder: TextEncoder | None = None) -> Family:
    """The kind of network that a recipe makes.

    Args:
        recipe: whose ``network`` names it.
        encoder: a loaded text encoder, for networks that hear text of another encoder than the embedded one.
    """
    return TextIFFamily(recipe, encoder) if recipe.network == "text-if" else CompactFamily(recipe)
