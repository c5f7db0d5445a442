"""The kinds of fusion networks: for each, what the trainer, the validation and the export must know of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lexifuse.datasets.ems import open_ems
from lexifuse.errors import UsageError
from lexifuse.instruction import DEGRADATIONS
from lexifuse.language.plain_words import NOTHING_ASKED, say
from lexifuse.training.crops import CropStore
from lexifuse.training.degradation_losses import degradation_objective, weight_table
from lexifuse.training.networks import compact, compact_fine, text_to_pixels
from lexifuse.training.networks.instructed import CONDITIONING_FIELDS, Instructed
from lexifuse.training.networks.text_if import DecodeHalf, EncodeHalf, TextIF
from lexifuse.training.objective import follows_itself, has_reference, objective, reference_fusion
from lexifuse.training.prompt_book import PromptBook
from lexifuse.training.prompted_samples import PromptedSamples
from lexifuse.training.recipe import Recipe, TextIFShape, TextToPixelsShape
from lexifuse.training.samples import Samples
from lexifuse.training.teacher import TaughtSamples, Teacher
from lexifuse.training.text_encoders import TextEncoder
from lexifuse.training.text_features import TextFeatures, open_text_features
from lexifuse.training.text_to_pixels_losses import text_to_pixels_terms


class Family(ABC):
    """One kind of network, as a recipe describes it.

    Attributes:
        conditioning: for the card: ``instruction``, or ``text/<encoder id>``.
        conditioning_fields: what the conditioning consists of, in order; for text ``sentence`` or ``tokens``.
        size_multiple: height and width that the network takes without padding are multiples of this.
        overlap: pixels around a tile that can still change its inside by more than rounding.
        served_fields: for the card: what an instruction can ask; empty: just the ``conditioning_fields``.
    """

    conditioning: str
    conditioning_fields: tuple[str, ...]
    size_multiple: int
    overlap: int
    served_fields: tuple[str, ...] = ()

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

    def halves(self, network: nn.Module) -> tuple[EncodeHalf, DecodeHalf] | None:  # noqa: ARG002
        """What the export makes two graphs of, so that other words need no second look at the pictures; or None."""
        return None

    def figures(self, network: nn.Module) -> dict[str, float]:  # noqa: ARG002
        """Figures of the network itself that are worth a curve beside the losses, by name."""
        return {}

    def repairing(self, step: int) -> bool:
        """Whether repairs are compared, at this step, with what the averaged network makes of the clean pair."""
        return self.recipe.losses.consistency > 0 and step >= self.recipe.losses.consistency_start * self.recipe.steps


class InstructedFamily(Family):
    """Networks that hear an instruction.

    Args:
        recipe: of the network.
        teacher: a finished model that alone is learned from; without one, sources and the averaged network are.

    Raises:
        UsageError: the crops of the recipe are of a size that the network cannot take.
    """

    conditioning = "instruction"
    conditioning_fields = CONDITIONING_FIELDS
    size_multiple = 16

    def __init__(self, recipe: Recipe, teacher: Teacher | None = None) -> None:
        super().__init__(recipe)
        if recipe.crop % self.size_multiple:
            raise UsageError(
                f"crop: network {recipe.network} takes multiples of {self.size_multiple} pixels, not {recipe.crop}"
            )
        self.teacher = teacher

    def network(self) -> nn.Module:
        """A fresh network, frozen but for the words that the recipe trains alone."""
        network = self._whole_network()
        if self.recipe.only:
            network.freeze_all_but(self.recipe.only)
        return network

    @abstractmethod
    def _whole_network(self) -> Instructed:
        """A fresh network of which everything is trained."""

    def samples(self, store: CropStore, data: Path) -> Samples:  # noqa: ARG002
        """Crops damaged on the fly, with what a teacher makes of them."""
        return TaughtSamples(store, self.recipe, self.teacher) if self.teacher else Samples(store, self.recipe)

    def terms(self, model: nn.Module, average: nn.Module, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """The objective of ``objective.py``; where there is a teacher, its fusion of the target pair counts.

        Where the teacher only bounds plain fusions, repairs and highlights follow the averaged network's own.
        """
        asked, taught, own = has_reference(batch), batch.get("reference"), None
        if self.repairing(step) if taught is None else follows_itself(self.recipe.losses):
            with torch.no_grad():
                own = reference_fusion(average, {name: value[asked] for name, value in batch.items()})
        output = model(batch["infrared"], batch["visible"], batch["conditioning"])
        if taught is None:
            return objective(output, batch, self.recipe.losses, own, asked)
        reference = taught if own is None else taught.masked_scatter(asked.view(-1, 1, 1, 1), own)
        return objective(output, batch, self.recipe.losses, reference, torch.ones_like(asked))

    def example(self) -> Tensor:
        """A plain instruction, (1, C)."""
        return torch.zeros(1, len(self.conditioning_fields))


class CompactFamily(InstructedFamily):
    """The compact network."""

    overlap = compact.OVERLAP
    size_multiple = compact.SIZE_MULTIPLE

    def _whole_network(self) -> Instructed:
        return compact.CompactFusion()


class CompactFineFamily(InstructedFamily):
    """The finer compact network, of the recipe's widths."""

    overlap = compact_fine.OVERLAP

    def _whole_network(self) -> Instructed:
        return compact_fine.CompactFineFusion(self.recipe.widths)


class TextFamily(Family):
    """Networks that hear text.

    Args:
        recipe: with a section ``text``.
        encoder: the text encoder, where it is not the embedded one; only needed to train and to validate.
    """

    # Transposed attention, global context and group norm see the whole picture: no margin makes a tile exactly like it.
    overlap = 64
    served_fields = DEGRADATIONS

    def __init__(self, recipe: Recipe, encoder: TextEncoder | None = None) -> None:
        super().__init__(recipe)
        assert recipe.text is not None
        self.text, self._encoder = recipe.text, encoder
        self.conditioning = f"text/{self.text.encoder}"
        self.conditioning_fields = (self.text.features,)

    @cached_property
    def features(self) -> TextFeatures:
        """The text features of the recipe, from the encoder that it names."""
        return open_text_features(self.text.encoder, self.text.features, self.text.width, self._encoder)

    def hear(self, prompts: Sequence[str], device: torch.device) -> tuple[Tensor, ...]:
        """What the network takes in the place of a conditioning: features (B, T, D)."""
        return (self.features(prompts).to(device),)

    def samples(self, store: CropStore, data: Path) -> Samples:
        """Crops damaged on the fly and pairs of EMS, with prompts."""
        book = PromptBook(self.text.prompts, self.text.canonical, self.recipe.seed)
        restoration = open_ems(data / self.recipe.ems.folder) if self.recipe.ems else None
        return PromptedSamples(store, self.recipe, book, restoration)

    def repairs(self, output: Tensor, average: nn.Module, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """Where the recipe wants it, the share of the damage that a repair leaves; scalars."""
        asked = has_reference(batch)
        if not (self.repairing(step) and asked.any()):
            return {}
        pair = batch["infrared_target"][asked], batch["visible_target"][asked]
        plain = (heard.expand(len(pair[0]), *heard.shape[1:]) for heard in self.hear([NOTHING_ASKED], output.device))
        with torch.no_grad():
            reference = average(*pair, *plain).clamp(0, 1)
        repairs = {name: value[asked] for name, value in batch.items() if isinstance(value, Tensor)}
        share = asked.float().mean()
        repaired = objective(output[asked], repairs, self.recipe.losses, reference)
        return {name: share * term for name, term in repaired.items()}

    def example(self) -> Tensor:
        """One feature, (1, T, D)."""
        return torch.zeros(1, 1 if self.text.features == "sentence" else 4, self.text.width)

    def by_instruction(self, network: nn.Module) -> nn.Module:
        """The network with an interpreter before it that puts severities into words."""
        return _Interpreted(network, self.hear)


class TextIFFamily(TextFamily):
    """Text-IF."""

    def __init__(self, recipe: Recipe, encoder: TextEncoder | None = None) -> None:
        super().__init__(recipe, encoder)
        self.shape = recipe.text_if or TextIFShape()
        self.size_multiple = 8 * self.shape.patch
        self._weights = weight_table(recipe.degradation_weights)

    def network(self) -> nn.Module:
        """A :class:`TextIF` of the recipe's shape."""
        return TextIF(**self.shape.model_dump(), feature_width=self.text.width)

    def terms(self, model: nn.Module, average: nn.Module, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """The published losses, and where the recipe wants it the share of the damage that a repair leaves."""
        infrared, visible = batch["infrared"], batch["visible"]
        output = model(infrared, visible, *self.hear(batch["prompt"], visible.device))
        terms = degradation_objective(output, batch, self._weights.to(visible.device))
        return terms | self.repairs(output, average, batch, step)

    def halves(self, network: nn.Module) -> tuple[EncodeHalf, DecodeHalf]:
        """The encoders with all that fuses them, and the decoder, which hears the words."""
        assert isinstance(network, TextIF)
        return EncodeHalf(network), DecodeHalf(network)


class TextToPixelsFamily(TextFamily):
    """From Text to Pixels: its pixels attend to every token of the words."""

    def __init__(self, recipe: Recipe, encoder: TextEncoder | None = None) -> None:
        super().__init__(recipe, encoder)
        self.shape = recipe.text_to_pixels or TextToPixelsShape()
        self.size_multiple = 2 ** (text_to_pixels.LEVELS - 1) * self.shape.patch

    def network(self) -> nn.Module:
        """A :class:`TextToPixels` of the recipe's shape."""
        return text_to_pixels.TextToPixels(**self.shape.model_dump(), feature_width=self.text.width)

    def hear(self, prompts: Sequence[str], device: torch.device) -> tuple[Tensor, ...]:
        """Token states (B, T, D) and the mask (B, T) that says which of them are tokens."""
        states, mask = self.features.with_mask(prompts)
        return states.to(device), mask.to(device)

    def terms(self, model: nn.Module, average: nn.Module, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """Structure, content and commitment, and where the recipe wants it what a repair leaves."""
        return self.fused(model, average, batch, step)[1]

    def fused(
        self, model: nn.Module, average: nn.Module, batch: dict[str, Any], step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The picture (B, 3, H, W) of a batch, which a detector can look at, beside its :meth:`terms`."""
        infrared, visible = batch["infrared"], batch["visible"]
        details = model(infrared, visible, *self.hear(batch["prompt"], visible.device), details=True)
        terms = text_to_pixels_terms(details, batch, self.recipe.text_to_pixels_losses)
        return details.picture, terms | self.repairs(details.picture, average, batch, step)

    def figures(self, network: nn.Module) -> dict[str, float]:
        """Usage and perplexity of the codebook, where there is one."""
        assert isinstance(network, text_to_pixels.TextToPixels)
        if network.quantiser is None:
            return {}
        return {f"codebook/{name}": value for name, value in network.quantiser.codebook.figures().items()}


class _Interpreted(nn.Module):
    """A network that hears text, behind the interface of one that hears instructions."""

    def __init__(self, network: nn.Module, hear: Callable[[Sequence[str], torch.device], tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.network, self.hear = network, hear

    def forward(self, infrared: Tensor, visible: Tensor, conditioning: Tensor) -> Tensor:
        """Only the nine severities of the conditioning (B, C) are put into words; the rest has no meaning here."""
        rows = conditioning[:, : len(DEGRADATIONS)].tolist()
        prompts = [say(dict(zip(DEGRADATIONS, row, strict=True))) for row in rows]
        return self.network(infrared, visible, *self.hear(prompts, visible.device))


def family_of(recipe: Recipe, encoder: TextEncoder | None = None, teacher: Teacher | None = None) -> Family:
    """The kind of network that a recipe makes.

    Args:
        recipe: whose ``network`` names it.
        encoder: a loaded text encoder, for networks that hear text of another encoder than the embedded one.
        teacher: for networks that hear instructions: the model that they are to learn from.
    """
    match recipe.network:
        case "compact":
            return CompactFamily(recipe, teacher)
        case "compact-fine":
            return CompactFineFamily(recipe, teacher)
        case "text-if":
            return TextIFFamily(recipe, encoder)
        case "text-to-pixels":
            return TextToPixelsFamily(recipe, encoder)
