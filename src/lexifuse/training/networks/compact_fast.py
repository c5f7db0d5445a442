"""The fast compact network: a thousandth of the work of Text-IF, for video on a CPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lexifuse.training.networks.instructed import Instructed, activate
from lexifuse.training.networks.planes import HEADS, WeightedSources, interleave

OVERLAP = 96
"""Pixels around a tile that can still change its inside by more than rounding."""

_INFRARED, _VISIBLE = 8, 16  # channels of the two encoders at 1/2 of the size; both have 16 at 1/4
_QUARTER, _EIGHTH, _SIXTEENTH = 32, 48, 64
_HIDDEN = 24  # between the two convolutions of a block at 1/2 and 1/4


class _Residual(nn.Module):
    """Two 3x3 convolutions that add to what comes in; what lies between them may be told what is asked."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, hidden, 3, padding=1)
        self.second = nn.Conv2d(hidden, width, 3, padding=1)

    def forward(self, features: Tensor, told: Callable[[Tensor], Tensor] = lambda features: features) -> Tensor:
        return features + self.second(activate(told(self.first(features))))


class CompactFastFusion(Instructed):
    """Two encoders of strided convolutions, joined from coarse to fine, and per-pixel weights of both sources.

    It differs from :class:`~lexifuse.training.networks.compact.CompactFusion` in what costs time and not only
    multiplications: channels come in eights, as ONNX Runtime lays them out, and words are heard where two scales meet,
    where it has to change that layout in any case.
    """

    def __init__(self) -> None:
        super().__init__()
        self.infrared_stem = nn.Conv2d(1, _INFRARED, 6, stride=2, padding=2)
        self.visible_stem = nn.Conv2d(3, _VISIBLE, 6, stride=2, padding=2)
        self.infrared_down = nn.Conv2d(_INFRARED, _VISIBLE, 3, stride=2, padding=1)
        self.visible_down = nn.Conv2d(_VISIBLE, _VISIBLE, 3, stride=2, padding=1)
        self.to_eighth = nn.Conv2d(2 * _VISIBLE, _EIGHTH, 3, stride=2, padding=1)
        self.to_sixteenth = nn.Conv2d(_EIGHTH, _SIXTEENTH, 3, stride=2, padding=1)
        self.from_sixteenth = nn.Conv2d(_SIXTEENTH, 4 * _EIGHTH, 1)
        self.from_eighth = nn.Conv2d(_EIGHTH, 4 * _QUARTER, 1)
        self.from_quarter = nn.Conv2d(_QUARTER, 4 * _VISIBLE, 1)
        self.skip_quarter = nn.Conv2d(2 * _VISIBLE, _QUARTER, 1)
        self.skip_half = nn.Conv2d(_INFRARED + _VISIBLE, _VISIBLE, 1)
        self.at_eighth = _Residual(_EIGHTH, _EIGHTH)
        self.at_sixteenth = _Residual(_SIXTEENTH, _SIXTEENTH)
        self.at_quarter = _Residual(_QUARTER, _HIDDEN)
        self.at_half = _Residual(_VISIBLE, _HIDDEN)
        self.head = nn.Conv2d(_VISIBLE, 4 * HEADS, 1)
        self.sources = WeightedSources()
        # Heard inside the blocks at 1/8 and 1/16, then where features from below meet those from the side.
        self._places = (_EIGHTH, _SIXTEENTH, _EIGHTH, _QUARTER, _VISIBLE)
        self._listen(sum(self._places))
        self._initialise()
        for block in (self.at_eighth, self.at_sixteenth, self.at_quarter, self.at_half):
            nn.init.normal_(block.second.weight, std=1e-2)
        nn.init.normal_(self.head.weight, std=1e-2)

    def forward(self, infrared: Tensor, visible: Tensor, conditioning: Tensor) -> Tensor:
        """Fuse a batch.

        Args:
            infrared: (B, 1, H, W) in 0..1, H and W multiples of 16.
            visible: (B, 3, H, W) RGB in 0..1.
            conditioning: (B, C), the fields ``CONDITIONING_FIELDS`` of an instruction.

        Returns:
            (B, 3, H, W) RGB, about 0..1, not clipped.
        """
        modulation = self.modulation(conditioning)[:, :, None, None]
        places = iter(modulation.split([2 * size for size in self._places], 1))

        def told(features: Tensor) -> Tensor:
            scale, shift = next(places).chunk(2, 1)
            return features * (1.0 + scale) + shift

        infrared_half = activate(self.infrared_stem(infrared))
        visible_half = activate(self.visible_stem(visible))
        downs = activate(self.infrared_down(infrared_half)), activate(self.visible_down(visible_half))
        quarter = torch.cat(downs, 1)
        eighth = self.at_eighth(activate(self.to_eighth(quarter)), told)
        sixteenth = self.at_sixteenth(activate(self.to_sixteenth(eighth)), told)
        eighth = activate(told(eighth + interleave(self.from_sixteenth(sixteenth))))
        quarter = self.at_quarter(activate(told(self.skip_quarter(quarter) + interleave(self.from_eighth(eighth)))))
        half = self.skip_half(torch.cat((infrared_half, visible_half), 1))
        half = self.at_half(activate(told(half + interleave(self.from_quarter(quarter)))))
        return self.sources(infrared, visible, self.head(activate(half)))
