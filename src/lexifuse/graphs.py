"""Open an ONNX graph in ONNX Runtime, in the same way for every network here."""

from __future__ import annotations

from typing import Any

from lexifuse.errors import ModelError

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""Names a user can ask for, and ONNX Runtime's names for them."""

_LONGEST = 300  # characters of what ONNX Runtime says of a graph that it cannot run


def open_graph(content: bytes, named: str, *, threads: int = 0, provider: str = "cpu", profile: str = "") -> Any:
    """An ``onnxruntime.InferenceSession``.

    Args:
        content: of the ONNX file.
        named: how messages call the network.
        threads: CPU threads; all cores where 0.
        provider: one of :data:`PROVIDERS`; what it cannot do, the CPU does.
        profile: beginning of a profile's file name; no profile where empty.

    Raises:
        ModelError: the graph cannot be run, or the provider is not in this installation of ONNX Runtime.
    """
    import onnxruntime

    wanted, available = PROVIDERS.get(provider), onnxruntime.get_available_providers()
    if wanted is None or wanted not in available:
        known = ", ".join(name for name, full in PROVIDERS.items() if full in available)
        raise ModelError(f"provider '{provider}' is not in this installation of ONNX Runtime: choose from {known}")
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
    providers = list(dict.fromkeys((wanted, PROVIDERS["cpu"])))
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors share no public base class.
        raise ModelError(f"{named} cannot be run: {' '.join(str(error).split())[:_LONGEST]}") from error
