"""Export a trained network to ONNX with dynamic size, and write its card."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import platform
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lexifuse.errors import InputError
from lexifuse.models import Model, ModelCard, write_card
from lexifuse.training.checkpoint import load_average
from lexifuse.training.families import family_of
from lexifuse.training.networks.compact import CONDITIONING_FIELDS
from lexifuse.training.recipe import Recipe

_OPSET = 17


class _Clipped(nn.Module):
    """A network whose answer is clipped to 0..1, as users see it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, infrared: Tensor, visible: Tensor, conditioning: Tensor) -> Tensor:
        return self.network(infrared, visible, conditioning).clamp(0.0, 1.0)


def export_model(
    checkpoint: Path, out: Path, *, name: str | None = None, metrics: dict[str, Any] | None = None
) -> Model:
    """Export the averaged weights of a checkpoint.

    Args:
        checkpoint: written by the trainer.
        out: folder for ``<name>.onnx`` and ``card.json``.
        name: on the card; the recipe's network where not given.
        metrics: measured figures for the card.

    Returns:
        The exported model, checked and ready for ``lexifuse.load``.

    Raises:
        InputError: there is no such checkpoint.
    """
    if not checkpoint.is_file():
        raise InputError(f"there is no checkpoint {checkpoint}: `lexifuse train` writes one")
    recipe, steps = load_average_recipe(checkpoint)
    family = family_of(recipe)
    network = family.network()
    load_average(checkpoint, network)
    name = name or recipe.network
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.onnx"
    to_onnx(network.eval(), path, family.example())
    card = ModelCard(
        name=name,
        task="fusion",
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        conditioning=family.conditioning,
        conditioning_fields=family.conditioning_fields,
        size_multiple=family.size_multiple,
        overlap=family.overlap,
        parameters=sum(weight.numel() for weight in network.parameters()),
        gmac=round(count_gmac(network, family.example()), 3),
        licence="Apache-2.0",
        training=_training_facts(recipe, steps),
        metrics=metrics or {},
    )
    return write_card(card, out)


def load_average_recipe(checkpoint: Path) -> tuple[Recipe, int]:
    """The recipe of a checkpoint and the steps made."""
    from safetensors import safe_open

    with safe_open(checkpoint, framework="pt") as file:
        metadata = file.metadata()
    return Recipe.model_validate_json(metadata["recipe"]), int(metadata["step"])


def to_onnx(network: nn.Module, path: Path, conditioning: Tensor | None = None) -> None:
    """Write a fusion network with inputs infrared, visible and conditioning, height and width free.

    Args:
        network: in evaluation mode.
        path: of the ONNX file.
        conditioning: an example, (1, C), or (1, T, D) with T free; the compact network's where not given.
    """
    example = _example(64, 96, conditioning)
    sizes = {2: "height", 3: "width"}
    axes = {"infrared": sizes, "visible": sizes, "fused": sizes}
    if example[2].ndim == 3:
        axes["conditioning"] = {1: "tokens"}
    part = path.with_suffix(".part")
    with warnings.catch_warnings():
        # The exporter that traces is the one whose graphs ONNX Runtime fuses best; its deprecation is known.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Clipped(network),
            example,
            str(part),
            input_names=["infrared", "visible", "conditioning"],
            output_names=["fused"],
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
    part.replace(path)


def count_gmac(network: nn.Module, conditioning: Tensor | None = None) -> float:
    """1e9 multiply-accumulates for one 640x480 pair under a conditioning (the compact network's where not given)."""
    # On the meta device shapes are worked out and nothing is computed.
    weightless = copy.deepcopy(network).to("meta")
    example = (value.to("meta") for value in _example(480, 640, conditioning))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        weightless(*example)
    return counter.get_total_flops() / 2e9


def _example(height: int, width: int, conditioning: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    if conditioning is None:
        conditioning = torch.zeros(1, len(CONDITIONING_FIELDS))
    return torch.rand(1, 1, height, width), torch.rand(1, 3, height, width), conditioning


def _training_facts(recipe: Recipe, steps: int) -> dict[str, Any]:
    return {
        "data": ", ".join(source.name for source in recipe.sources),
        "steps": steps,
        "batch": recipe.batch,
        "crop": recipe.crop,
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "recipe": json.loads(recipe.model_dump_json()),
    }
