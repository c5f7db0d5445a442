"""Ways to run a model's network, each as something to time: the whole fusion, ONNX Runtime alone, OpenVINO."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.fuser import Fuser, load
from lexifuse.models import Model
from lexifuse.pair import ImagePair
from lexifuse.runtime import WHOLE_PIXELS

WHOLE = "lexifuse"
"""The label of the whole fusion: to floats, pad or tile, run, blend, and back to 8 bits."""

ORT = "ONNX Runtime"


@dataclass(frozen=True, eq=False)
class Engine:
    """A loaded network.

    Attributes:
        label: its name in tables.
        threads: CPU threads.
        prepare: (width, height) -> what is timed, or None where the engine cannot take that size.
    """

    label: str
    threads: int
    prepare: Callable[[int, int], Callable[[], object] | None]


def engines(name: str, threads: int, seed: int) -> list[Engine]:
    """All engines that are installed, for one model and one number of threads.

    Args:
        name: of the model, or its folder.
        threads: CPU threads.
        seed: of the pictures.
    """
    fuser = load(name, threads=threads)
    inputs = _Inputs(fuser, seed)
    session = ort_session(fuser.model.read(), threads)

    def whole(width: int, height: int) -> Callable[[], object]:
        pair = picture_pair(width, height, seed)
        return lambda: fuser.fuse_pair(pair)

    def network(width: int, height: int) -> Callable[[], object] | None:
        feed = inputs.make(width, height)
        return None if feed is None else lambda: session.run(None, feed)

    found = [Engine(WHOLE, threads, whole), Engine(ORT, threads, network)]
    if importlib.util.find_spec("openvino"):
        found += _openvino_engines(fuser.model, threads, inputs)
    return found


def picture_pair(width: int, height: int, seed: int) -> ImagePair:
    """A pair of random 8-bit pictures (no network here takes longer for one picture than for another)."""
    rng = np.random.default_rng(seed)
    infrared = rng.integers(0, 256, (height, width), np.uint8)
    return ImagePair(infrared, rng.integers(0, 256, (height, width, 3), np.uint8))


def ort_session(content: bytes, threads: int, profile: str = "") -> Any:
    """An ONNX Runtime session on the CPU; ``profile`` is the beginning of a profile's file name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def traffic(name: str, width: int, height: int) -> float:
    """Gigabytes that the network's operators read and write for one pair, by ONNX Runtime's own profile.

    Every operator counts its inputs, weights and outputs; what two operators find in a cache counts all the same.
    """
    fuser = load(name)
    feed = _Inputs(fuser, 0).make(width, height)
    if feed is None:
        return 0.0
    with tempfile.TemporaryDirectory() as folder:
        session = ort_session(fuser.model.read(), 0, str(Path(folder) / "profile"))
        session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    sizes = ("activation_size", "parameter_size", "output_size")
    return sum(float(event["args"].get(size, 0)) for event in events if "args" in event for size in sizes) / 1e9


class _Inputs:
    """What the network itself takes, for sizes that the fusion runs in one piece."""

    def __init__(self, fuser: Fuser, seed: int) -> None:
        self.fuser = fuser
        self.seed = seed

    def make(self, width: int, height: int) -> dict[str, NDArray[np.float32]] | None:
        """Padded input of random pictures, or None where the fusion would tile."""
        if width * height > WHOLE_PIXELS:
            return None
        multiple = self.fuser.model.card.size_multiple
        size = -(-height // multiple) * multiple, -(-width // multiple) * multiple
        rng = np.random.default_rng(self.seed)
        return {
            "infrared": rng.random((1, 1, *size), np.float32),
            "visible": rng.random((1, 3, *size), np.float32),
            "conditioning": np.zeros((1, len(self.fuser.model.card.conditioning_fields)), np.float32),
        }


def _openvino_engines(model: Model, threads: int, inputs: _Inputs) -> list[Engine]:
    """OpenVINO in float32, and in bfloat16 where the processor has it."""
    import openvino  # pyright: ignore[reportMissingImports]

    core = openvino.Core()
    network = core.read_model(model.path)
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    precisions = ["f32", *(["bf16"] if "BF16" in capabilities else [])]

    def engine(precision: str) -> Engine:
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = core.compile_model(network, "CPU", settings)

        def prepare(width: int, height: int) -> Callable[[], object] | None:
            feed = inputs.make(width, height)
            request = compiled.create_infer_request()
            return None if feed is None else lambda: request.infer(feed)

        return Engine(f"OpenVINO {precision}", threads, prepare)

    return [engine(precision) for precision in precisions]
