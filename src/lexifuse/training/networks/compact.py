"""The compact network: plain 3x3 convolutions, conditioned by an instruction, made for the CPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lexifuse.statistics import STATISTICS

SIZE_MULTIPLE = 16
"""Height and width must be multiples of this (unshuffle by 2, then three halvings)."""

OVERLAP = 112
"""Pixels around a tile that can still change its inside by more than rounding (the receptive field reaches 166)."""

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

_SLOPE = 0.1
_CODE = 12  # numbers by which a word knows the statistics of the pair
_HEADS = 7  # weights of infrared, visible and their maximum; luma residual; chroma gain; Cb and Cr residuals


def rgb_to_ycbcr(image: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 3, H, W) RGB 0..1 to luma (B, 1, H, W) 0..1 and chroma (B, 2, H, W) about -0.5..0.5 (ITU-R BT.601)."""
    red, green, blue = image.unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma[:, None], torch.stack(((blue - luma) * 0.564, (red - luma) * 0.713), 1)


def ycbcr_to_rgb(luma: Tensor, chroma: Tensor) -> Tensor:
    """The inverse of :func:`rgb_to_ycbcr`, not clipped."""
    y, cb, cr = luma[:, 0], chroma[:, 0] / 0.564, chroma[:, 1] / 0.713
    return torch.stack((y + cr, y - (0.299 * cr + 0.114 * cb) / 0.587, y + cb), 1)


class ModulatedBlock(nn.Module):
    """A residual block of two 3x3 convolutions, the first scaled and shifted by the conditioning (FiLM, Perez 2018).

    Args:
        width: channels in and out.
        hidden: channels between the two convolutions; ``width`` where 0.
    """

    def __init__(self, width: int, hidden: int = 0) -> None:
        super().__init__()
        self.hidden = hidden or width
        self.first = nn.Conv2d(width, self.hidden, 3, padding=1)
        self.second = nn.Conv2d(self.hidden, width, 3, padding=1)

    def forward(self, features: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """(B, C, H, W) features; scale and shift (B, hidden, 1, 1)."""
        return features + self.second(_activate(self.first(features) * (1.0 + scale) + shift))


class CompactFusion(nn.Module):
    """Two light encoders, three scales of fusion, and per-pixel weights of both sources as output.

    The fused luma is ``a * infrared + b * visible + c * max(infrared, visible) + r`` with a, b, c and r predicted per
    pixel: selection where selection is enough, a residual for what it cannot do. Chroma is the visible one times a
    gain plus a residual. The network starts as the brighter-pixel fusion (a = b = r = 0, c = 1).

    Args:
        widths: channels at 1/2, 1/4, 1/8 and 1/16 of the picture's size.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (24, 48, 64, 80)) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        source_half, source_quarter = 2 * half // 3, 2 * quarter // 3
        self.infrared_stem = nn.Conv2d(4, source_half, 3, padding=1)
        self.visible_stem = nn.Conv2d(12, half, 3, padding=1)
        self.infrared_down = nn.Conv2d(source_half, source_quarter, 3, stride=2, padding=1)
        self.visible_down = nn.Conv2d(half, source_quarter, 3, stride=2, padding=1)
        self.to_eighth = nn.Conv2d(2 * source_quarter, eighth, 3, stride=2, padding=1)
        self.to_sixteenth = nn.Conv2d(eighth, sixteenth, 3, stride=2, padding=1)
        # Upwards by pixel shuffle: copies of a coarse feature could not tell the columns of a stripe apart.
        self.from_sixteenth = nn.Conv2d(sixteenth, 4 * eighth, 1)
        self.from_eighth = nn.Conv2d(eighth, 4 * quarter, 1)
        self.skip_quarter = nn.Conv2d(2 * source_quarter, quarter, 1)
        self.from_quarter = nn.Conv2d(quarter, 4 * half, 1)
        self.skip_half = nn.Conv2d(source_half + half, half, 1)
        self.blocks = nn.ModuleList(
            (
                ModulatedBlock(source_half),
                ModulatedBlock(half, hidden=5 * half // 12),
                ModulatedBlock(source_quarter),
                ModulatedBlock(source_quarter),
                ModulatedBlock(eighth),
                ModulatedBlock(sixteenth),
                ModulatedBlock(quarter),
                ModulatedBlock(half),
            )
        )
        modulated = sum(block.hidden for block in self.blocks)  # type: ignore[misc]
        self.head = nn.Conv2d(half, 4 * _HEADS, 3, padding=1)
        self.conditioner = nn.Sequential(
            nn.Linear(len(CONDITIONING_FIELDS), 64),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(64, 64),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(64, 2 * modulated),
        )
        # A modulation of its own for every field, beside what fields do together: one task does not blur another. What
        # a word does depends on the pair that it is said of, so each has a small code of the statistics as well.
        self.own_words = nn.Linear(len(CONDITIONING_FIELDS), 2 * modulated, bias=False)
        self.own_codes = nn.Linear(len(STATISTICS), len(INSTRUCTION_FIELDS) * _CODE)
        self.own_by_statistics = nn.Linear(len(INSTRUCTION_FIELDS) * _CODE, 2 * modulated, bias=False)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, a=_SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, ModulatedBlock):
                nn.init.normal_(module.second.weight, std=1e-2)
        last = self.conditioner[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=5e-2)
        nn.init.zeros_(self.own_words.weight)
        nn.init.zeros_(self.own_by_statistics.weight)
        nn.init.normal_(self.head.weight, std=1e-2)

    def freeze_all_but(self, fields: Sequence[str]) -> None:
        """Let training change nothing but the modulation that some conditioning fields have of their own.

        Wherever these fields are nought, the network stays what it is.
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

    def forward(self, infrared: Tensor, visible: Tensor, conditioning: Tensor) -> Tensor:
        """Fuse a batch.

        Args:
            infrared: (B, 1, H, W) in 0..1, H and W multiples of :data:`SIZE_MULTIPLE`.
            visible: (B, 3, H, W) RGB in 0..1.
            conditioning: (B, C), the fields :data:`CONDITIONING_FIELDS` of an instruction.

        Returns:
            (B, 3, H, W) RGB, about 0..1, not clipped.
        """
        luma, chroma = rgb_to_ycbcr(visible)
        heads = self._predict(infrared, torch.cat((luma, chroma), 1), conditioning)
        weight_infrared, weight_visible, weight_maximum, residual, gain = heads[:, :5].split(1, 1)
        fused = (
            weight_infrared * infrared
            + weight_visible * luma
            + (1.0 + weight_maximum) * torch.maximum(infrared, luma)
            + residual
        )
        return ycbcr_to_rgb(fused, (1.0 + gain) * chroma + heads[:, 5:])

    def _modulation(self, conditioning: Tensor) -> Tensor:
        words, statistics = conditioning.split((len(INSTRUCTION_FIELDS), len(STATISTICS)), 1)
        codes = _activate(self.own_codes(statistics)).unflatten(1, (len(INSTRUCTION_FIELDS), _CODE))
        own = self.own_by_statistics((words[:, :, None] * codes).flatten(1))
        return self.conditioner(conditioning) + self.own_words(conditioning) + own

    def _predict(self, infrared: Tensor, visible: Tensor, conditioning: Tensor) -> Tensor:
        modulation = self._modulation(conditioning)[:, :, None, None]
        sizes = [2 * block.hidden for block in self.blocks]  # type: ignore[misc]
        scales_and_shifts = iter(modulation.split(sizes, 1))
        blocks = iter(self.blocks)

        def refine(features: Tensor) -> Tensor:
            return next(blocks)(features, *next(scales_and_shifts).chunk(2, 1))

        infrared_half = refine(_activate(self.infrared_stem(functional.pixel_unshuffle(infrared, 2))))
        visible_half = refine(_activate(self.visible_stem(functional.pixel_unshuffle(visible, 2))))
        infrared_quarter = refine(_activate(self.infrared_down(infrared_half)))
        visible_quarter = refine(_activate(self.visible_down(visible_half)))
        both_quarter = torch.cat((infrared_quarter, visible_quarter), 1)
        eighth = refine(_activate(self.to_eighth(both_quarter)))
        sixteenth = refine(_activate(self.to_sixteenth(eighth)))
        eighth = _activate(eighth + functional.pixel_shuffle(self.from_sixteenth(sixteenth), 2))
        quarter = functional.pixel_shuffle(self.from_eighth(eighth), 2) + self.skip_quarter(both_quarter)
        quarter = refine(quarter)
        half = functional.pixel_shuffle(self.from_quarter(quarter), 2)
        half = half + self.skip_half(torch.cat((infrared_half, visible_half), 1))
        return functional.pixel_shuffle(self.head(_activate(refine(half))), 2)


def _activate(features: Tensor) -> Tensor:
    # Plain ReLU died: the head's input went negative everywhere within a few hundred steps.
    return functional.leaky_relu(features, _SLOPE)
