"""The training wing: the only part of lexifuse that knows torch. Install it with ``pip install 'lexifuse[train]'``."""

from __future__ import annotations

from importlib.util import find_spec

from lexifuse.errors import MissingExtraError


def require() -> None:
    """Raise :class:`MissingExtraError`, which names the mend, where the training packages are not installed."""
    if any(
        find_spec(name) is None for name in ("torch", "lightning_fabric", "safetensors", "pydantic", "yaml", "onnx")
    ):
        raise MissingExtraError("training", "train")
