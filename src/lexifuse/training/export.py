"""Export a trained network to ONNX with dynamic size, and write its card."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import platform
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lexifuse.errors import ModelError
from lexifuse.files import atomic_path
from lexifuse.models import Model, ModelCard, write_card
from lexifuse.training.checkpoint import load_average, stored
from lexifuse.training.families import Family, family_of
from lexifuse.training.networks.instructed import CONDITIONING_FIELDS
from lexifuse.training.networks.text_if import DecodeHalf, EncodeHalf
from lexifuse.training.recipe import Recipe
from lexifuse.training.shrink import shrink

_OPSET = 17
_INPUTS = ("infrared", "visible", "conditioning")


class _Clipped(nn.Module):
    """A network, or the half that answers, whose picture is clipped to 0..1, as users see it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.network(*inputs).clamp(0.0, 1.0)


def export_model(
    checkpoint: Path,
    out: Path,
    *,
    name: str | None = None,
    metrics: dict[str, Any] | None = None,
    half: bool = False,
) -> Model:
    """Export the averaged weights of a checkpoint.

    Args:
        checkpoint: written by the trainer.
        out: folder for ``card.json`` and ``<name>.onnx``, or ``<name>.encode.onnx`` and ``<name>.decode.onnx`` for a
            network that works in two halves.
        name: on the card; the recipe's network where not given.
        metrics: measured figures for the card.
        half: store the weights as float16.

    Returns:
        The exported model, checked and ready for ``lexifuse.load``.

    Raises:
        InputError: there is no such checkpoint.
        ModelError: it holds two networks.
    """
    recipe, steps = load_average_recipe(checkpoint)
    together = stored(checkpoint).together
    family = family_of(recipe)
    network = family.network().eval()
    load_average(checkpoint, network)
    name = name or recipe.network
    out.mkdir(parents=True, exist_ok=True)
    files = write_graphs(family, network, out, name)
    if half:
        for path in files:
            shrink(path)
    checksums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    # The graph that answers comes last; one before it is the half that only sees the pictures.
    (file, sha256), *before = reversed(checksums.items())
    encode_file, encode_sha256 = before[0] if before else ("", "")
    card = ModelCard(
        name=name,
        task="fusion",
        file=file,
        sha256=sha256,
        conditioning=family.conditioning,
        conditioning_fields=family.conditioning_fields,
        size_multiple=family.size_multiple,
        overlap=family.overlap,
        parameters=sum(weight.numel() for weight in network.parameters()),
        gmac=round(count_gmac(network, family.example()), 3),
        licence="Apache-2.0",
        training={
            **_training_facts(recipe, steps),
            **({"together": together} if together else {}),
            "weights": "float16" if half else "float32",
        },
        metrics=metrics or {},
        encode_file=encode_file,
        encode_sha256=encode_sha256,
        served_fields=family.served_fields,
    )
    return write_card(card, out)


def write_graphs(family: Family, network: nn.Module, out: Path, name: str) -> list[Path]:
    """Write the ONNX files of a network, ``<name>.onnx`` or its two halves, and give them in the order they run in."""
    halves = family.halves(network)
    if halves is None:
        path = out / f"{name}.onnx"
        to_onnx(network, path, family.example())
        return [path]
    encode_path, decode_path = out / f"{name}.encode.onnx", out / f"{name}.decode.onnx"
    halves_to_onnx(*halves, encode_path, decode_path, family.example())
    return [encode_path, decode_path]


def load_average_recipe(checkpoint: Path) -> tuple[Recipe, int]:
    """The recipe of a fusion network's checkpoint and the steps made."""
    fields, steps, _ = stored(checkpoint)
    if fields.get("network") == "bilevel":
        raise ModelError(f"{checkpoint} holds two networks: take fusion.safetensors or detector.safetensors beside it")
    return Recipe.model_validate(fields), steps


def to_onnx(network: nn.Module, path: Path, conditioning: Tensor | None = None) -> None:
    """Write a fusion network with inputs infrared, visible and conditioning, height and width free.

    Args:
        network: in evaluation mode.
        path: of the ONNX file.
        conditioning: an example, (1, C), or (1, T, D) with T free; the compact network's where not given.
    """
    example = _example(64, 96, conditioning)
    _write(_Clipped(network), path, dict(zip(_INPUTS, example, strict=True)), ("fused",))


def halves_to_onnx(
    encode: EncodeHalf, decode: DecodeHalf, encode_path: Path, decode_path: Path, conditioning: Tensor
) -> None:
    """Write the two halves of a fusion network; height and width are free, and so is the number of tokens.

    Args:
        encode: takes infrared and visible.
        decode: takes the conditioning and what ``encode`` gives, which is called the same in both files.
        encode_path: of the ONNX file.
        decode_path: likewise.
        conditioning: an example, (1, T, D).
    """
    infrared, visible, _ = _example(64, 96, conditioning)
    with torch.no_grad():
        encoded = dict(zip(encode.names, encode(infrared, visible), strict=True))
    _write(encode, encode_path, {"infrared": infrared, "visible": visible}, encode.names)
    _write(_Clipped(decode), decode_path, {"conditioning": conditioning, **encoded}, ("fused",))


def _write(network: nn.Module, path: Path, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> None:
    """Trace a network into an ONNX file: all pictures and features with free size, all texts of any length."""
    axes: dict[str, dict[int, str]] = {}
    for name in (*inputs, *outputs):
        if name == "conditioning":
            axes[name] = {1: "tokens"} if inputs[name].ndim == 3 else {}
        elif name != "size":
            # Features have sizes of their own; the pictures share one.
            prefix = "" if name in (*_INPUTS, "fused") else f"{name}_"
            axes[name] = {2: f"{prefix}height", 3: f"{prefix}width"}
    with atomic_path(path) as part, warnings.catch_warnings():
        # The exporter that traces is the one whose graphs ONNX Runtime fuses best; its deprecation is known.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            str(part),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )


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
