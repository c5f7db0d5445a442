"""Run a fusion network on pictures of any size: pad, tile, run, blend, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import ModelError
from lexifuse.models import Model
from lexifuse.pixels import from_float, to_float

WHOLE_PIXELS = 2_200_000
"""Pictures of up to this many pixels run in one piece (1920x1080 does)."""

TILE = 1280
"""Side of a tile in pixels, overlap included."""

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""Names a user can ask for, and ONNX Runtime's names for them."""


@dataclass(frozen=True)
class Tile:
    """A stretch of one axis: where it starts and ends, and the weight of each of its pixels in the blend."""

    start: int
    stop: int
    weights: NDArray[np.float32]


def split(length: int, tile: int, overlap: int, multiple: int) -> list[Tile]:
    """Cover an axis with overlapping tiles whose weights add up to 1 everywhere.

    Args:
        length: of the axis, a multiple of ``multiple``.
        tile: longest stretch.
        overlap: pixels at an inner end of a tile that are not trusted at all; as many again are blended.
        multiple: tiles start and end on multiples of this.
    """
    if length <= tile:
        return [Tile(0, length, np.ones(length, np.float32))]
    overlap = -(-overlap // multiple) * multiple
    blend = 2 * multiple
    step = (tile - 2 * overlap - blend) // multiple * multiple
    count = -(-(length - 2 * overlap - blend) // step)
    starts = [min(index * step, length - tile) for index in range(count)]
    edges = [starts[index + 1] + overlap for index in range(count - 1)]
    tiles = []
    for index, start in enumerate(starts):
        positions = np.arange(start, start + tile, dtype=np.float32) + 0.5
        weights = np.ones(tile, np.float32)
        # Differences of neighbouring ramps add up to 1 however close the ramps lie.
        if index > 0:
            weights = np.clip((positions - edges[index - 1]) / blend, 0.0, 1.0)
        if index < count - 1:
            weights = weights - np.clip((positions - edges[index]) / blend, 0.0, 1.0)
        tiles.append(Tile(start, start + tile, weights.astype(np.float32)))
    return tiles


class Network:
    """A model's network in ONNX Runtime, ready to run on pictures of any size.

    Args:
        model: whose ONNX file is loaded (and checked).
        threads: CPU threads; ONNX Runtime's choice where 0.
        provider: one of :data:`PROVIDERS`.

    Raises:
        ModelError: the file is damaged, or the provider is not in this installation of ONNX Runtime.
    """

    def __init__(self, model: Model, *, threads: int = 0, provider: str = "cpu") -> None:
        import onnxruntime

        wanted = PROVIDERS.get(provider)
        available = onnxruntime.get_available_providers()
        if wanted is None or wanted not in available:
            known = ", ".join(name for name, full in PROVIDERS.items() if full in available)
            raise ModelError(f"provider '{provider}' is not in this installation of ONNX Runtime: choose from {known}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Tiles differ in shape at the borders; remembering a memory plan per shape only costs memory.
        options.enable_mem_pattern = False
        providers = [wanted] if provider == "cpu" else [wanted, PROVIDERS["cpu"]]
        content = model.read()
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=providers)
        except Exception as error:  # ONNX Runtime's errors share no public base class.
            raise ModelError(f"model '{model.name}' cannot be run: {' '.join(str(error).split())}") from error
        self.card = model.card

    def run(
        self, infrared: NDArray[Any], visible: NDArray[Any], conditioning: NDArray[np.float32], *, tile: int = TILE
    ) -> NDArray[Any]:
        """Fuse one pair.

        Args:
            infrared: (H, W), uint8, uint16 or float32 0..1.
            visible: (H, W, 3) RGB or (H, W), likewise; may differ from the infrared in dtype.
            conditioning: (C,) float32.
            tile: side of the tiles that larger pictures are cut into, pixels.

        Returns:
            The fused picture in the shape and dtype of ``visible``.
        """
        height, width = visible.shape[:2]
        multiple = self.card.size_multiple
        padded = -(-height // multiple) * multiple, -(-width // multiple) * multiple
        whole = height * width <= WHOLE_PIXELS and tile == TILE
        rows = split(padded[0], padded[0] if whole else tile, self.card.overlap, multiple)
        columns = split(padded[1], padded[1] if whole else tile, self.card.overlap, multiple)
        fused = np.empty_like(visible)
        for start, stop, strip in self._strips(infrared, visible, conditioning, rows, columns):
            stop = min(stop, height)
            planes = strip[: stop - start, :width]
            fused[start:stop] = from_float(planes if visible.ndim == 3 else _luma(planes), visible.dtype)
        return fused

    def _strips(
        self,
        infrared: NDArray[Any],
        visible: NDArray[Any],
        conditioning: NDArray[np.float32],
        rows: list[Tile],
        columns: list[Tile],
    ) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
        """Finished strips from the top down: first row, end row, (rows, W, 3) float32. One strip is held at a time."""
        tail = np.zeros((0, columns[-1].stop, 3), np.float32)
        for index, row in enumerate(rows):
            strip = np.zeros((row.stop - row.start, columns[-1].stop, 3), np.float32)
            strip[: len(tail)] = tail
            for column in columns:
                weights = (row.weights[:, None] * column.weights)[..., None]
                piece = self._piece(infrared, visible, conditioning, row, column)
                strip[:, column.start : column.stop] += weights * piece
            end = rows[index + 1].start if index + 1 < len(rows) else row.stop
            yield row.start, end, strip[: end - row.start]
            tail = strip[end - row.start :].copy()

    def _piece(
        self, infrared: NDArray[Any], visible: NDArray[Any], conditioning: NDArray[np.float32], row: Tile, column: Tile
    ) -> NDArray[np.float32]:
        size = row.stop - row.start, column.stop - column.start
        area = np.s_[row.start : row.stop, column.start : column.stop]
        seen = to_float(visible[area])
        planes = np.repeat(seen[..., None], 3, axis=2) if seen.ndim == 2 else seen
        inputs = {
            "infrared": _padded(to_float(infrared[area])[..., None], size),
            "visible": _padded(planes, size),
            "conditioning": conditioning[None].astype(np.float32),
        }
        output: Any = self._session.run(None, inputs)[0]
        return output[0].transpose(1, 2, 0)


def _padded(planes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """(h, w, C) mirrored at the bottom and right up to ``size``, as (1, C, H, W)."""
    below, beside = size[0] - planes.shape[0], size[1] - planes.shape[1]
    if below or beside:
        planes = np.pad(planes, ((0, below), (0, beside), (0, 0)), mode="symmetric")
    return np.ascontiguousarray(planes.transpose(2, 0, 1)[None])


def _luma(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    return planes @ np.array([0.299, 0.587, 0.114], np.float32)
