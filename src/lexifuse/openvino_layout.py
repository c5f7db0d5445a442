"""Rewrite a graph for OpenVINO: channels first, for it plans its own layout, and the sources apart from the network.

Exported networks join features with their channels last, and put squares of pixels together by transposing: ONNX
Runtime is quickest so. OpenVINO carries such transpositions out one by one, in a third of its time, and has a kernel
for depth-to-space. What is computed is the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

FEATURES = "features"
"""What the network knows of the pixels, where a graph is cut in two."""

_SOURCES = "/network/sources/"  # what `WeightedSources` is exported as
_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_ROWS_OF_DOUBLING, _ROWS_OF_INTERLEAVE = [0, 1, 3, 2, 4], [0, 1, 3, 4, 2, 5]
_ELEMENTWISE = {"Add": "add", "Multiply": "multiply", "PRelu": "prelu"}


def channels_first(openvino: Any, model: Any) -> None:
    """Rewrite a model in place: what is computed with the channels last is then computed with the channels first.

    Args:
        openvino: the package.
        model: an ``openvino.Model``. What is not known here is left as it is.
    """
    operators = openvino.opset13
    first: dict[str, Any] = {}  # name of a node -> its values with the channels first
    for node in model.get_ordered_ops():
        order, before = _order(node), _name(node, 0)
        if order == _TO_LAST:
            first[node.get_friendly_name()] = node.input_value(0)
        elif order == _TO_FIRST and before in first:
            node.output(0).replace(first[before])
        elif order == _ROWS_OF_DOUBLING and (last := _through(node, "Reshape")):
            given = first.get(_name(node.input_value(0).get_node(), 0))
            if given:
                first[last.get_friendly_name()] = operators.depth_to_space(given, "blocks_first", 2).output(0)
        elif order == _ROWS_OF_INTERLEAVE and (last := _through(node, "Reshape", "Transpose", "Reshape")):
            squares = node.input_value(0).get_node().input_value(0)
            last.output(0).replace(operators.depth_to_space(squares, "depth_first", 2).output(0))
        elif (kind := _ELEMENTWISE.get(node.get_type_name())) and (
            values := _with_channels_first(operators, node, first)
        ):
            first[node.get_friendly_name()] = getattr(operators, kind)(*values).output(0)
    model.validate_nodes_and_infer_types()


def apart(openvino: Any, model: Any) -> tuple[Any, ...]:
    """Cut a model in two, before the convolution that says under which weights pictures are put together.

    Args:
        openvino: the package.
        model: an ``openvino.Model``, which is not to be used any more.

    Returns:
        The network, whose output is :data:`FEATURES`, and the rest, which takes these beside the pictures; or the model
        alone, where it is made in another way.
    """
    nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    last = nodes.get(f"{_SOURCES}Split")
    while last is not None and last.get_type_name() != "Convolution":
        last = last.input_value(0).get_node() if last.get_input_size() else None
    if last is None:
        return (model,)
    features = last.input_value(0)
    inputs = {port.any_name: port.get_node() for port in model.inputs}
    given = openvino.opset13.parameter(features.get_partial_shape(), features.get_element_type(), name=FEATURES)
    last.input(0).replace_source_output(given.output(0))
    rest = openvino.Model(model.get_results(), [inputs["infrared"], inputs["visible"], given])
    return openvino.Model([openvino.opset13.result(features)], list(inputs.values())), rest


def _name(node: Any, index: int) -> str:
    """Of what a node takes; empty where it takes less."""
    return node.input_value(index).get_node().get_friendly_name() if index < node.get_input_size() else ""


def _order(node: Any) -> list[int] | None:
    """The order of axes of a transposition, where it is known."""
    if node.get_type_name() != "Transpose":
        return None
    order = node.input_value(1).get_node()
    return [int(axis) for axis in order.get_vector()] if order.get_type_name() == "Constant" else None


def _through(node: Any, *kinds: str) -> Any:
    """The last of the nodes of these kinds that alone use each other's values after a node; None where others do.

    A node that is of no kind but asks for a shape does not count.
    """
    for kind in kinds:
        users = [port.get_node() for port in node.output(0).get_target_inputs()]
        users = [user for user in users if user.get_type_name() != "ShapeOf"]
        if [user.get_type_name() for user in users] != [kind]:
            return None
        (node,) = users
    return node


def _with_channels_first(operators: Any, node: Any, first: Mapping[str, Any]) -> list[Any] | None:
    """What an elementwise node takes, with the channels first; None where that is not needed or not known."""
    values = node.input_values()
    known = [first.get(value.get_node().get_friendly_name()) for value in values]
    if not any(known):
        return None
    moved = []
    for value, here in zip(values, known, strict=True):
        shape = value.get_partial_shape()
        if here:
            moved.append(here)
        elif shape.rank.get_length() == len(_TO_FIRST):
            moved.append(operators.transpose(value, operators.constant(_TO_FIRST)).output(0))
        elif shape.is_static and math.prod(shape.to_shape()) == 1:
            moved.append(value)
        else:
            return None
    return moved
