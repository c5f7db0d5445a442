"""Run an ONNX graph in OpenVINO: in bfloat16 where the processor computes in it, for twice the pictures a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from numpy.typing import NDArray

AUTOMATIC = ""
"""The precision that is the quickest of what the processor has: ``bf16`` or ``f32``."""


class Named(NamedTuple):
    """An input or output."""

    name: str


def openvino_is_here() -> bool:
    """Whether the package is installed."""
    return find_spec("openvino") is not None


def precisions() -> tuple[str, ...]:
    """What the processor computes in, quickest first: ``bf16`` where it has instructions for it, then ``f32``."""
    capabilities = _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("bf16", "f32") if "BF16" in capabilities else ("f32",)


class OpenVinoGraph:
    """A graph with the methods of ``onnxruntime.InferenceSession`` that are used here; several threads may run it.

    Args:
        content: of the ONNX file.
        threads: CPU threads; all cores where 0.
        precision: one of :func:`precisions`, or :data:`AUTOMATIC`. In bfloat16 a fused picture differs from the one
            in float32 by a quarter of an 8-bit step in the mean.
    """

    def __init__(self, content: bytes, *, threads: int = 0, precision: str = AUTOMATIC) -> None:
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": precision or precisions()[0],
            "PERFORMANCE_HINT": "LATENCY",
        }
        core = _openvino().Core()
        model = core.read_model(content)
        # Asked before the graph is compiled, which adds names of its own.
        self._inputs, self._outputs = (
            [Named(port.any_name) for port in ports] for ports in (model.inputs, model.outputs)
        )
        self._graph = core.compile_model(model, "CPU", settings)
        self._requests = threading.local()

    def get_inputs(self) -> list[Named]:
        """The inputs in order."""
        return self._inputs

    def get_outputs(self) -> list[Named]:
        """The outputs in order."""
        return self._outputs

    def run(self, names: Sequence[str] | None, given: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs that are named, or all of them, of the given inputs."""
        # A request works on one thing at a time, so every thread has its own.
        if not hasattr(self._requests, "own"):
            self._requests.own = self._graph.create_infer_request()
        answers = self._requests.own.infer(dict(given))
        return [answers[name] for name in names or [output.name for output in self._outputs]]


def _openvino() -> Any:
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
