"""The compact network: plain 3x3 convolutions that hear an instruction, made for what a CPU is quick at."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lexifuse.training.networks.instructed import Instructed, activate
from lexifuse.training.networks.planes import HEADS, Doubling, WeightedSources, add_last

OVERLAP = 224
"""Pixels around a tile that can still change its inside by more than rounding (the receptive field reaches 330)."""

SIZE_MULTIPLE = 32
"""Height and width that the network takes are multiples of this."""

_SOURCE = 16  # channels of either encoder, at 1/2 and at 1/4 of the size
_QUARTER, _EIGHTH, _SIXTEENTH = 32, 48, 64
_HIDDEN = 32  # between the two convolutions of a block at 1/2 and 1/4


class _Residual(nn.Module):
    """Two 3x3 convolutions that add to what comes in; what lies between them may be told what is asked."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, hidden, 3, padding=1)
        self.second = nn.Conv2d(hidden, width, 3, padding=1)

    def forward(self, features: Tensor, told: Callable[[Tensor], Tensor] = lambda features: features) -> Tensor:
        return features + self.second(activate(told(self.first(features))))


class _Surroundings(nn.Module):
    """What lies a few hundred pixels around, seen at 1/32 of the size: a sky is one thing, however wide it is.

    Borders are repeated and not filled with zeros, which would tell how far off they are, and pictures have other
    sizes than the crops of training.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down = _repeating(width, stride=2)
        self.near = nn.ModuleList((_repeating(width), _repeating(width)))
        self.far = nn.ModuleList((_repeating(width, dilation=2), _repeating(width, dilation=2)))
        self.back = Doubling(width, width)

    def forward(self, features: Tensor, told: Callable[[Tensor], Tensor]) -> Tensor:
        """What to add to the features, (B, C, H, W), with the channels last."""
        coarse = activate(self.down(features))
        coarse = coarse + self.near[1](activate(told(self.near[0](coarse))))
        coarse = coarse + self.far[1](activate(self.far[0](coarse)))
        return self.back(activate(coarse))


def _repeating(width: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width, width, 3, stride=stride, dilation=dilation, padding=dilation, padding_mode="replicate")


class CompactFusion(Instructed):
    """Two encoders of strided convolutions, joined from coarse to fine, and per-pixel weights of both sources.

    It differs from :class:`~lexifuse.training.networks.compact_fine.CompactFineFusion` in what costs time and not only
    multiplications: channels come in sixteens, as ONNX Runtime lays them out, and words are heard where two scales
    meet, where it has to change that layout in any case.
    """

    def __init__(self) -> None:
        super().__init__()
        self.infrared_stem = nn.Conv2d(1, _SOURCE, 6, stride=2, padding=2)
        self.visible_stem = nn.Conv2d(3, _SOURCE, 6, stride=2, padding=2)
        self.infrared_down = nn.Conv2d(_SOURCE, _SOURCE, 3, stride=2, padding=1)
        self.visible_down = nn.Conv2d(_SOURCE, _SOURCE, 3, stride=2, padding=1)
        self.to_eighth = nn.Conv2d(2 * _SOURCE, _EIGHTH, 3, stride=2, padding=1)
        self.to_sixteenth = nn.Conv2d(_EIGHTH, _SIXTEENTH, 3, stride=2, padding=1)
        self.from_sixteenth = Doubling(_SIXTEENTH, _EIGHTH)
        self.from_eighth = Doubling(_EIGHTH, _QUARTER)
        self.from_quarter = Doubling(_QUARTER, _SOURCE)
        self.skip_quarter = nn.Conv2d(2 * _SOURCE, _QUARTER, 1)
        self.skip_half = nn.Conv2d(2 * _SOURCE, _SOURCE, 1)
        self.at_eighth = _Residual(_EIGHTH, _EIGHTH)
        self.around_sixteenth = _Surroundings(_SIXTEENTH)
        self.at_sixteenth = _Residual(_SIXTEENTH, _SIXTEENTH)
        self.back_at_eighth = _Residual(_EIGHTH, _EIGHTH)
        self.at_quarter = _Residual(_QUARTER, _HIDDEN)
        self.at_half = _Residual(_SOURCE, _HIDDEN)
        self.head = nn.Conv2d(_SOURCE, 4 * HEADS, 1)
        self.sources = WeightedSources()
        # Heard inside the blocks at 1/8, 1/32 and 1/16, then where features from below meet those from the side.
        self._places = (_EIGHTH, _SIXTEENTH, _SIXTEENTH, _EIGHTH, _QUARTER, _SOURCE)
        self._listen(sum(self._places))
        self._initialise()
        for block in (self.at_eighth, self.at_sixteenth, self.back_at_eighth, self.at_quarter, self.at_half):
            nn.init.normal_(block.second.weight, std=1e-2)
        nn.init.normal_(self.head.weight, std=1e-2)
        nn.init.zeros_(self.around_sixteenth.back.weight)

    def forward(self, infrared: Tensor, visible: Tensor, conditioning: Tensor) -> Tensor:
        """Fuse a batch.

        Args:
            infrared: (B, 1, H, W) in 0..1, H and W multiples of :data:`SIZE_MULTIPLE`.
            visible: (B, 3, H, W) RGB in 0..1.
            conditioning: (B, C), the fields ``CONDITIONING_FIELDS`` of an instruction.

        Returns:
            (B, 3, H, W) RGB, about 0..1, not clipped.
        """
        modulations = self.modulation(conditioning).split([2 * size for size in self._places], 1)
        places = iter(modulation.chunk(2, 1) for modulation in modulations)

        def told(features: Tensor) -> Tensor:
            scale, shift = (values[:, :, None, None] for values in next(places))
            return features * (1.0 + scale) + shift

        def joined(beside: Tensor, below: Tensor) -> Tensor:
            # With the channels last, as the features from below come.
            scale, shift = (values[:, None, None, :] for values in next(places))
            both = beside.permute(0, 2, 3, 1) + below
            return activate(both * (1.0 + scale) + shift).permute(0, 3, 1, 2)

        infrared_half = activate(self.infrared_stem(infrared))
        visible_half = activate(self.visible_stem(visible))
        downs = activate(self.infrared_down(infrared_half)), activate(self.visible_down(visible_half))
        quarter = torch.cat(downs, 1)
        eighth = self.at_eighth(activate(self.to_eighth(quarter)), told)
        sixteenth = activate(self.to_sixteenth(eighth))
        sixteenth = self.at_sixteenth(add_last(sixteenth, self.around_sixteenth(sixteenth, told)), told)
        eighth = self.back_at_eighth(joined(eighth, self.from_sixteenth(sixteenth)))
        quarter = self.at_quarter(joined(self.skip_quarter(quarter), self.from_eighth(eighth)))
        half = self.skip_half(torch.cat((infrared_half, visible_half), 1))
        half = self.at_half(joined(half, self.from_quarter(quarter)))
        return self.sources(infrared, visible, self.head(activate(half)))
