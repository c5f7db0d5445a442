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
from torch import Tensor, nn

from lexifuse.automatic import TASK
from lexifuse.files import atomic_path
from lexifuse.instruction import ASKED_FOR, DEGRADATIONS
from lexifuse.models import Model, ModelCard, write_card
from lexifuse.training.automatic.network import AutomaticNetwork
from lexifuse.training.automatic.trainer import AutomaticRecipe, Collected, collect, fit

_OPSET = 17
_LEAST = 0.4
"""No threshold is lower: the held-out pairs are too few to trust a probability that is small."""

_FALSE_ALARMS = 0.006
"""Share of undamaged samples that one degradation may be falsely seen in; nine of them stay near 5 %."""


class _Answer(nn.Module):
    """The network with probabilities instead of logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        logits, severity = self.network(features)
        return logits.sigmoid(), severity


def make_automatic(recipe: AutomaticRecipe, data: Path, out: Path, *, workers: int = 1) -> Model:
    """Collect samples, learn from them, and export: ``out/samples`` and ``out/export``.

    Args:
        recipe: how.
        data: folder of the data sets.
        out: folder of the run; samples that lie there already are used.
        workers: loader processes; 0 for none.
    """
    samples, held_out = collect(recipe, data, out / "samples", workers=workers)
    network = fit(recipe, samples)
    return export_automatic(network, choose_thresholds(network, held_out), recipe, out / "export")


def export_automatic(
    network: AutomaticNetwork, thresholds: dict[str, float], recipe: AutomaticRecipe, out: Path
) -> Model:
    """Write ``automatic.onnx`` and its card.

    Args:
        network: trained.
        thresholds: degradation to the probability from which it counts as there.
        recipe: that made the network.
        out: folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "automatic.onnx"
    _to_onnx(network, path)
    parameters = sum(weight.numel() for weight in network.parameters())
    card = ModelCard(
        name="automatic",
        task=TASK,
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        conditioning="none",
        conditioning_fields=(),
        size_multiple=1,
        overlap=0,
        parameters=parameters,
        gmac=round(parameters / 1e9, 6),
        licence="Apache-2.0",
        training={
            "data": ", ".join(recipe.sources),
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "recipe": recipe.model_dump(),
            "thresholds": thresholds,
        },
        metrics={},
    )
    return write_card(card, out)


@torch.no_grad()
def choose_thresholds(network: nn.Module, held_out: Collected) -> dict[str, float]:
    """Probability from which each degradation counts as there: the best F1 among those with few false alarms."""
    probability = network(held_out.features)[0].sigmoid().numpy()
    truth = held_out.severity.numpy()
    # Nights are dark by nature, and that is no damage.
    undamaged = np.asarray((np.delete(truth, DEGRADATIONS.index("visible.low_light"), 1) < ASKED_FOR).all(1))
    return {
        name: _threshold(probability[:, index], truth[:, index] >= ASKED_FOR, undamaged)
        for index, name in enumerate(DEGRADATIONS)
    }


def _threshold(probability: NDArray[Any], there: NDArray[Any], undamaged: NDArray[Any]) -> float:
    best, chosen = -1.0, 0.95
    for threshold in np.linspace(_LEAST, 0.95, 56):
        said = probability >= threshold
        if said[undamaged & ~there].mean() > _FALSE_ALARMS:
            continue
        f1 = 2 * (said & there).sum() / max(said.sum() + there.sum(), 1)
        if f1 > best:
            best, chosen = float(f1), float(threshold)
    return round(chosen, 3)


def _to_onnx(network: AutomaticNetwork, path: Path) -> None:
    with atomic_path(path) as part, warnings.catch_warnings():
        # The exporter that traces warns that it is the older of two; its graphs are the ones fused best.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Answer(network.eval()),
            (torch.rand(1, len(network.mean)),),
            str(part),
            input_names=["features"],
            output_names=["probability", "severity"],
            opset_version=_OPSET,
            dynamo=False,
        )
