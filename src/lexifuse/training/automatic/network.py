"""The network that reads pictures: the numbers that damage shows in, to probability and severity of nine kinds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lexifuse.instruction import DEGRADATIONS

_DROPOUT = 0.3


class AutomaticNetwork(nn.Module):
    """Two hidden layers on normalised features.

    Args:
        features: how many numbers come in.
        widths: of the hidden layers.
    """

    def __init__(self, features: int, widths: tuple[int, int] = (384, 192)) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        first, second = widths
        self.layers = nn.Sequential(
            nn.Linear(features, first),
            nn.SiLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(first, second),
            nn.SiLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(second, 2 * len(DEGRADATIONS)),
        )

    def normalise_by(self, features: Tensor) -> None:
        """Take mean and deviation from features (N, F)."""
        self.mean.copy_(features.mean(0))
        self.deviation.copy_(features.std(0).clamp_min(1e-3))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F) to logits of presence (B, 9) and severities (B, 9) in 0..1."""
        # What lies far outside of what was learned is no more than far outside.
        normalised = ((features - self.mean) / self.deviation).clamp(-6.0, 6.0)
        logits, severities = self.layers(normalised).chunk(2, 1)
        return logits, severities.sigmoid()
