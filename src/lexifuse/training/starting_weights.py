"""Weights to start from: those of a checkpoint, or of an exported model, found again in its ONNX file."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from lexifuse.errors import ModelError
from lexifuse.models import Model, find_model
from lexifuse.training.checkpoint import load_average
from lexifuse.training.export import to_onnx
from lexifuse.training.families import Family

_FIRST = 1024  # numbers from here on are those of weights: no constant of a graph is as large


def load_start(start: str | Path, family: Family, network: nn.Module) -> None:
    """Load the weights of a checkpoint, or of an exported model, into a network.

    Args:
        start: path of a checkpoint (``.safetensors``), or the name or folder of a model.
        family: of the network.
        network: whose weights are replaced.

    Raises:
        InputError: there is no such checkpoint.
        ModelError: there is no such model, or it is another network.
    """
    if Path(start).suffix == ".safetensors":
        load_average(Path(start), network)
    else:
        load_exported(find_model(start), network, family.example())


def load_exported(model: Model, network: nn.Module, conditioning: Tensor) -> None:
    """Load the weights of an exported model into a network of the same shape.

    The export renames, transposes and reorders weights. A network whose weights are their own numbers, exported in the
    same way, tells where each of them went.

    Args:
        model: in one graph, its weights not rounded.
        network: whose weights are replaced.
        conditioning: an example of what the network hears, (1, C).

    Raises:
        ModelError: the model is another network.
    """
    count = sum(weight.numel() for weight in network.parameters())
    numbered = copy.deepcopy(network)
    _fill(numbered, torch.arange(_FIRST, _FIRST + count, dtype=torch.float32))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbered.onnx"
        to_onnx(numbered, path, conditioning)
        numbers, values = _constants(path.read_bytes()), _constants(model.read())
    if [array.shape for array in numbers] != [array.shape for array in values]:
        raise ModelError(f"model '{model.name}' is another network than this one: start from another, or afresh")
    found = np.full(count, np.nan, np.float32)
    for places, array in zip(numbers, values, strict=True):
        # Float32 holds whole numbers up to 16 million; these networks have less than a million weights.
        if places.size and places.min() >= _FIRST:
            found[places.astype(np.int64) - _FIRST] = array
    if np.isnan(found).any():
        raise ModelError(f"model '{model.name}' does not hold all weights of this network: start from a checkpoint")
    _fill(network, torch.from_numpy(found))


def _fill(network: nn.Module, values: Tensor) -> None:
    weights = list(network.parameters())
    with torch.no_grad():
        for weight, part in zip(weights, values.split([weight.numel() for weight in weights]), strict=True):
            weight.copy_(part.view_as(weight))


def _constants(content: bytes) -> list[NDArray[np.float32]]:
    """The float constants of a graph, in order."""
    found = (numpy_helper.to_array(item) for item in onnx.load_from_string(content).graph.initializer)
    return [array.astype(np.float32) for array in found if array.dtype.kind == "f"]
