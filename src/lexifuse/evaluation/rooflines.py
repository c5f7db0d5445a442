"""What the machine can do at best: a dense convolution, a matrix product and a copy, each as something to time.

The two networks are a few bytes of ONNX written here, so that they run in the very engine that runs the model.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHANNELS = 64
"""Channels of the convolution, in and out."""

CONV_SIDE = (120, 160)
"""Height and width of its input."""

PRODUCT = 1024
"""Rows and columns of both matrices."""

COPY_BYTES = 128 * 2**20
"""Bytes that are copied at a time, more than any cache holds."""

_FLOAT, _INTS = 1, 7  # ONNX: type of the elements, type of the attribute
_ONNX_IR, _OPSET = 8, 13


@dataclass(frozen=True, eq=False)
class Roofline:
    """A piece of work whose speed is a limit for everything else.

    Attributes:
        name: ``convolution``, ``matrix product`` or ``copy``.
        work: 1e9 multiply-accumulates, or gigabytes read and written, per call.
        run: does it once.
    """

    name: str
    work: float
    run: Callable[[], object]


def rooflines(threads: int, session: Callable[[bytes, int], Any]) -> list[Roofline]:
    """The three pieces of work on so many threads.

    Args:
        threads: CPU threads.
        session: (ONNX bytes, threads) -> ONNX Runtime session.
    """
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((CHANNELS, CHANNELS, 3, 3), np.float32)
    picture = rng.standard_normal((1, CHANNELS, *CONV_SIDE), np.float32)
    matrix = rng.standard_normal((PRODUCT, PRODUCT), np.float32)
    convolution = session(one_node("Conv", kernel, picture.ndim, pads=(1, 1, 1, 1)), threads)
    product = session(one_node("MatMul", matrix, matrix.ndim), threads)
    return [
        Roofline(
            "convolution",
            kernel.size * CONV_SIDE[0] * CONV_SIDE[1] / 1e9,
            lambda: convolution.run(None, {"x": picture}),
        ),
        Roofline("matrix product", PRODUCT**3 / 1e9, lambda: product.run(None, {"x": matrix})),
        _copy(threads),
    ]


def one_node(operator: str, weights: NDArray[np.float32], rank: int, pads: tuple[int, ...] = ()) -> bytes:
    """An ONNX file with one operator that takes ``x`` and constant weights, and gives ``y``.

    Args:
        operator: its ONNX name.
        weights: its second input.
        rank: dimensions of ``x``, all of free size.
        pads: the attribute of that name, left out when empty.
    """
    attribute = b""
    if pads:
        attribute = _part(5, _part(1, b"pads") + b"".join(_number(8, pad) for pad in pads) + _number(20, _INTS))
    node = _part(1, b"x") + _part(1, b"w") + _part(2, b"y") + _part(4, operator.encode()) + attribute
    tensor = b"".join(_number(1, side) for side in weights.shape) + _number(2, _FLOAT) + _part(8, b"w")
    tensor += _part(9, np.ascontiguousarray(weights, "<f4").tobytes())
    shape = _part(2, b"".join(_part(1, _part(2, f"d{axis}".encode())) for axis in range(rank)))
    graph = _part(1, node) + _part(2, b"roofline") + _part(5, tensor)
    for field, name in ((11, b"x"), (12, b"y")):
        shaped = shape if name == b"x" else b""
        graph += _part(field, _part(1, name) + _part(2, _part(1, _number(1, _FLOAT) + shaped)))
    return _number(1, _ONNX_IR) + _part(7, graph) + _part(8, _number(2, _OPSET))


def _copy(threads: int) -> Roofline:
    source = np.ones(COPY_BYTES // 4, np.float32)
    target = np.empty_like(source)
    pieces = np.array_split(np.arange(source.size), threads)
    spans = [slice(int(piece[0]), int(piece[-1]) + 1) for piece in pieces]
    pool = ThreadPoolExecutor(threads)  # numpy lets go of the interpreter while it copies

    def run() -> None:
        for _ in pool.map(lambda span: np.copyto(target[span], source[span]), spans):
            pass

    return Roofline("copy", 2 * COPY_BYTES / 1e9, run)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _number(field: int, value: int) -> bytes:
    """A protocol-buffers field that holds an integer."""
    return _varint(field << 3) + _varint(value)


def _part(field: int, content: bytes) -> bytes:
    """A protocol-buffers field that holds bytes, text or a message."""
    return _varint(field << 3 | 2) + _varint(len(content)) + content
