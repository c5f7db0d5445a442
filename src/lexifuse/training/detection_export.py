"""Export of a trained detector to ONNX with free height and width, its threshold, and its card."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lexifuse.boxes import CLASSES
from lexifuse.detect import TASK
from lexifuse.errors import ModelError
from lexifuse.files import atomic_path
from lexifuse.models import Model, ModelCard, write_card
from lexifuse.training.checkpoint import load_weights, stored
from lexifuse.training.detection_recipe import DetectorRecipe
from lexifuse.training.detection_trainer import network_of
from lexifuse.training.detector import SIZE_MULTIPLE, CompactDetector

_OPSET = 17
_OVERLAP = 128
_SCALES = (1.0, 0.5)  # at which a picture is looked at: windows of training hold no object larger than themselves
THRESHOLD = 0.3


class _Answer(nn.Module):
    """The network with boxes and scores of one level of cells after another, as users of the ONNX file get them."""

    def __init__(self, network: CompactDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        found = self.network(image)
        return found.boxes, found.logits.sigmoid()


def is_detector(checkpoint: Path) -> bool:
    """Whether a checkpoint holds a detector."""
    return checkpoint.is_file() and stored(checkpoint).recipe.get("network") == "detector"


def load_detector_checkpoint(checkpoint: Path) -> tuple[CompactDetector, DetectorRecipe, int]:
    """The averaged network of a checkpoint in evaluation mode, its recipe, and the steps made.

    Raises:
        InputError: there is no such checkpoint.
        ModelError: it holds something else.
    """
    fields, steps, _ = stored(checkpoint)
    if fields.get("network") != "detector":
        raise ModelError(f"{checkpoint} holds the network '{fields.get('network')}', not a detector")
    recipe = DetectorRecipe.model_validate(fields)
    network = network_of(recipe)
    load_weights(checkpoint, network)
    return network.eval(), recipe, steps


def export_detector(
    checkpoint: Path,
    out: Path,
    *,
    name: str | None = None,
    threshold: float = THRESHOLD,
    facts: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> Model:
    """Export the averaged weights of a detector's checkpoint.

    Args:
        checkpoint: written by :func:`lexifuse.training.detection_trainer.train_detector`.
        out: folder for ``<name>.onnx`` and ``card.json``.
        name: on the card; ``detector`` where not given.
        threshold: least score of a detection, for users who name none.
        facts: where the boxes came from, for the card: an annotation list's facts.
        metrics: measured figures for the card.

    Raises:
        InputError: there is no such checkpoint.
        ModelError: it holds something else.
    """
    network, recipe, steps = load_detector_checkpoint(checkpoint)
    together = stored(checkpoint).together
    name = name or "detector"
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.onnx"
    _to_onnx(network, path)
    card = ModelCard(
        name=name,
        task=TASK,
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        conditioning="none",
        conditioning_fields=(),
        size_multiple=SIZE_MULTIPLE,
        overlap=_OVERLAP,
        parameters=sum(weight.numel() for weight in network.parameters()),
        gmac=round(_gmac(network), 3),
        licence="Apache-2.0",
        training={
            "data": ", ".join(dict(facts or {}).get("counts", {})) or "annotated pairs",
            "pictures": "text-to-pixels" if together else recipe.pictures,
            "classes": list(CLASSES),
            "threshold": threshold,
            "scales": _SCALES,
            "steps": steps,
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "recipe": json.loads(recipe.model_dump_json()),
            "annotations": dict(facts or {}),
            **({"together": together} if together else {}),
        },
        metrics=dict(metrics or {}),
    )
    return write_card(card, out)


def _to_onnx(network: CompactDetector, path: Path) -> None:
    with atomic_path(path) as part, warnings.catch_warnings():
        # The exporter that traces is the one whose graphs ONNX Runtime fuses best; its deprecation is known.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Answer(network),
            (torch.rand(1, 3, 64, 96),),
            str(part),
            input_names=["image"],
            output_names=["boxes", "scores"],
            dynamic_axes={"image": {2: "height", 3: "width"}, "boxes": {1: "cells"}, "scores": {1: "cells"}},
            opset_version=_OPSET,
            dynamo=False,
        )


def _gmac(network: CompactDetector) -> float:
    """1e9 multiply-accumulates for one 640x480 picture."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 480, 640))
    return counter.get_total_flops() / 2e9
