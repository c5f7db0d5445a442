"""Prompts to the text features of a fusion network: one vector, or one per token; each prompt is encoded only once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from lexifuse.errors import UsageError
from lexifuse.language.words import clean
from lexifuse.training.recipe import Recipe
from lexifuse.training.text_encoders import BertEncoder, ClipEncoder, EmbeddedEncoder, TextEncoder

Kind = Literal["sentence", "tokens"]
"""``sentence``: one vector per prompt, as the paper takes it. ``tokens``: one per token, which tells negation apart."""


class TextFeatures:
    """Features of prompts under a frozen text encoder, kept once they are made.

    The encoder is no part of any fusion network, so that its weights never reach a checkpoint, which only records the
    encoder's id.

    Args:
        encoder: from :mod:`lexifuse.training.text_encoders`.
        kind: what a feature is.
    """

    def __init__(self, encoder: TextEncoder, kind: Kind = "sentence") -> None:
        self.encoder, self.kind = encoder.frozen().eval(), kind
        self._known: dict[str, Tensor] = {}

    @property
    def id(self) -> str:
        """The encoder's id, such as ``embedded`` or ``clip/ViT-B-32``."""
        return self.encoder.id

    @cached_property
    def width(self) -> int:
        """D, numbers per feature."""
        return self(["a"]).shape[-1]

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """The features of prompts.

        Returns:
            (B, T, D) float32 on the CPU, T = 1 for sentences. A prompt with fewer tokens than the longest is filled up
            with its first token, which changes nothing for a network that takes the maximum over the tokens.
        """
        unknown = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._known]
        if unknown:
            # One at a time: beside others a prompt comes out different in the last bit, and a run must resume exactly.
            self._known.update((prompt, self._encode([prompt])[0]) for prompt in unknown)
        features = [self._known[prompt] for prompt in prompts]
        longest = max(len(feature) for feature in features)
        return torch.stack([torch.cat((one, one[:1].expand(longest - len(one), -1))) for one in features])

    def with_mask(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The features of prompts, and a mask (B, T), False where a shorter prompt was filled up."""
        features = self(prompts)
        lengths = torch.tensor([len(self._known[prompt]) for prompt in prompts])
        return features, torch.arange(features.shape[1]) < lengths[:, None]

    @torch.no_grad()
    def _encode(self, prompts: Sequence[str]) -> list[Tensor]:
        if self.kind == "sentence" and isinstance(self.encoder, ClipEncoder):
            ids = self.encoder.tokenizer([clean(prompt) for prompt in prompts])
            return list(self.encoder.model.encode_text(ids).float()[:, None])
        states, mask = self.encoder.encode(prompts)
        if self.kind == "sentence":
            return list(mean_state(states, mask)[:, None])
        return [row[kept] for row, kept in zip(states, mask, strict=True)]


def mean_state(states: Tensor, mask: Tensor) -> Tensor:
    """A sentence feature (B, D) of token states (B, T, D): their mean where the mask (B, T) is True."""
    kept = mask[..., None].to(states.dtype)
    return (states * kept).sum(1) / kept.sum(1).clamp_min(1.0)


def open_text_features(encoder_id: str, kind: Kind, width: int, encoder: TextEncoder | None = None) -> TextFeatures:
    """The features that a recipe or a checkpoint names.

    Args:
        encoder_id: the encoder's id.
        kind: what a feature is.
        width: numbers per feature that the network was made for.
        encoder: already loaded; only ``embedded`` can be left out.

    Raises:
        UsageError: another encoder is needed, or its features have another width.
    """
    if encoder is None and encoder_id == "embedded":
        encoder = EmbeddedEncoder()
    if encoder is None:
        raise UsageError(
            f"the text encoder '{encoder_id}' does not ship with lexifuse: give it with --text-encoder and --weights"
        )
    if encoder.id != encoder_id:
        raise UsageError(
            f"the recipe was made for the text encoder '{encoder_id}', not for '{encoder.id}': "
            "give that one, or choose this one with --text-encoder"
        )
    features = TextFeatures(encoder, kind)
    if features.width != width:
        raise UsageError(
            f"the text encoder '{encoder_id}' gives {features.width} numbers per feature, not {width}: "
            f"set text.width to {features.width} in the recipe"
        )
    return features


def frozen_encoder(recipe: Recipe, name: str | None, weights: Path | None, *, download: bool = False) -> TextEncoder:
    """Load a text encoder; nothing is downloaded unless that is asked for.

    Args:
        recipe: names the encoder where ``name`` does not.
        name: ``embedded``, ``clip`` or ``minilm``.
        weights: a file or folder of the encoder.
        download: let open_clip download CLIP.

    Raises:
        UsageError: the encoder needs weights and none are given.
        ModelError: the weights cannot be read.
    """
    identity = name or (recipe.text.encoder if recipe.text else "embedded")
    kind, _, architecture = identity.partition("/")
    if kind == "embedded":
        return EmbeddedEncoder()
    if kind == "clip" and download:
        return ClipEncoder.download(architecture or "ViT-B-32")
    if weights is None:
        more = ", or --download" if kind == "clip" else " of all-MiniLM-L6-v2"
        raise UsageError(f"the text encoder '{identity}' needs --weights PATH{more}, or take --text-encoder embedded")
    if kind == "clip":
        return ClipEncoder.from_path(weights, architecture or "ViT-B-32")
    return BertEncoder.from_folder(weights)


def hearing(recipe: Recipe, encoder: TextEncoder) -> Recipe:
    """The same recipe for another text encoder: an adapter leads from its width to that of the network."""
    assert recipe.text is not None
    width = TextFeatures(encoder, recipe.text.features).width
    return recipe.model_copy(update={"text": recipe.text.model_copy(update={"encoder": encoder.id, "width": width})})
