"""The finer of the compact networks: it learns from pictures alone, and the default model learns from it."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lexifuse.training.networks.instructed import Instructed, activate
from lexifuse.training.networks.planes import HEADS, Doubling, WeightedSources, add_last, of_full_size

OVERLAP = 112
"""Pixels around a tile that can still change its inside by more than rounding (the receptive field reaches 166)."""


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
        return features + self.second(activate(self.first(features) * (1.0 + scale) + shift))


class CompactFineFusion(Instructed):
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
        self.from_sixteenth = Doubling(sixteenth, eighth)
        self.from_eighth = Doubling(eighth, quarter)
        self.skip_quarter = nn.Conv2d(2 * source_quarter, quarter, 1)
        self.from_quarter = Doubling(quarter, half)
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
        self.head = nn.Conv2d(half, 4 * HEADS, 3, padding=1)
        self.sources = WeightedSources()
        self._listen(sum(block.hidden for block in self.blocks))  # type: ignore[misc]
        self._initialise()
        for block in self.blocks:
            nn.init.normal_(block.second.weight, std=1e-2)  # type: ignore[union-attr]
        nn.init.normal_(self.head.weight, std=1e-2)

    def forward(self, infrared: Tensor, visible: Tensor, conditioning: Tensor) -> Tensor:
        """Fuse a batch.

        Args:
            infrared: (B, 1, H, W) in 0..1, H and W multiples of 16.
            visible: (B, 3, H, W) RGB in 0..1.
            conditioning: (B, C), the fields :data:`CONDITIONING_FIELDS` of an instruction.

        Returns:
            (B, 3, H, W) RGB, about 0..1, not clipped.
        """
        infrared_kernels = of_full_size(self.infrared_stem.weight)
        # What the stem knows of luma and chroma, it says of red, green and blue.
        visible_kernels = torch.einsum("okyx,kc->ocyx", of_full_size(self.visible_stem.weight), self.sources.colours)
        infrared_half = functional.conv2d(infrared, infrared_kernels, self.infrared_stem.bias, stride=2, padding=2)
        visible_half = functional.conv2d(visible, visible_kernels, self.visible_stem.bias, stride=2, padding=2)
        heads = self._predict(activate(infrared_half), activate(visible_half), conditioning)
        return self.sources(infrared, visible, heads)

    def _predict(self, infrared_half: Tensor, visible_half: Tensor, conditioning: Tensor) -> Tensor:
        modulation = self.modulation(conditioning)[:, :, None, None]
        sizes = [2 * block.hidden for block in self.blocks]  # type: ignore[misc]
        scales_and_shifts = iter(modulation.split(sizes, 1))
        blocks = iter(self.blocks)

        def refine(features: Tensor) -> Tensor:
            return next(blocks)(features, *next(scales_and_shifts).chunk(2, 1))

        infrared_half, visible_half = refine(infrared_half), refine(visible_half)
        infrared_quarter = refine(activate(self.infrared_down(infrared_half)))
        visible_quarter = refine(activate(self.visible_down(visible_half)))
        both_quarter = torch.cat((infrared_quarter, visible_quarter), 1)
        eighth = refine(activate(self.to_eighth(both_quarter)))
        sixteenth = refine(activate(self.to_sixteenth(eighth)))
        eighth = activate(add_last(eighth, self.from_sixteenth(sixteenth)))
        quarter = refine(add_last(self.skip_quarter(both_quarter), self.from_eighth(eighth)))
        half = self.skip_half(torch.cat((infrared_half, visible_half), 1))
        return self.head(activate(refine(add_last(half, self.from_quarter(quarter)))))
