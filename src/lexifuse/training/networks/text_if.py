"""Text-IF (arXiv 2403.16387): two encoders, attention between the modalities, a decoder guided by a text feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.onnx.operators import shape_as_tensor

from lexifuse.training.networks.blocks import (
    CrossAttention,
    Downsample,
    SemanticGuidance,
    SpatialAttention,
    TransposedBlock,
    Upsample,
    pad_to_multiple,
)
from lexifuse.training.networks.planes import brighter_source

LEVELS = 4
"""Scales of the network; each halves height and width and doubles the channels."""

_RESIDUAL_START = 1e-2


class EncodedPair(NamedTuple):
    """All that a fusion needs of a pair before it hears any words; the words can change without encoding it again.

    Attributes:
        levels: the fused features of levels 1 to 4, (B, C * 2**i, H / 2**i, W / 2**i) of the padded picture.
        brighter: (B, 3, H, W) RGB of the padded picture, what the output is added to; None where it stands alone.
        height: of the picture that was given.
        width: likewise.
    """

    levels: tuple[Tensor, ...]
    brighter: Tensor | None
    height: int
    width: int


class Encoder(nn.Module):
    """Patch embedding and four levels of transposed-attention blocks; visible and infrared have one each.

    Args:
        channels: of what comes in.
        width: channels at level 1.
        blocks: per level.
        heads: per level.
        expansion: of the feed-forward networks.
    """

    def __init__(self, channels: int, width: int, blocks: Sequence[int], heads: Sequence[int], expansion: int) -> None:
        super().__init__()
        self.embedding = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.downs = nn.ModuleList(Downsample(width * 2**level) for level in range(LEVELS - 1))
        self.levels = nn.ModuleList(
            _blocks(width * 2**level, heads[level], expansion, blocks[level]) for level in range(LEVELS)
        )

    def forward(self, picture: Tensor) -> list[Tensor]:
        """The features of levels 1 to 4 of (B, channels, H, W)."""
        features = [self.levels[0](self.embedding(picture))]
        for down, level in zip(self.downs, list(self.levels)[1:], strict=True):
            features.append(level(down(features[-1])))
        return features


class TextIF(nn.Module):
    """Degradation-aware, interactive fusion guided by a text feature. The defaults are the paper's (63.8 M parameters).

    Args:
        width: channels at level 1.
        blocks: transposed-attention blocks at each level, in either encoder and in the decoder.
        refinement: blocks after the decoder.
        heads: of the transposed attention at each level.
        expansion: of the feed-forward networks.
        text_width: numbers per text feature, as the guidance takes it.
        feature_width: numbers per text feature, as the encoder gives it; a linear adapter leads from it to
            ``text_width`` where they differ. 0: the same.
        guided: the levels, 1 to 4, at which the text guides the decoder.
        cross_attention: whether the modalities attend to each other at level 4.
        window: side of the squares within which pixels of level 4 attend; 0: among all of them, as in the paper.
        patch: side of the patches that the network sees as one pixel (by unshuffling); 1 in the paper.
        from_brighter: whether the output is added to the brighter of the two sources; the paper's stands alone.
    """

    def __init__(
        self,
        *,
        width: int = 48,
        blocks: Sequence[int] = (2, 2, 2, 2),
        refinement: int = 4,
        heads: Sequence[int] = (1, 2, 4, 8),
        expansion: int = 2,
        text_width: int = 512,
        feature_width: int = 0,
        guided: Sequence[int] = (1, 2, 3, 4),
        cross_attention: bool = True,
        window: int = 0,
        patch: int = 1,
        from_brighter: bool = False,
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(LEVELS)]
        self.patch, self.from_brighter = patch, from_brighter
        self.size_multiple = patch * 2 ** (LEVELS - 1)
        self.visible_encoder = Encoder(3 * patch**2, width, blocks, heads, expansion)
        self.infrared_encoder = Encoder(3 * patch**2, width, blocks, heads, expansion)
        self.cross_attention = CrossAttention(widths[-1], window) if cross_attention else None
        self.fusions = nn.ModuleList(nn.Conv2d(2 * channels, channels, 1, bias=False) for channels in widths)
        self.spatial_attention = SpatialAttention(widths[-1], window)
        same = feature_width in (0, text_width)
        self.adapter = nn.Identity() if same else nn.Linear(feature_width, text_width)
        self.guidance = nn.ModuleDict({str(level): SemanticGuidance(text_width, widths[level - 1]) for level in guided})
        self.ups = nn.ModuleList(Upsample(channels) for channels in widths[1:])
        # At level 1 the two halves stay side by side: decoder and refinement are twice as wide there.
        self.reductions = nn.ModuleList(
            nn.Identity() if level == 0 else nn.Conv2d(2 * widths[level], widths[level], 1, bias=False)
            for level in range(LEVELS - 1)
        )
        self.decoders = nn.ModuleList(
            _blocks(2 * width if level == 0 else widths[level], heads[level], expansion, blocks[level])
            for level in range(LEVELS)
        )
        self.refinement = _blocks(2 * width, heads[0], expansion, refinement)
        self.output = nn.Conv2d(2 * width, 3 * patch**2, 3, padding=1, bias=False)
        if from_brighter:
            nn.init.normal_(self.output.weight, std=_RESIDUAL_START)

    def forward(self, infrared: Tensor, visible: Tensor, text: Tensor) -> Tensor:
        """Fuse a batch of pictures of any size.

        Args:
            infrared: (B, 1, H, W) or (B, 3, H, W) in 0..1.
            visible: (B, 3, H, W) RGB in 0..1.
            text: (B, T, D) token states, or a sentence feature with T = 1. Shorter prompts are filled up with one of
                their own tokens, which the maximum over the tokens does not see.

        Returns:
            (B, 3, H, W) RGB, about 0..1, not clipped.
        """
        return self.decode(self.encode(infrared, visible), text)

    def encode(self, infrared: Tensor, visible: Tensor) -> EncodedPair:
        """All that does not depend on the words: both encoders, the attention between them and their fusion."""
        height, width = visible.shape[-2:]
        visible = pad_to_multiple(visible, self.size_multiple)
        infrared = pad_to_multiple(infrared.expand(-1, 3, -1, -1), self.size_multiple)
        first, second = (
            encoder(functional.pixel_unshuffle(picture, self.patch) if self.patch > 1 else picture)
            for encoder, picture in ((self.visible_encoder, visible), (self.infrared_encoder, infrared))
        )
        if self.cross_attention is not None:
            first[-1], second[-1] = self.cross_attention(first[-1], second[-1])
        pairs = zip(self.fusions, first, second, strict=True)
        levels = [fusion(torch.cat(pair, 1)) for fusion, *pair in pairs]
        levels[-1] = self.spatial_attention(levels[-1])
        brighter = brighter_source(infrared, visible) if self.from_brighter else None
        return EncodedPair(tuple(levels), brighter, height, width)

    def decode(self, pair: EncodedPair, text: Tensor) -> Tensor:
        """The fused picture (B, 3, H, W) of an encoded pair under text (B, T, D)."""
        feature = self.adapter(text).amax(1)
        features = self.decoders[-1](self._guide(LEVELS, pair.levels[-1], feature))
        for level in range(LEVELS - 2, -1, -1):
            features = self._guide(level + 1, self.ups[level](features), feature)
            features = self.reductions[level](torch.cat((features, pair.levels[level]), 1))
            features = self.decoders[level](features)
        picture = self.output(self.refinement(features))
        picture = functional.pixel_shuffle(picture, self.patch) if self.patch > 1 else picture
        picture = picture if pair.brighter is None else pair.brighter + picture
        return picture[..., : pair.height, : pair.width]

    def _guide(self, level: int, features: Tensor, text: Tensor) -> Tensor:
        return self.guidance[str(level)](features, text) if str(level) in self.guidance else features


class EncodeHalf(nn.Module):
    """:meth:`TextIF.encode` as a graph of tensors, for export: a pair to what :class:`DecodeHalf` needs of it."""

    def __init__(self, network: TextIF) -> None:
        super().__init__()
        self.network = network
        levels = tuple(f"level{level}" for level in range(1, LEVELS + 1))
        self.names = (*levels, *(("brighter",) if network.from_brighter else ()), "size")

    def forward(self, infrared: Tensor, visible: Tensor) -> tuple[Tensor, ...]:
        """The tensors of an :class:`EncodedPair` in the order of ``names``; ``size`` (2,) is the height and width."""
        pair = self.network.encode(infrared, visible)
        brighter = () if pair.brighter is None else (pair.brighter,)
        return (*pair.levels, *brighter, shape_as_tensor(visible)[-2:])


class DecodeHalf(nn.Module):
    """:meth:`TextIF.decode` as a graph of tensors, for export."""

    def __init__(self, network: TextIF) -> None:
        super().__init__()
        self.network = network

    def forward(self, text: Tensor, *encoded: Tensor) -> Tensor:
        """The fused picture (B, 3, H, W) under text (B, T, D), of what :class:`EncodeHalf` gave."""
        height, width = encoded[-1].unbind()
        brighter = encoded[LEVELS] if self.network.from_brighter else None
        pair = EncodedPair(encoded[:LEVELS], brighter, height, width)  # type: ignore[arg-type]
        return self.network.decode(pair, text)


def _blocks(width: int, heads: int, expansion: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(TransposedBlock(width, heads, expansion) for _ in range(count)))
