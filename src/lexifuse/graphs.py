"""Open an ONNX graph, in ONNX Runtime or OpenVINO, in the same way for every network here."""

from __future__ import annotations

from typing import Any

from lexifuse.errors import ModelError
from lexifuse.openvino_graphs import OpenVinoGraph, openvino_is_here

OPENVINO = "openvino"
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    OPENVINO: "",
}
"""Names a user can ask for, and ONNX Runtime's names for them; OpenVINO runs by itself."""

_LONGEST = 300  # characters of what ONNX Runtime says of a graph that it cannot run


def open_graph(content: bytes, named: str, *, threads: int = 0, provider: str = "cpu", profile: str = "") -> Any:
    """An ``onnxruntime.InferenceSession``, or what stands for one in OpenVINO.

    Args:
        content: of the ONNX file.
        named: how messages call the network.
        threads: CPU threads; all cores where 0.
        provider: one of :data:`PROVIDERS`; what it cannot do, the CPU does.
        profile: beginning of a profile's file name; no profile where empty.

    Raises:
        ModelError: the graph cannot be run, or the provider is not installed.
    """
    import onnxruntime

    available = [name for name, full in PROVIDERS.items() if full in onnxruntime.get_available_providers()]
    available += [OPENVINO] if openvino_is_here() else []
    if provider not in available:
        advice = " (pip install 'lexifuse[openvino]')" if provider == OPENVINO else ""
        raise ModelError(f"provider '{provider}' is not installed{advice}: choose from {', '.join(available)}")
    try:
        if provider == OPENVINO:
            return OpenVinoGraph(content, threads=threads)
        return _session(content, threads, PROVIDERS[provider], profile)
    except Exception as error:  # Neither ONNX Runtime's errors nor OpenVINO's share a public base class.
        raise ModelError(f"{named} cannot be run: {' '.join(str(error).split())[:_LONGEST]}") from error


def _session(content: bytes, threads: int, provider: str, profile: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Tiles differ in shape at the borders; remembering a memory plan per shape only costs memory.
    options.enable_mem_pattern = False
    # Threads are not to wait busily while something else works: another half, the reader of pixels, a detector.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    providers = list(dict.fromkeys((provider, PROVIDERS["cpu"])))
    return onnxruntime.InferenceSession(content, options, providers=providers)
