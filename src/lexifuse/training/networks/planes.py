"""Pictures as the compact networks take and give them: luma and chroma, and squares of four pixels side by side.

The arithmetic is written in the operators that ONNX Runtime is quick at. Its own space-to-depth and depth-to-space took
a third of the time of the compact network: the first is a convolution of stride two here. The second lays features out
with their channels last, where two neighbours along a row already are side by side: what remains is to move whole rows.
ONNX Runtime changes its layout between convolutions in any case, and goes to channels last at no further cost.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

HEADS = 7
"""What a network predicts of each pixel: weights of infrared, visible and their maximum; luma residual; chroma gain; Cb
and Cr residuals."""

_BLUE, _RED = 0.564, 0.713  # ITU-R BT.601: Cb of (blue - luma), Cr of (red - luma)
_LUMA = (0.299, 0.587, 0.114)


def rgb_to_ycbcr(image: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 3, H, W) RGB 0..1 to luma (B, 1, H, W) 0..1 and chroma (B, 2, H, W) about -0.5..0.5 (ITU-R BT.601)."""
    red, green, blue = image.unbind(1)
    luma = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return luma[:, None], torch.stack(((blue - luma) * _BLUE, (red - luma) * _RED), 1)


def ycbcr_to_rgb(luma: Tensor, chroma: Tensor) -> Tensor:
    """The inverse of :func:`rgb_to_ycbcr`, not clipped."""
    y, cb, cr = luma[:, 0], chroma[:, 0] / _BLUE, chroma[:, 1] / _RED
    return torch.stack((y + cr, y - (_LUMA[0] * cr + _LUMA[2] * cb) / _LUMA[1], y + cb), 1)


def interleave(features: Tensor) -> Tensor:
    """(B, 4C, H, W) to (B, C, 2H, 2W): what ``pixel_shuffle`` by two does."""
    batch, channels, height, width = features.shape
    squares = features.reshape(batch, channels // 4, 2, 2, height, width)
    rows = squares.permute(0, 1, 3, 4, 2, 5).reshape(batch, channels // 4, 2, 2 * height * width)
    return rows.transpose(2, 3).reshape(batch, channels // 4, 2 * height, 2 * width)


class Doubling(nn.Conv2d):
    """A 1x1 convolution and ``pixel_shuffle`` by two, with the channels last.

    Args:
        width: channels in.
        doubled: channels out.
    """

    def __init__(self, width: int, doubled: int) -> None:
        super().__init__(width, 4 * doubled, 1)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Conv2d gives it
        """(B, C, H, W) to (B, 2H, 2W, doubled)."""
        weight, bias = (_square_first(values) for values in (self.weight, self.bias))
        features = functional.conv2d(input, weight, bias).permute(0, 2, 3, 1)
        batch, height, width, channels = features.shape
        rows = features.reshape(batch, height, width, 2, channels // 2).transpose(2, 3)
        return rows.reshape(batch, 2 * height, 2 * width, channels // 4)


def _square_first(values: Tensor | None) -> Tensor:
    """What stands first in order of channel, row and column within a square, in order of row, column and channel."""
    assert values is not None
    return values.unflatten(0, (-1, 4)).transpose(0, 1).flatten(0, 1)


def of_full_size(weight: Tensor) -> Tensor:
    """(O, 4C, K, K) kernels on what ``pixel_unshuffle`` by two gives, as (O, C, 2K, 2K) kernels of stride two."""
    outputs, inputs, side, _ = weight.shape
    squares = weight.reshape(outputs, inputs // 4, 2, 2, side, side)
    return squares.permute(0, 1, 4, 2, 5, 3).reshape(outputs, inputs // 4, 2 * side, 2 * side)


class WeightedSources(nn.Module):
    """The sources under per-pixel weights, four pixels at a time.

    The fused luma is ``a * infrared + b * visible + (1 + c) * max(infrared, visible) + r``; chroma is the visible one
    times ``1 + g``, plus a residual. All heads at zero make the brighter-pixel fusion.
    """

    colours: Tensor
    infrared_squares: Tensor
    visible_squares: Tensor
    to_rgb: Tensor

    def __init__(self) -> None:
        super().__init__()
        luma, chroma = rgb_to_ycbcr(torch.eye(3)[:, :, None, None])
        colours = torch.cat((luma, chroma), 1)[:, :, 0, 0].T
        back = ycbcr_to_rgb(torch.eye(3)[:, :1, None, None], torch.eye(3)[:, 1:, None, None])[:, :, 0, 0].T
        square = torch.eye(4).view(4, 1, 2, 2)
        for name, value in {
            "colours": colours,
            "infrared_squares": square,
            "visible_squares": torch.einsum("pqyx,kc->kpcyx", square, colours).reshape(12, 3, 2, 2),
            "to_rgb": torch.einsum("ck,pq->cpkq", back, torch.eye(4)).reshape(12, 12, 1, 1),
        }.items():
            self.register_buffer(name, value.contiguous(), persistent=False)

    def forward(self, infrared: Tensor, visible: Tensor, heads: Tensor) -> Tensor:
        """(B, 1, H, W) and (B, 3, H, W) RGB pictures and (B, 4 * HEADS, H/2, W/2) to (B, 3, H, W) RGB, not clipped."""
        weight_infrared, weight_visible, weight_maximum, residual, gain, coloured = heads.split((4, 4, 4, 4, 4, 8), 1)
        infrared = functional.conv2d(infrared, self.infrared_squares, stride=2)
        luma, chroma = functional.conv2d(visible, self.visible_squares, stride=2).split((4, 8), 1)
        fused = (
            weight_infrared * infrared
            + weight_visible * luma
            + (1.0 + weight_maximum) * torch.maximum(infrared, luma)
            + residual
        )
        chroma = (1.0 + torch.cat((gain, gain), 1)) * chroma + coloured
        return interleave(functional.conv2d(torch.cat((fused, chroma), 1), self.to_rgb))


def add_last(features: Tensor, others: Tensor) -> Tensor:
    """(B, C, H, W) and (B, H, W, C) added, (B, C, H, W)."""
    return (features.permute(0, 2, 3, 1) + others).permute(0, 3, 1, 2)


def brighter_source(infrared: Tensor, visible: Tensor) -> Tensor:
    """The brighter of infrared (B, 1 or 3, H, W) and visible luma, in the colours of the visible RGB; (B, 3, H, W)."""
    luma, chroma = rgb_to_ycbcr(visible)
    return ycbcr_to_rgb(torch.maximum(luma, infrared[:, :1]), chroma)
