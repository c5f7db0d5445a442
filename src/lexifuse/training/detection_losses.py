"""Losses of an anchor-free detector: which cell answers for which box, quality focal loss, and GIoU or CIoU.

Assignment after SimOTA (YOLOX, arXiv 2107.08430), classification by the quality focal loss (arXiv 2006.04388), boxes by
GIoU (arXiv 1902.09630) or CIoU (arXiv 1911.08287).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

IGNORE = -1
"""Label of a region whose cells are neither object nor background."""

Targets = Sequence[tuple[Tensor, Tensor]]
"""Per picture: boxes (N, 4), x0 y0 x1 y1 in pixels, and labels (N,) int64 (:data:`IGNORE` or a class number)."""

BoxLoss = Literal["giou", "ciou"]

_RADIUS = 2.0
_CANDIDATES = 10
_BOX_COST, _LEVEL_COST, _OUTSIDE = 3.0, 0.5, 1e4
_USUAL_SIZE = 4.0
_EPSILON = 1e-7


@dataclass(frozen=True)
class Predictions:
    """What a detector says of a batch, all levels side by side.

    Attributes:
        logits: (B, N, C), one per class.
        boxes: (B, N, 4), x0 y0 x1 y1 in pixels.
        centres: (N, 2), middle of each cell, x y in pixels.
        strides: (N,), pixels.
    """

    logits: Tensor
    boxes: Tensor
    centres: Tensor
    strides: Tensor


def detection_loss(
    found: Predictions, targets: Targets, *, box_weight: float = 2.0, box_loss: BoxLoss = "giou"
) -> tuple[Tensor, Tensor]:
    """Classification and box loss of a batch, each per object cell.

    Args:
        found: the predictions.
        targets: what is there, one entry per picture.
        box_weight: weight of the box loss.
        box_loss: which one.

    Returns:
        Two scalars: quality focal loss, weighted box loss. Both are finite for pictures without boxes and for boxes
        of one pixel.
    """
    quality = torch.zeros_like(found.logits, dtype=torch.float32)
    weights = torch.ones_like(found.logits[..., :1])
    losses, cells = [], 0
    for index, (boxes, labels) in enumerate(targets):
        real = labels != IGNORE
        weights[index][_inside_any(found.centres, boxes[~real])] = 0.0
        with torch.no_grad():
            chosen, match = assign(
                found.logits[index], found.boxes[index], found.centres, found.strides, boxes[real], labels[real]
            )
        if not len(chosen):
            continue
        wanted = boxes[real][match].to(found.boxes)
        predicted = found.boxes[index, chosen]
        quality[index, chosen, labels[real][match]] = pairwise_iou(predicted.detach(), wanted)
        weights[index, chosen] = 1.0
        losses.append(box_losses(predicted, wanted, box_loss).sum())
        cells += len(chosen)
    classification = (quality_focal_loss(found.logits, quality) * weights).sum() / max(cells, 1)
    placed = torch.stack(losses).sum() / max(cells, 1) if losses else found.boxes.sum() * 0.0
    return classification, box_weight * placed


def quality_focal_loss(logits: Tensor, quality: Tensor, power: float = 2.0) -> Tensor:
    """Cross-entropy against a quality in 0..1, scaled by how far off the answer is; element-wise."""
    distance = (quality - logits.sigmoid()).abs()
    return distance.pow(power) * functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4) with boxes (..., 4), element-wise (shapes broadcast)."""
    return _common(first, second)[0]


def box_losses(predicted: Tensor, wanted: Tensor, kind: BoxLoss = "giou") -> Tensor:
    """1 - GIoU or 1 - CIoU of boxes (N, 4) with boxes (N, 4), as (N,)."""
    iou, union = _common(predicted, wanted)
    low, high = torch.minimum(predicted[:, :2], wanted[:, :2]), torch.maximum(predicted[:, 2:], wanted[:, 2:])
    hull = high - low
    if kind == "giou":
        area = hull.prod(-1)
        return 1.0 - iou + (area - union) / (area + _EPSILON)
    apart = ((predicted[:, :2] + predicted[:, 2:] - wanted[:, :2] - wanted[:, 2:]) / 2).square().sum(-1)
    distance = apart / (hull.square().sum(-1) + _EPSILON)
    sizes = [boxes[:, 2:] - boxes[:, :2] for boxes in (predicted, wanted)]
    angles = [torch.atan(size[:, 0] / (size[:, 1] + _EPSILON)) for size in sizes]
    aspect = 4 / math.pi**2 * (angles[0] - angles[1]).square()
    with torch.no_grad():
        trade = aspect / (1.0 - iou + aspect + _EPSILON)
    return 1.0 - iou + distance + trade * aspect


def assign(
    logits: Tensor, predicted: Tensor, centres: Tensor, strides: Tensor, boxes: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Choose the cells that answer for each box of one picture.

    A box is answered for by the cells near its middle (however small it is) that describe it best already; how many
    follows from how well they do.

    Args:
        logits: (N, C).
        predicted: (N, 4) boxes.
        centres: (N, 2).
        strides: (N,).
        boxes: (M, 4), the truth.
        labels: (M,), its classes.

    Returns:
        Numbers of the chosen cells (K,), and for each the number of its box (K,).
    """
    if not len(boxes):
        nothing = torch.zeros(0, dtype=torch.long, device=logits.device)
        return nothing, nothing
    boxes = boxes.to(predicted)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    near = ((centres[:, None] - middle[None]).abs() < _RADIUS * strides[:, None, None]).all(-1)
    iou = pairwise_iou(predicted[:, None], boxes[None])
    chosen = logits[:, labels]
    doubt = functional.binary_cross_entropy_with_logits(chosen, iou, reduction="none")
    size = (boxes[:, 2:] - boxes[:, :2]).clamp_min(1.0).prod(-1).sqrt()
    level = (size[None] / (_USUAL_SIZE * strides[:, None])).log2().abs()
    cost = doubt + _BOX_COST * -(iou + _EPSILON).log() + _LEVEL_COST * level + _OUTSIDE * ~near
    most = min(_CANDIDATES, len(cost))
    counts = (iou * near).topk(most, 0).values.sum(0).int().clamp_min(1)
    order = cost.topk(most, 0, largest=False).indices
    taken = torch.zeros_like(near)
    for column, count in enumerate(counts.tolist()):
        taken[order[:count, column], column] = True
    # Where the picture has no cell near a box (its middle lies outside), nobody answers for it.
    taken &= near
    cost = torch.where(taken, cost, torch.inf)
    best = cost.min(1)
    cells = best.values.isfinite().nonzero().flatten()
    return cells, best.indices[cells]


def _common(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union, and union."""
    sides = torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])
    shared = sides.clamp_min(0.0).prod(-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(-1) for boxes in (first, second)]
    union = areas[0] + areas[1] - shared
    return shared / (union + _EPSILON), union


def _inside_any(points: Tensor, boxes: Tensor) -> Tensor:
    """Which points (N, 2) lie inside any of the boxes (M, 4), as (N,) bool."""
    boxes = boxes.to(points)
    return ((points[:, None] >= boxes[:, :2]) & (points[:, None] < boxes[:, 2:])).all(-1).any(-1)
