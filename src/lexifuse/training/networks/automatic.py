"""The network that reads pictures: what is damaged and how badly, from patches, a thumbnail and statistics."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lexifuse.instruction import DEGRADATIONS
from lexifuse.statistics import STATISTICS

_SLOPE = 0.1


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(_SLOPE))


class AutomaticNetwork(nn.Module):
    """Probability and severity of the nine degradations.

    Args:
        widths: channels at 1/2, 1/4 and 1/8 of a patch.
        hidden: of the layer that joins what was seen.
    """

    def __init__(self, widths: tuple[int, int, int] = (24, 40, 64), hidden: int = 96) -> None:
        super().__init__()
        half, quarter, eighth = widths
        self.detail = nn.Sequential(
            _stage(16, half, 1), _stage(half, half, 1), _stage(half, quarter, 2), _stage(quarter, quarter, 1),
            _stage(quarter, eighth, 2),
        )  # fmt: skip
        self.whole = nn.Sequential(_stage(4, 16, 2), _stage(16, 32, 2), _stage(32, 48, 2))
        # Patches give means and deviations of their features; the thumbnail keeps a 2x2 idea of where things are.
        joined = 2 * eighth + 4 * 48 + len(STATISTICS)
        self.head = nn.Sequential(
            nn.Linear(joined, hidden), nn.LeakyReLU(_SLOPE), nn.Linear(hidden, 2 * len(DEGRADATIONS))
        )

    def forward(self, patches: Tensor, thumbnail: Tensor, statistics: Tensor) -> tuple[Tensor, Tensor]:
        """Read a batch of pairs.

        Args:
            patches: (B, N, 4, S, S) in 0..1: infrared, red, green, blue; S a multiple of 8.
            thumbnail: (B, 4, S, S) in 0..1.
            statistics: (B, 14).

        Returns:
            Logits of presence (B, 9) and severities (B, 9) in 0..1.
        """
        batch = patches.shape[0]
        features = self.detail(functional.pixel_unshuffle(patches.flatten(0, 1), 2))
        channels = features.shape[1]
        spread = features.reshape(batch, -1, channels, features.shape[2] * features.shape[3])
        mean = spread.mean((1, 3))
        deviation = ((spread - mean[:, None, :, None]) ** 2).mean((1, 3)).add(1e-6).sqrt()
        whole = functional.avg_pool2d(self.whole(thumbnail), thumbnail.shape[-1] // 16).flatten(1)
        logits, severities = self.head(torch.cat((mean, deviation, whole, statistics), 1)).chunk(2, 1)
        return logits, severities.sigmoid()
