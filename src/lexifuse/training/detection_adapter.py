"""Detectors of other libraries behind our interface: what torchvision and its like call a detection model."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lexifuse.boxes import Detection, suppress
from lexifuse.detect import OVERLAP
from lexifuse.training.detection_losses import IGNORE, Targets


class DetectorAdapter(nn.Module):
    """Any detector that follows torchvision's convention, as a :class:`lexifuse.training.detector.TrainableDetector`.

    The convention (torchvision, BSD-3; followed by others): in training mode ``model(images, targets)`` gives a dict of
    losses, in evaluation mode ``model(images)`` gives a list of dicts with ``boxes``, ``labels`` and ``scores``;
    images are a list of (3, H, W) in 0..1, targets dicts with ``boxes`` and ``labels``, of which 0 is the background.

    Args:
        model: the detector.
        classes: its class number to a class of ours; detections of other classes are left out.

    >>> adapter = DetectorAdapter(torchvision.models.detection.fcos_resnet50_fpn(...),
    ...                           {1: "person", 3: "vehicle"})  # doctest: +SKIP
    """

    def __init__(self, model: nn.Module, classes: Mapping[int, str]) -> None:
        super().__init__()
        self.model = model
        self.classes = dict(classes)
        self._numbers = list(classes)

    def loss(self, images: Tensor, targets: Targets) -> Tensor:
        """The sum of the model's losses; regions to be ignored are left out, since such models know none.

        Args:
            images: (B, 3, H, W) RGB in 0..1.
            targets: boxes (N, 4) and labels (N,) per picture: label i is the i-th of ``classes``.
        """
        self.model.train()
        theirs = []
        for boxes, labels in targets:
            real = labels != IGNORE
            numbers = torch.tensor(self._numbers, device=labels.device)[labels[real]]
            theirs.append({"boxes": boxes[real].to(images), "labels": numbers})
        return torch.stack(list(self.model(list(images), theirs).values())).sum()

    @torch.no_grad()
    def detect(self, images: Tensor, threshold: float = 0.3) -> list[list[Detection]]:
        """The objects in each picture of (B, 3, H, W) RGB in 0..1, by descending score."""
        self.model.eval()
        answers = []
        for found in self.model(list(images)):
            rows = zip(found["boxes"].tolist(), found["labels"].tolist(), found["scores"].tolist(), strict=True)
            known = [
                Detection((x0, y0, x1, y1), self.classes[label], score)
                for (x0, y0, x1, y1), label, score in rows
                if label in self.classes and score >= threshold
            ]
            answers.append(suppress(known, OVERLAP))
        return answers
