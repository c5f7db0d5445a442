"""Run an ONNX graph in OpenVINO: in bfloat16 where the processor computes in it, for twice the pictures a second."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from numpy.typing import NDArray

from lexifuse.openvino_layout import FEATURES, apart, channels_first

BFLOAT16, FLOAT32 = "bf16", "f32"

KEPT = 3
"""Sizes of pictures that a graph is kept ready for, 1280x1024 in about 270 MiB of memory by the default model.

A camera has one, so have the tiles of a large picture; the page that shows a preview first has two.
"""

AUTOMATIC = ""
"""The precision that is the quickest of what the processor has: ``bf16`` or ``f32``."""


_Shapes = tuple[tuple[str, tuple[int, ...]], ...]


class Named(NamedTuple):
    """An input or output."""

    name: str


def openvino_is_here() -> bool:
    """Whether the package is installed."""
    return find_spec("openvino") is not None


def precisions() -> tuple[str, ...]:
    """What the processor computes in, quickest first: ``bf16`` where it has instructions for it, then ``f32``."""
    capabilities = openvino_package().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return (BFLOAT16, FLOAT32) if "BF16" in capabilities else (FLOAT32,)


class OpenVinoGraph:
    """A graph with the methods of ``onnxruntime.InferenceSession`` that are used here; several threads may run it.

    It is made ready anew for every size of pictures, and the last few are kept: a camera's never changes, and OpenVINO
    is a quarter quicker where it knows the size.

    Args:
        content: of the ONNX file.
        threads: CPU threads; all cores where 0.
        precision: one of :func:`precisions`, or :data:`AUTOMATIC`. In bfloat16 a network is rounded, and neither
            the weights that it gives the pixels of its sources nor the pictures themselves are.
    """

    def __init__(self, content: bytes, *, threads: int = 0, precision: str = AUTOMATIC) -> None:
        self._openvino = openvino_package()
        self._core = self._openvino.Core()
        self._content = content
        self._settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        self._precision = precision or precisions()[0]
        model = self._core.read_model(content)
        self._inputs, self._outputs = (
            [Named(port.any_name) for port in ports] for ports in (model.inputs, model.outputs)
        )
        self._lock = threading.Lock()
        self._ready: OrderedDict[_Shapes, list[_Stage]] = OrderedDict()

    def get_inputs(self) -> list[Named]:
        """The inputs in order."""
        return self._inputs

    def get_outputs(self) -> list[Named]:
        """The outputs in order."""
        return self._outputs

    def run(self, names: Sequence[str] | None, given: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs that are named, or all of them, of the given inputs."""
        known = dict(given)
        for stage in self._stages(tuple((port.name, known[port.name].shape) for port in self._inputs)):
            known.update(stage.run(known))
        return [known[name] for name in names or [output.name for output in self._outputs]]

    def _stages(self, shapes: _Shapes) -> list[_Stage]:
        """The graph for inputs of these shapes, in one part or more."""
        with self._lock:
            stages = self._ready.pop(shapes, None) or self._prepare(dict(shapes))
            self._ready[shapes] = stages
            while len(self._ready) > KEPT:
                self._ready.popitem(last=False)
            return stages

    def _prepare(self, shapes: Mapping[str, tuple[int, ...]]) -> list[_Stage]:
        model = self._core.read_model(self._content)
        model.reshape({name: list(shape) for name, shape in shapes.items()})
        channels_first(self._openvino, model)
        *rounded, exact = apart(self._openvino, model) if self._precision == BFLOAT16 else (model,)
        last = self._stage(exact, FLOAT32 if rounded else self._precision, [output.name for output in self._outputs])
        return [*(self._stage(part, BFLOAT16, [FEATURES]) for part in rounded), last]

    def _stage(self, part: Any, precision: str, outputs: list[str]) -> _Stage:
        settings = {**self._settings, "INFERENCE_PRECISION_HINT": precision}
        # Asked before the part is compiled, which adds names of its own.
        inputs = [node.get_friendly_name() for node in part.get_parameters()]
        return _Stage(self._core.compile_model(part, "CPU", settings), inputs, outputs)


class _Stage:
    """A part of a graph, compiled."""

    def __init__(self, compiled: Any, inputs: list[str], outputs: list[str]) -> None:
        self._compiled = compiled
        self._inputs = inputs
        self._outputs = outputs
        self._requests = threading.local()

    def run(self, known: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Its answers by name, of what it takes of the given arrays."""
        # A request works on one thing at a time, so every thread has its own.
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        answers = self._requests.own.infer([known[name] for name in self._inputs], share_inputs=True)
        return dict(zip(self._outputs, answers.values(), strict=True))


def openvino_package() -> Any:
    """The package, which on being imported reports its use over the network wherever its telemetry can be imported.

    Pictures and what is done with them are nobody else's business.
    """
    hidden = "openvino_telemetry" not in sys.modules
    if hidden:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        import openvino  # pyright: ignore[reportMissingImports]
    finally:
        if hidden:
            del sys.modules["openvino_telemetry"]
    return openvino
