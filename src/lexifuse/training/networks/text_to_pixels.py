"""From Text to Pixels (arXiv 2401.00421): multi-level extractors, a text-guided transformer, a codebook, a decoder.

No code of it was released: docs/text-to-pixels.md says what the paper states and what is our reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lexifuse.training.networks.blocks import (
    ChannelNorm,
    CrossAttention,
    FeedForward,
    SpatialAttention,
    Upsample,
    pad_to_multiple,
)
from lexifuse.training.networks.codebook import Codebook, Quantised
from lexifuse.training.networks.multilevel import Extractor, MultiLevelBlock, MultiLevelExtractor
from lexifuse.training.networks.planes import brighter_source

LEVELS = 3
"""Scales of the network; each halves height and width and doubles the channels."""

Listening = Literal["everywhere", "transformer", "nowhere"]
"""Where pixels attend to the words: in the transformer as in the paper, in the decoder too, or not at all."""

_RESIDUAL_START, _QUIET_START = 2e-3, 1e-2


class EncodedSources(NamedTuple):
    """All that a fusion needs of a pair before it hears any words.

    Attributes:
        infrared: the features of levels 1 to 3, (B, C * 2**i, H / 2**i, W / 2**i) of the padded picture.
        visible: likewise.
        brighter: (B, 3, H, W) RGB of the padded picture, what the output is added to; None where it stands alone.
        height: of the picture that was given.
        width: likewise.
    """

    infrared: tuple[Tensor, ...]
    visible: tuple[Tensor, ...]
    brighter: Tensor | None
    height: int
    width: int


class FusionDetails(NamedTuple):
    """A fusion with all that its losses look at.

    Attributes:
        picture: (B, 3, H, W) RGB, about 0..1, not clipped.
        infrared: (B, 1, H, W), the source as its own features tell it.
        visible: (B, 3, H, W), likewise.
        fused: (B, C, h, w), the features of the transformer.
        discrete: (B, C, h, w), the same after the codebook; None without one.
        commitment: (B,), from the codebook; None without one.
    """

    picture: Tensor
    infrared: Tensor
    visible: Tensor
    fused: Tensor
    discrete: Tensor | None
    commitment: Tensor | None


class TextAttention(nn.Module):
    """Cross-attention from pixels to the words: every pixel reads from them by how much it is scaled and shifted.

    Args:
        width: channels, a multiple of ``heads``.
        text_width: numbers per token.
        heads: questions that a pixel asks of the words.
    """

    def __init__(self, width: int, text_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = ChannelNorm(width)
        self.query = nn.Conv2d(width, width, 1, bias=False)
        self.key_value = nn.Linear(text_width, 2 * width, bias=False)
        self.out = nn.Conv2d(width, 2 * width, 1)
        nn.init.normal_(self.out.weight, std=_QUIET_START)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, text: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, C, H, W) features under tokens (B, T, D), of which the mask (B, T) says which there are."""
        size = features.shape[-2:]
        query = self.query(self.norm(features)).flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)
        key, value = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.key_value(text).chunk(2, 2))
        allowed = None if mask is None else mask[:, None, None]
        read = functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        scale, shift = self.out(read.transpose(2, 3).flatten(1, 2).unflatten(2, size)).chunk(2, 1)
        return features * (1.0 + scale) + shift


class TextGuidedLayer(nn.Module):
    """One layer of the transformer: each source attends to itself, to the other and to the words; then feed-forward.

    Args:
        width: channels of either source.
        text_width: numbers per token.
        heads: of the attention to the words; 0: deaf.
        window: side of the squares in which pixels attend to pixels, so that the cost is linear in them; 0: all to all.
        expansion: of the feed-forward networks, whose 3x3 convolution carries features across the squares.
    """

    def __init__(self, width: int, text_width: int, heads: int, window: int, expansion: int) -> None:
        super().__init__()
        self.own = nn.ModuleList(SpatialAttention(width, window) for _ in range(2))
        self.cross = CrossAttention(width, window)
        self.words = nn.ModuleList(TextAttention(width, text_width, heads) for _ in range(2 if heads else 0))
        self.norms = nn.ModuleList(ChannelNorm(width) for _ in range(2))
        self.feed_forwards = nn.ModuleList(FeedForward(width, expansion) for _ in range(2))

    def forward(self, first: Tensor, second: Tensor, text: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Two (B, C, H, W) to two of the same shape, under tokens (B, T, D) and their mask (B, T)."""
        pair = self.cross(self.own[0](first), self.own[1](second))
        if self.words:
            pair = [attention(planes, text, mask) for attention, planes in zip(self.words, pair, strict=True)]
        parts = zip(pair, self.norms, self.feed_forwards, strict=True)
        first, second = (planes + feed_forward(norm(planes)) for planes, norm, feed_forward in parts)
        return first, second


class Quantiser(nn.Module):
    """The way into a codebook and out of it: a norm, 1x1 to the width of the codes, batch normalisation; 1x1 back.

    The batch normalisation keeps features where codes are. Without it their common mean outran the codes within 100
    steps, and the commitment shrank them: of 256 codes a perplexity of 3 was left after 250 steps.

    Args:
        width: channels of the features.
        codebook: the arguments of :class:`Codebook`.
    """

    def __init__(self, width: int, codebook: Mapping[str, Any]) -> None:
        super().__init__()
        self.codebook = Codebook(**codebook)
        self.into = nn.Sequential(
            ChannelNorm(width),
            nn.Conv2d(width, self.codebook.width, 1, bias=False),
            nn.BatchNorm2d(self.codebook.width, affine=False),
        )
        self.out = nn.Conv2d(self.codebook.width, width, 1)

    def forward(self, features: Tensor) -> Quantised:
        """Quantise (B, C, H, W)."""
        quantised = self.codebook(self.into(features))
        return quantised._replace(features=self.out(quantised.features))


class DecoderLevel(nn.Module):
    """One scale of the decoder: joined with a skip, told the words, refined.

    Args:
        width: channels.
        skip: channels of the skip; 0: none.
        text_width: numbers per token.
        heads: of the attention to the words; 0: deaf.
        blocks: that refine.
        extractor: their kind.
    """

    def __init__(self, width: int, skip: int, text_width: int, heads: int, blocks: int, extractor: Extractor) -> None:
        super().__init__()
        self.join = nn.Conv2d(width + skip, width, 1) if skip else None
        self.words = TextAttention(width, text_width, heads) if heads else None
        self.blocks = nn.Sequential(*(MultiLevelBlock(width, extractor) for _ in range(blocks)))

    def forward(self, features: Tensor, skips: Sequence[Tensor], text: Tensor, mask: Tensor | None) -> Tensor:
        """(B, C, H, W) to the same shape."""
        if self.join is not None:
            features = self.join(torch.cat((features, *skips), 1))
        if self.words is not None:
            features = self.words(features, text, mask)
        return self.blocks(features)


class TextToPixels(nn.Module):
    """The whole network. The defaults are our reading of the paper, which gives no sizes.

    Args:
        width: channels at the first of three levels; the others have twice and four times as many.
        blocks: multi-level blocks per level, of each extractor and of the decoder.
        layers: of the text-guided transformer, which works on the last level.
        heads: of the attention to the words, per level.
        expansion: of the transformer's feed-forward networks.
        text_width: numbers per token inside the network.
        feature_width: numbers per token that the text encoder gives; 0: ``text_width``.
        window: as in :class:`TextGuidedLayer`.
        extractor: the kind of multi-level blocks.
        listening: where pixels attend to the words.
        codebook: the arguments of :class:`Codebook`; None: features stay continuous.
        skips: whether the decoder sees the sources' features of the finer levels beside the discrete ones.
        patch: side of the squares of pixels that the network sees as one pixel (by unshuffling).
        from_brighter: whether the output is added to the brighter of the two sources.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        blocks: Sequence[int] = (2, 2, 2),
        layers: int = 4,
        heads: Sequence[int] = (1, 2, 4),
        expansion: int = 2,
        text_width: int = 256,
        feature_width: int = 0,
        window: int = 8,
        extractor: Extractor = "multi-level",
        listening: Listening = "transformer",
        codebook: Mapping[str, Any] | None = None,
        skips: bool = True,
        patch: int = 1,
        from_brighter: bool = False,
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(LEVELS)]
        self.patch, self.from_brighter, self.skips = patch, from_brighter, skips
        self.size_multiple = patch * 2 ** (LEVELS - 1)
        self.infrared_extractor = MultiLevelExtractor(patch**2, width, blocks, extractor)
        self.visible_extractor = MultiLevelExtractor(3 * patch**2, width, blocks, extractor)
        # What a source's own features still know of it; only the losses look at these.
        self.infrared_again = nn.Conv2d(widths[-1], self.size_multiple**2, 1)
        self.visible_again = nn.Conv2d(widths[-1], 3 * self.size_multiple**2, 1)
        same = feature_width in (0, text_width)
        self.adapter = nn.Sequential(
            nn.Identity() if same else nn.Linear(feature_width, text_width), nn.LayerNorm(text_width)
        )
        asked = heads[-1] if listening != "nowhere" else 0
        self.transformer = nn.ModuleList(
            TextGuidedLayer(widths[-1], text_width, asked, window, expansion) for _ in range(layers)
        )
        self.fusion = nn.Conv2d(2 * widths[-1], widths[-1], 1)
        self.quantiser = Quantiser(widths[-1], codebook) if codebook is not None else None
        self.ups = nn.ModuleList(Upsample(channels) for channels in widths[1:])
        self.decoders = nn.ModuleList(
            DecoderLevel(
                channels,
                2 * channels if skips and level < LEVELS - 1 else 0,
                text_width,
                heads[level] if listening == "everywhere" else 0,
                blocks[level],
                extractor,
            )
            for level, channels in enumerate(widths)
        )
        self.output = nn.Conv2d(width, 3 * patch**2, 3, padding=1)
        if from_brighter:
            nn.init.normal_(self.output.weight, std=_RESIDUAL_START)
            nn.init.zeros_(self.output.bias)  # type: ignore[arg-type]

    def forward(
        self, infrared: Tensor, visible: Tensor, text: Tensor, mask: Tensor | None = None, *, details: bool = False
    ) -> Tensor | FusionDetails:
        """Fuse a batch of pictures of any size.

        Args:
            infrared: (B, 1, H, W) in 0..1.
            visible: (B, 3, H, W) RGB in 0..1.
            text: (B, T, D) token states.
            mask: (B, T) bool, False where a shorter prompt was filled up; None where every token is one.
            details: also give what the losses look at.

        Returns:
            (B, 3, H, W) RGB, about 0..1, not clipped; or :class:`FusionDetails`.
        """
        sources = self.encode(infrared, visible)
        if not details:
            return self.decode(sources, text, mask)
        picture, fused, quantised = self._decode(sources, text, mask)
        infrared, visible = (
            functional.pixel_shuffle(head(levels[-1]), self.size_multiple)[..., : sources.height, : sources.width]
            for head, levels in ((self.infrared_again, sources.infrared), (self.visible_again, sources.visible))
        )
        discrete, commitment = (None, None) if quantised is None else (quantised.features, quantised.commitment)
        return FusionDetails(picture, infrared, visible, fused, discrete, commitment)

    def encode(self, infrared: Tensor, visible: Tensor) -> EncodedSources:
        """All that does not depend on the words: the features of both sources."""
        height, width = visible.shape[-2:]
        infrared, visible = (pad_to_multiple(planes, self.size_multiple) for planes in (infrared, visible))
        first, second = (
            tuple(extractor(functional.pixel_unshuffle(planes, self.patch) if self.patch > 1 else planes))
            for extractor, planes in ((self.infrared_extractor, infrared), (self.visible_extractor, visible))
        )
        brighter = brighter_source(infrared, visible) if self.from_brighter else None
        return EncodedSources(first, second, brighter, height, width)

    def decode(self, sources: EncodedSources, text: Tensor, mask: Tensor | None = None) -> Tensor:
        """The fused picture (B, 3, H, W) of encoded sources under tokens (B, T, D) and their mask (B, T)."""
        return self._decode(sources, text, mask)[0]

    def _decode(
        self, sources: EncodedSources, text: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Quantised | None]:
        text = self.adapter(text)
        pair = sources.infrared[-1], sources.visible[-1]
        for layer in self.transformer:
            pair = layer(*pair, text, mask)
        fused = self.fusion(torch.cat(pair, 1))
        quantised = None if self.quantiser is None else self.quantiser(fused)
        features = fused if quantised is None else quantised.features
        features = self.decoders[-1](features, (), text, mask)
        for level in range(LEVELS - 2, -1, -1):
            skips = (sources.infrared[level], sources.visible[level]) if self.skips else ()
            features = self.decoders[level](self.ups[level](features), skips, text, mask)
        picture = self.output(features)
        picture = functional.pixel_shuffle(picture, self.patch) if self.patch > 1 else picture
        picture = picture if sources.brighter is None else sources.brighter + picture
        return picture[..., : sources.height, : sources.width], fused, quantised
