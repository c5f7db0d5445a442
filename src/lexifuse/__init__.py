"""Text-guided fusion of infrared and visible images.

>>> import lexifuse
>>> result = lexifuse.fuse("ir.png", "visible.png", "the visible image is dark")  # doctest: +SKIP
>>> result.save("fused.png")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lexifuse.errors import LexifuseError
    from lexifuse.fuser import Fuser, FusionResult, fuse, load
    from lexifuse.instruction import Instruction
    from lexifuse.language import Reading, read_prompt
    from lexifuse.pair import ImagePair, read_image, read_pair, write_image

# ONNX Runtime from 1.29 on sends telemetry unless this is set before it is loaded. Pictures and what is done with them
# are nobody else's business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

# Names are resolved on first use: `import lexifuse` and `lexifuse --help` stay instant.
_HOMES = {
    "Fuser": "fuser",
    "FusionResult": "fuser",
    "ImagePair": "pair",
    "Instruction": "instruction",
    "LexifuseError": "errors",
    "Reading": "language",
    "fuse": "fuser",
    "load": "fuser",
    "read_image": "pair",
    "read_pair": "pair",
    "read_prompt": "language",
    "write_image": "pair",
}

__all__ = [
    "Fuser",
    "FusionResult",
    "ImagePair",
    "Instruction",
    "LexifuseError",
    "Reading",
    "__version__",
    "fuse",
    "load",
    "read_image",
    "read_pair",
    "read_prompt",
    "write_image",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lexifuse' has no attribute '{name}'")
    return getattr(import_module(f"lexifuse.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
