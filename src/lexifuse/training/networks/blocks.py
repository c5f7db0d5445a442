"""Blocks of Restormer-like fusion networks: norm, transposed, spatial and cross attention, resampling, guidance.

All of them take and give (B, C, H, W). Sources: Restormer (arXiv 2111.09881) for the transposed attention and the
resampling, Text-IF (arXiv 2403.16387) for the attention between pictures and the guidance by text.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

_NORM_GROUPS = 16


def pad_to_multiple(planes: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column of (B, C, H, W) until height and width are multiples of ``multiple``."""
    below, beside = -planes.shape[-2] % multiple, -planes.shape[-1] % multiple
    # A traced graph must keep the padding even where the example needs none.
    if not torch.onnx.is_in_onnx_export() and not below and not beside:
        return planes
    return functional.pad(planes, (0, beside, 0, below), mode="replicate")


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of every pixel over its channels, with scale and shift."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.LayerNorm gives it
        """Normalise (B, C, H, W)."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class TransposedAttention(nn.Module):
    """Self-attention among channels instead of pixels (Restormer's MDTA): linear in the number of pixels.

    Args:
        width: channels, a multiple of ``heads``.
        heads: groups of channels that attend to each other, each with a learned temperature.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.local = nn.Conv2d(3 * width, 3 * width, 3, padding=1, groups=3 * width, bias=False)
        self.out = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Mix the channels of (B, C, H, W)."""
        size = features.shape[-2:]
        mixed = self.local(self.qkv(features)).flatten(2)
        query, key, value = (part.unflatten(1, (self.heads, -1)) for part in mixed.chunk(3, 1))
        query, key = functional.normalize(query, dim=-1), functional.normalize(key, dim=-1)
        weights = (query @ key.transpose(-2, -1) * self.temperature).softmax(-1)
        return self.out((weights @ value).flatten(1, 2).unflatten(2, size))


class FeedForward(nn.Module):
    """1x1 to ``expansion`` times the width, a full 3x3 convolution, GELU, 1x1 back; no bias.

    Text-IF's: Restormer has a depthwise convolution and a gate in this place.
    """

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        hidden = width * expansion
        self.into = nn.Conv2d(width, hidden, 1, bias=False)
        self.middle = nn.Conv2d(hidden, hidden, 3, padding=1, bias=False)
        self.out = nn.Conv2d(hidden, width, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return self.out(functional.gelu(self.middle(self.into(features))))


class TransposedBlock(nn.Module):
    """Transposed attention and a feed-forward network, each normalised before and added to what came in."""

    def __init__(self, width: int, heads: int, expansion: int = 2) -> None:
        super().__init__()
        self.attention_norm = ChannelNorm(width)
        self.attention = TransposedAttention(width, heads)
        self.feed_forward_norm = ChannelNorm(width)
        self.feed_forward = FeedForward(width, expansion)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        features = features + self.attention(self.attention_norm(features))
        return features + self.feed_forward(self.feed_forward_norm(features))


class Downsample(nn.Module):
    """3x3 convolution to half the channels, then pixel unshuffle: (B, C, H, W) to (B, 2C, H/2, W/2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width // 2, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Halve height and width."""
        return functional.pixel_unshuffle(self.convolution(features), 2)


class Upsample(nn.Module):
    """3x3 convolution to twice the channels, then pixel shuffle: (B, C, H, W) to (B, C/2, 2H, 2W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, 2 * width, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Double height and width."""
        return functional.pixel_shuffle(self.convolution(features), 2)


def attend(query: Tensor, key: Tensor, value: Tensor, window: int = 0) -> Tensor:
    """Scaled dot-product attention among pixels, one head, without ever holding the whole map where torch can avoid it.

    Args:
        query: (B, C, H, W), as are ``key`` and ``value``.
        key: what the queries are compared with.
        value: what is averaged.
        window: pixels attend within squares of this side, so that the cost is linear in the pixels; H and W are
            multiples of it. 0: all pixels attend to all.
    """
    if not window:
        size = query.shape[-2:]
        query, key, value = (planes.flatten(2).transpose(1, 2)[:, None] for planes in (query, key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return mixed[:, 0].transpose(1, 2).unflatten(2, size)
    # Unshuffling puts the pixels of a square side by side in the channels: (B, C, window^2, squares).
    squares = [functional.pixel_unshuffle(planes, window) for planes in (query, key, value)]
    grid = squares[0].shape[-2:]
    query, key, value = (planes.unflatten(1, (-1, window**2)).flatten(3).permute(0, 3, 2, 1) for planes in squares)
    mixed = functional.scaled_dot_product_attention(query, key, value)
    return functional.pixel_shuffle(mixed.permute(0, 3, 2, 1).flatten(1, 2).unflatten(2, grid), window)


class SpatialAttention(nn.Module):
    """Self-attention among pixels, added to what came in.

    Args:
        width: channels.
        window: as in :func:`attend`; any height and width will do.
    """

    def __init__(self, width: int, window: int = 0) -> None:
        super().__init__()
        self.window = window
        self.norm = nn.GroupNorm(math.gcd(_NORM_GROUPS, width), width)
        self.qkv = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        height, width = features.shape[-2:]
        normed = pad_to_multiple(self.norm(features), max(self.window, 1))
        query, key, value = self.qkv(normed).chunk(3, 1)
        mixed = attend(query, key, value, self.window)
        return features + self.out(mixed)[..., :height, :width]


class CrossAttention(nn.Module):
    """Attention among pixels of two modalities with their queries swapped: each is read by what the other looks for.

    As in the released code the normalised features, not the raw ones, are what the answer is added to.

    Args:
        width: channels of either.
        window: as in :func:`attend`; any height and width will do.
    """

    def __init__(self, width: int, window: int = 0) -> None:
        super().__init__()
        self.window = window
        groups = math.gcd(_NORM_GROUPS, width)
        self.norms = nn.ModuleList(nn.GroupNorm(groups, width) for _ in range(2))
        self.qkvs = nn.ModuleList(nn.Conv2d(width, 3 * width, 1, bias=False) for _ in range(2))
        self.outs = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(2))

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Two (B, C, H, W) to two of the same shape."""
        height, width = first.shape[-2:]
        normed = [norm(planes) for norm, planes in zip(self.norms, (first, second), strict=True)]
        padded = [pad_to_multiple(planes, max(self.window, 1)) for planes in normed]
        parts = [qkv(planes).chunk(3, 1) for qkv, planes in zip(self.qkvs, padded, strict=True)]
        answers = []
        for index, out in enumerate(self.outs):
            (_, key, value), query = parts[index], parts[1 - index][0]
            mixed = out(attend(query, key, value, self.window))[..., :height, :width]
            answers.append(normed[index] + mixed)
        return answers[0], answers[1]


class SemanticGuidance(nn.Module):
    """Text-IF's semantic interaction guidance: the text scales and shifts every channel, (1 + gamma) x + beta.

    Args:
        text_width: numbers per text feature.
        width: channels.
    """

    def __init__(self, text_width: int, width: int) -> None:
        super().__init__()
        self.perceptron = nn.Sequential(
            nn.Linear(text_width, 2 * text_width), nn.LeakyReLU(), nn.Linear(2 * text_width, 2 * width)
        )

    def forward(self, features: Tensor, text: Tensor) -> Tensor:
        """(B, C, H, W) features under text (B, text_width)."""
        scale, shift = self.perceptron(text)[:, :, None, None].chunk(2, 1)
        return (1.0 + scale) * features + shift
