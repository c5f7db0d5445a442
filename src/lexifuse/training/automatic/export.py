"""Choose the thresholds of the network that reads pictures, and export it to ONNX with its card."""

from __future__ import annotations

import hashlib
import os
import platform
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lexifuse.automatic import PATCH, PATCHES
from lexifuse.errors import InputError
from lexifuse.instruction import ASKED_FOR, DEGRADATIONS
from lexifuse.models import Model, ModelCard, write_card
from lexifuse.statistics import STATISTICS
from lexifuse.training.automatic.samples import SOURCES, PixelSamples, open_pictures
from lexifuse.training.automatic.trainer import AutomaticRecipe
from lexifuse.training.checkpoint import load_weights
from lexifuse.training.networks.automatic import AutomaticNetwork

_OPSET = 17
_SAMPLES, _SEED = 1200, 9
_FALSE_ALARMS = 0.004
"""Share of undamaged samples that one degradation may be falsely seen in; nine of them stay below 5 %."""


class _Answer(nn.Module):
    """The network with probabilities instead of logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, patches: Tensor, thumbnail: Tensor, statistics: Tensor) -> tuple[Tensor, Tensor]:
        logits, severity = self.network(patches, thumbnail, statistics)
        return logits.sigmoid(), severity


def export_automatic(checkpoint: Path, data: Path, out: Path) -> Model:
    """Export the averaged weights of a checkpoint, with thresholds from held-out training pairs.

    Args:
        checkpoint: written by the trainer.
        data: folder of the data sets.
        out: folder for ``automatic.onnx`` and ``card.json``.

    Raises:
        InputError: there is no such checkpoint.
    """
    if not checkpoint.is_file():
        raise InputError(f"there is no checkpoint {checkpoint}: `lexifuse train automatic` writes one")
    with safe_open(checkpoint, framework="pt") as file:
        facts = file.metadata()
    network = AutomaticNetwork()
    load_weights(checkpoint, network)
    network.eval()
    thresholds = choose_thresholds(network, data)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "automatic.onnx"
    _to_onnx(network, path)
    card = ModelCard(
        name="automatic",
        task="picture reading",
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        conditioning="none",
        conditioning_fields=(),
        size_multiple=1,
        overlap=0,
        parameters=sum(weight.numel() for weight in network.parameters()),
        gmac=round(_gmac(network), 3),
        licence="Apache-2.0",
        training={
            "data": ", ".join(SOURCES),
            "steps": int(facts["step"]),
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "recipe": AutomaticRecipe.model_validate_json(facts["recipe"]).model_dump(),
            "thresholds": thresholds,
        },
        metrics={},
    )
    return write_card(card, out)


@torch.no_grad()
def choose_thresholds(network: nn.Module, data: Path) -> dict[str, float]:
    """Probability from which each degradation counts as there: the best F1 among those with few false alarms."""
    samples = PixelSamples(open_pictures(data), _SAMPLES, seed=_SEED, patches=PATCHES, held_out=True)
    probability, truth = np.zeros((_SAMPLES, 9)), np.zeros((_SAMPLES, 9))
    for number in range(_SAMPLES):
        sample = samples[number]
        logits, _ = network(*(sample[name][None] for name in ("patches", "thumbnail", "statistics")))
        probability[number] = logits.sigmoid()[0].numpy()
        truth[number] = sample["severity"].numpy()
    undamaged = (truth < ASKED_FOR).all(1)
    return {
        name: _threshold(probability[:, index], truth[:, index] >= ASKED_FOR, undamaged)
        for index, name in enumerate(DEGRADATIONS)
    }


def _threshold(probability: NDArray[Any], there: NDArray[Any], undamaged: NDArray[Any]) -> float:
    best, chosen = -1.0, 0.5
    for threshold in np.linspace(0.1, 0.95, 35):
        said = probability >= threshold
        if said[undamaged].mean() > _FALSE_ALARMS and threshold < 0.95:
            continue
        f1 = 2 * (said & there).sum() / max(said.sum() + there.sum(), 1)
        if f1 > best:
            best, chosen = float(f1), float(threshold)
    return round(chosen, 3)


def _example() -> tuple[Tensor, Tensor, Tensor]:
    return torch.rand(1, PATCHES, 4, PATCH, PATCH), torch.rand(1, 4, PATCH, PATCH), torch.rand(1, len(STATISTICS))


def _to_onnx(network: nn.Module, path: Path) -> None:
    part = path.with_suffix(".part")
    with warnings.catch_warnings():
        # The exporter that traces warns that it is the older of two; its graphs are the ones fused best.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Answer(network),
            _example(),
            str(part),
            input_names=["patches", "thumbnail", "statistics"],
            output_names=["probability", "severity"],
            dynamic_axes={"patches": {1: "patches"}},
            opset_version=_OPSET,
            dynamo=False,
        )
    part.replace(path)


def _gmac(network: nn.Module) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*_example())
    return counter.get_total_flops() / 2e9
