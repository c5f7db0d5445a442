"""Multi-level features: convolutions at several receptive fields joined with the context of the whole picture.

All blocks take and give (B, C, H, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lexifuse.training.networks.blocks import Downsample

Extractor = Literal["multi-level", "dilated"]
"""``multi-level``: receptive fields of 3, 5 and 7 pixels and the global context. ``dilated``: three dilated
convolutions of the same receptive fields and no context, what the former is compared with."""

_REACH = 3  # receptive fields side by side
_SLOPE = 0.1
_QUIET_START = 1e-2


class GlobalContext(nn.Module):
    """One vector for the whole picture, added to every pixel (GCNet, arXiv 1904.11492): linear in the pixels.

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = max(width // 4, 4)
        self.score = nn.Conv2d(width, 1, 1, bias=False)  # A softmax would not see one.
        self.into, self.norm, self.out = nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.Linear(hidden, width)
        nn.init.normal_(self.out.weight, std=_QUIET_START)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to what is to be added to it, (B, C, 1, 1)."""
        weights = self.score(features).flatten(2).softmax(-1)
        context = (features.flatten(2) @ weights.transpose(1, 2))[..., 0]
        return self.out(functional.leaky_relu(self.norm(self.into(context)), _SLOPE))[..., None, None]


class MultiLevelBlock(nn.Module):
    """Local detail at three receptive fields and global context, joined and added to what came in.

    Args:
        width: channels.
        extractor: how the receptive fields come about.
    """

    def __init__(self, width: int, extractor: Extractor = "multi-level") -> None:
        super().__init__()
        half = max(width // 2, 1)
        self.chained = extractor == "multi-level"
        self.convolutions = nn.ModuleList(
            # In a chain each convolution sees one pixel further than the one before; apart they are dilated.
            nn.Conv2d(half if self.chained and index else width, half, 3, padding=reach, dilation=reach)
            for index in range(_REACH)
            for reach in [1 if self.chained else index + 1]
        )
        self.context = GlobalContext(width) if self.chained else None
        self.join = nn.Conv2d(_REACH * half, width, 1)
        nn.init.normal_(self.join.weight, std=_QUIET_START)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        parts: list[Tensor] = []
        for convolution in self.convolutions:
            seen = parts[-1] if self.chained and parts else features
            parts.append(functional.leaky_relu(convolution(seen), _SLOPE))
        joined = features + self.join(torch.cat(parts, 1))
        return joined if self.context is None else joined + self.context(features)


class MultiLevelExtractor(nn.Module):
    """The feature extractor of one source: scales that halve height and width and double the channels.

    Args:
        channels: of what comes in.
        width: channels at the first scale.
        blocks: per scale.
        extractor: the kind of blocks.
    """

    def __init__(self, channels: int, width: int, blocks: Sequence[int], extractor: Extractor) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(len(blocks))]
        self.embedding = nn.Conv2d(channels, width, 3, padding=1)
        self.downs = nn.ModuleList(Downsample(channels) for channels in widths[:-1])
        self.levels = nn.ModuleList(
            nn.Sequential(*(MultiLevelBlock(channels, extractor) for _ in range(count)))
            for channels, count in zip(widths, blocks, strict=True)
        )

    def forward(self, planes: Tensor) -> list[Tensor]:
        """(B, channels, H, W) to the features of every scale, (B, C * 2**i, H / 2**i, W / 2**i)."""
        features = [self.levels[0](self.embedding(planes))]
        for down, level in zip(self.downs, self.levels[1:], strict=True):
            features.append(level(down(features[-1])))
        return features
