"""Make an ONNX file small: fold what is constant, shorten names, store the weights as float16."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import GraphProto, TensorProto, helper, numpy_helper

from lexifuse.files import atomic_path

_SMALLEST = 256
"""Weights with fewer numbers (biases, norms, temperatures) stay float32: they hardly count for the size."""


def shrink(path: Path) -> None:
    """Rewrite an ONNX file in place at about half its size; inputs and outputs stay what they were.

    Each large weight becomes float16 with a cast to float32 behind it. ONNX Runtime carries the casts out once, when it
    loads the file, so that speed and precision of the computation stay what they were: all that is lost is the rounding
    of the weights, at most 2 ** -11 of each.
    """
    fold(path)
    with atomic_path(path) as part:
        model = onnx.load(path)
        _store_half(model.graph)
        _rename(model.graph)
        model.graph.ClearField("value_info")
        used = [item for item in model.opset_import if item.domain in {node.domain for node in model.graph.node}]
        del model.opset_import[:]
        model.opset_import.extend(used)
        onnx.save(model, part)


def fold(path: Path) -> None:
    """Compute what is constant, in place; ONNX Runtime's basic optimisations keep to the operators of the standard."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with atomic_path(path) as part:
        options.optimized_model_filepath = str(part)
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _store_half(graph: GraphProto) -> None:
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type == TensorProto.FLOAT and values.size >= _SMALLEST:
            stored = f"{weight.name}_half"
            casts.append(helper.make_node("Cast", [stored], [weight.name], to=TensorProto.FLOAT))
            weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _rename(graph: GraphProto) -> None:
    """Number all tensors but the inputs and outputs: the names of thousands of nodes weigh as much as many weights."""
    names = {item.name: item.name for item in (*graph.input, *graph.output)} | {"": ""}
    numbers = count()

    def short(name: str) -> str:
        return names.setdefault(name, f"t{next(numbers):x}")

    for weight in graph.initializer:
        weight.name = short(weight.name)
    for node in graph.node:
        node.name = ""
        node.input[:] = [short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]
