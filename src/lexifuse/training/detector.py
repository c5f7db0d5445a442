"""The detector: an anchor-free one-stage network for people and vehicles, made of plain convolutions for the CPU.

Of the family of FCOS (arXiv 1904.01355) and YOLOX (arXiv 2107.08430): a residual backbone, a feature pyramid, and one
head shared by three levels that gives for each cell a score per class and the distances to the four sides of a box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from lexifuse.boxes import CLASSES, Detection
from lexifuse.detect import sort_out
from lexifuse.training.detection_losses import BoxLoss, Predictions, Targets, detection_loss
from lexifuse.training.networks.blocks import pad_to_multiple

STRIDES = (8, 16, 32)
"""Pixels per cell of the three levels."""

SIZE_MULTIPLE = STRIDES[-1]

_RARE = 0.01
"""Score of every cell before training: nearly all of them are background."""


@runtime_checkable
class TrainableDetector(Protocol):
    """What training needs of a detector; :mod:`lexifuse.training.detection_adapter` wraps those of others."""

    def loss(self, images: Tensor, targets: Targets) -> Tensor:
        """A scalar that is differentiable with respect to the images.

        Args:
            images: (B, 3, H, W) RGB in 0..1.
            targets: per picture boxes (N, 4) x0 y0 x1 y1 in pixels and labels (N,) int64.
        """
        ...

    def detect(self, images: Tensor, threshold: float = 0.3) -> list[list[Detection]]:
        """The objects in each picture of (B, 3, H, W) RGB in 0..1, by descending score."""
        ...


class _Unit(nn.Sequential):
    """3x3 convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )


class _Residual(nn.Module):
    """Two units whose result is added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _Unit(width, width), _Unit(width, width)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.second(self.first(features))


class CompactDetector(nn.Module):
    """People and vehicles in one picture of any size.

    Args:
        widths: channels at strides 2, 4, 8, 16 and 32.
        neck: channels of the pyramid and the head.
        box_loss: ``giou`` or ``ciou``.
        box_weight: weight of the box loss beside the classification loss.
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 24, 48, 96, 128),
        neck: int = 48,
        *,
        box_loss: BoxLoss = "giou",
        box_weight: float = 2.0,
    ) -> None:
        super().__init__()
        self.box_loss: BoxLoss = box_loss
        self.box_weight = box_weight
        first, second, *deep = widths
        self.stem = nn.Sequential(_Unit(3, first, 2), _Unit(first, second, 2))
        inputs = [second, *deep[:-1]]
        self.stages = nn.ModuleList(
            nn.Sequential(_Unit(before, width, 2), _Residual(width)) for before, width in zip(inputs, deep, strict=True)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(width, neck, 1) for width in deep)
        self.tower = nn.Sequential(_Unit(neck, neck), _Unit(neck, neck))
        self.scores = nn.Conv2d(neck, len(CLASSES), 3, padding=1)
        self.distances = nn.Conv2d(neck, 4, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(len(STRIDES)))
        nn.init.constant_(self.scores.bias, -math.log((1 - _RARE) / _RARE))  # type: ignore[arg-type]
        for layer in (self.scores, self.distances):
            nn.init.normal_(layer.weight, std=0.01)

    def forward(self, images: Tensor) -> Predictions:
        """Predictions for (B, 3, H, W) RGB in 0..1; sides that are no multiple of 32 are filled up."""
        features = self.stem(pad_to_multiple(images, SIZE_MULTIPLE) * 4.0 - 2.0)
        levels = []
        for stage, lateral in zip(self.stages, self.laterals, strict=True):
            features = stage(features)
            levels.append(lateral(features))
        for index in (1, 0):
            levels[index] = levels[index] + functional.interpolate(levels[index + 1], scale_factor=2.0)
        logits, boxes, centres, strides = [], [], [], []
        for level, stride, scale in zip(levels, STRIDES, self.scales, strict=True):
            towered = self.tower(level)
            logits.append(self.scores(towered).flatten(2).transpose(1, 2))
            distances = (self.distances(towered) * scale).clamp(-4.0, 5.0).exp() * stride
            distances = distances.flatten(2).transpose(1, 2)
            cells = _cells(level, stride)
            boxes.append(torch.cat([cells - distances[..., :2], cells + distances[..., 2:]], -1))
            centres.append(cells)
            strides.append(torch.full_like(cells[:, 0], stride))
        return Predictions(torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(centres), torch.cat(strides))

    def losses(self, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        """Classification and weighted box loss; see :meth:`loss`."""
        return detection_loss(self(images), targets, box_weight=self.box_weight, box_loss=self.box_loss)

    def loss(self, images: Tensor, targets: Targets) -> Tensor:
        """The whole loss, a scalar; see :class:`TrainableDetector`."""
        classification, boxes = self.losses(images, targets)
        return classification + boxes

    @torch.no_grad()
    def detect(self, images: Tensor, threshold: float = 0.3) -> list[list[Detection]]:
        """The objects in each picture; see :class:`TrainableDetector`."""
        height, width = images.shape[-2:]
        found = self(images)
        scores = found.logits.sigmoid()
        return [
            sort_out(boxes.float().cpu().numpy(), values.float().cpu().numpy(), width, height, threshold)
            for boxes, values in zip(found.boxes, scores, strict=True)
        ]


def _cells(level: Tensor, stride: int) -> Tensor:
    """Middles of the cells of (B, C, h, w), x y in pixels, as (h * w, 2)."""
    height, width = level.shape[-2:]
    rows = (torch.arange(height, device=level.device) + 0.5) * stride
    columns = (torch.arange(width, device=level.device) + 0.5) * stride
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], -1).flatten(0, 1)
