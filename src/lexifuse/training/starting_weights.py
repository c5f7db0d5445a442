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
from lexifuse.training.export import write_graphs
from lexifuse.training.families import Family
from lexifuse.training.shrink import fold

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
        load_exported(find_model(start), family, network)


def load_exported(model: Model, family: Family, network: nn.Module) -> None:
    """Load the weights of an exported model into a network of the same shape.

    The export renames, transposes and reorders weights. A network whose weights are their own numbers, exported in the
    same way, tells where each of them went. Weights that were rounded to float16 come back rounded.

    Args:
        model: whose graphs hold all weights.
        family: of the network.
        network: whose weights are replaced.

    Raises:
        ModelError: the model is another network, or leaves weights out that only training needs.
    """
    count = sum(weight.numel() for weight in network.parameters())
    numbered = copy.deepcopy(network).eval()
    _fill(numbered, torch.arange(_FIRST, _FIRST + count, dtype=torch.float32))
    with tempfile.TemporaryDirectory() as folder:
        paths = write_graphs(family, numbered, Path(folder), "numbered")
        if model.card.training.get("weights") == "float16":
            for path in paths:
                fold(path)
        numbers = [array for path in paths for array in _constants(path.read_bytes())]
    values = [array for graph in model.graphs() for array in _constants(graph)]
    if [array.shape for array in numbers] != [array.shape for array in values]:
        raise ModelError(
            f"model '{model.name}' is another network than this one, or its graph does not hold all of it: "
            "start from a checkpoint, or afresh"
        )
    found = np.full(count, np.nan, np.float32)
    for places, array in zip(numbers, values, strict=True):
        # Float32 holds whole numbers up to 16 million; networks that ship have less than four million weights.
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
