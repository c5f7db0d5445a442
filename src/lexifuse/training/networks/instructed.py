"""How a network hears an instruction: one scale and one shift per feature, from words and what is known of the pair."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lexifuse.statistics import STATISTICS

INSTRUCTION_FIELDS: tuple[str, ...] = (
    "visible.low_light",
    "visible.over_exposure",
    "visible.noise",
    "visible.haze",
    "visible.rain",
    "visible.blur",
    "infrared.low_contrast",
    "infrared.noise",
    "infrared.stripes",
    "balance",
    "keep_colour",
    "keep_texture",
    "highlight.person",
    "highlight.vehicle",
    "highlight.hot",
)
"""The instruction fields the network receives, in order."""

CONDITIONING_FIELDS: tuple[str, ...] = (*INSTRUCTION_FIELDS, *(f"statistics.{name}" for name in STATISTICS))
"""All it is conditioned by: the instruction, and the statistics of the pair that it sees."""

SLOPE = 0.1
"""Of all leaky ReLUs. Plain ReLU died: the head's input went negative everywhere within a few hundred steps."""

_CODE = 12  # numbers by which a word knows the statistics of the pair


class Instructed(nn.Module):
    """What all networks that hear an instruction share: the modulation of their features (FiLM, Perez 2018)."""

    def _listen(self, modulated: int) -> None:
        """Make the layers that hear, for so many modulated features; to be called last of all layers."""
        self.conditioner = nn.Sequential(
            nn.Linear(len(CONDITIONING_FIELDS), 64),
            nn.LeakyReLU(SLOPE),
            nn.Linear(64, 64),
            nn.LeakyReLU(SLOPE),
            nn.Linear(64, 2 * modulated),
        )
        # A modulation of its own for every field, beside what fields do together: one task does not blur another. What
        # a word does depends on the pair that it is said of, so each has a small code of the statistics as well.
        self.own_words = nn.Linear(len(CONDITIONING_FIELDS), 2 * modulated, bias=False)
        self.own_codes = nn.Linear(len(STATISTICS), len(INSTRUCTION_FIELDS) * _CODE)
        self.own_by_statistics = nn.Linear(len(INSTRUCTION_FIELDS) * _CODE, 2 * modulated, bias=False)

    def _initialise(self) -> None:
        """Draw all weights so that the words say little at first."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        last = self.conditioner[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=5e-2)
        nn.init.zeros_(self.own_words.weight)
        nn.init.zeros_(self.own_by_statistics.weight)

    def freeze_all_but(self, fields: Sequence[str]) -> None:
        """Let training change nothing but the modulation that some conditioning fields have of their own.

        Wherever these fields are zero, the network stays what it is.
        """
        self.requires_grad_(False)
        chosen = torch.tensor([float(name in fields) for name in CONDITIONING_FIELDS])
        codes = chosen[: len(INSTRUCTION_FIELDS)].repeat_interleave(_CODE)
        masks = (
            (self.own_words.weight, chosen),
            (self.own_codes.weight, codes[:, None]),
            (self.own_codes.bias, codes),
            (self.own_by_statistics.weight, codes),
        )
        for parameter, mask in masks:
            parameter.requires_grad_(True).register_hook(lambda gradient, mask=mask: gradient * mask.to(gradient))

    def modulation(self, conditioning: Tensor) -> Tensor:
        """(B, C) conditioning to (B, 2 * modulated): scales and shifts of the features, place after place."""
        words, statistics = conditioning.split((len(INSTRUCTION_FIELDS), len(STATISTICS)), 1)
        codes = activate(self.own_codes(statistics)).unflatten(1, (len(INSTRUCTION_FIELDS), _CODE))
        own = self.own_by_statistics((words[:, :, None] * codes).flatten(1))
        return self.conditioner(conditioning) + self.own_words(conditioning) + own


def activate(features: Tensor) -> Tensor:
    """Leaky ReLU."""
    return functional.leaky_relu(features, SLOPE)
