"""Run a fusion network on pictures of any size: pad, tile, run, blend, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.graphs import open_graph
from lexifuse.models import Model
from lexifuse.pixels import from_float, to_float

WHOLE_PIXELS = 2_200_000
"""Pictures of up to this many pixels run in one piece (1920x1080 does)."""

TILE = 1472
"""Side of a tile in pixels, overlap included: nearly as many as run in one piece, since margins are computed twice."""


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


@dataclass(frozen=True, eq=False)
class Encoded:
    """A pair as a network keeps it until it hears what is asked.

    Attributes:
        arrays: the features that the network makes of the pictures; the pictures themselves, (1, C, H, W), where the
            network does not work in two halves.
        shape: of the visible picture.
        dtype: likewise.
    """

    arrays: Mapping[str, NDArray[Any]]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Network:
    """A model's network in ONNX Runtime, ready to run on pictures of any size.

    Args:
        model: whose ONNX files are loaded (and checked).
        threads: CPU threads; ONNX Runtime's choice where 0.
        provider: one of :data:`lexifuse.graphs.PROVIDERS`.

    Raises:
        ModelError: the file is damaged, or the provider is not in this installation of ONNX Runtime.
    """

    def __init__(self, model: Model, *, threads: int = 0, provider: str = "cpu") -> None:
        named = f"model '{model.name}'"
        graphs = [open_graph(content, named, threads=threads, provider=provider) for content in model.graphs()]
        self._encoder, self._decoder = graphs[0] if len(graphs) > 1 else None, graphs[-1]
        self.card = model.card

    def runs_whole(self, visible: NDArray[Any]) -> bool:
        """Whether a picture is small enough to run in one piece, and so to be encoded."""
        return visible.shape[0] * visible.shape[1] <= WHOLE_PIXELS

    def encode(self, infrared: NDArray[Any], visible: NDArray[Any]) -> Encoded:
        """All of the work that does not depend on what is asked; for pictures that run whole.

        Args:
            infrared: (H, W), uint8, uint16 or float32 0..1.
            visible: (H, W, 3) RGB or (H, W), likewise; may differ from the infrared in dtype.
        """
        height, width = (-(-side // self.card.size_multiple) * self.card.size_multiple for side in visible.shape[:2])
        arrays = self._encode(infrared, visible, (height, width))
        return Encoded(arrays, visible.shape, visible.dtype)

    def decode(self, encoded: Encoded, conditioning: NDArray[np.float32]) -> NDArray[Any]:
        """The fused picture of an encoded pair, in the shape and dtype of its visible picture.

        Args:
            encoded: from :meth:`encode`; it can be decoded as often as wanted.
            conditioning: (C,) or (T, D) float32, as the model's card says.
        """
        height, width = encoded.shape[:2]
        planes = self._decode(encoded.arrays, conditioning)[:, :height, :width]
        return _like(planes, encoded.shape, encoded.dtype)

    def run(
        self, infrared: NDArray[Any], visible: NDArray[Any], conditioning: NDArray[np.float32], *, tile: int = TILE
    ) -> NDArray[Any]:
        """Fuse one pair.

        Args:
            infrared: (H, W), uint8, uint16 or float32 0..1.
            visible: (H, W, 3) RGB or (H, W), likewise; may differ from the infrared in dtype.
            conditioning: (C,) or (T, D) float32, as the model's card says.
            tile: side of the tiles that larger pictures are cut into, pixels.

        Returns:
            The fused picture in the shape and dtype of ``visible``.
        """
        if self.runs_whole(visible) and tile == TILE:
            return self.decode(self.encode(infrared, visible), conditioning)
        height, width = visible.shape[:2]
        multiple = self.card.size_multiple
        rows = split(-(-height // multiple) * multiple, tile, self.card.overlap, multiple)
        columns = split(-(-width // multiple) * multiple, tile, self.card.overlap, multiple)
        fused = np.empty_like(visible)
        for start, stop, strip in self._strips(infrared, visible, conditioning, rows, columns):
            stop = min(stop, height)
            planes = strip[:, : stop - start, :width]
            fused[start:stop] = _like(planes, visible.shape, visible.dtype)
        return fused

    def _strips(
        self,
        infrared: NDArray[Any],
        visible: NDArray[Any],
        conditioning: NDArray[np.float32],
        rows: list[Tile],
        columns: list[Tile],
    ) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
        """Finished strips from the top down: first row, end row, (3, rows, W) float32. One strip is held at a time."""
        tail = np.zeros((3, 0, columns[-1].stop), np.float32)
        for index, row in enumerate(rows):
            strip = np.zeros((3, row.stop - row.start, columns[-1].stop), np.float32)
            strip[:, : tail.shape[1]] = tail
            for column in columns:
                weights = row.weights[:, None] * column.weights
                piece = self._piece(infrared, visible, conditioning, row, column)
                strip[..., column.start : column.stop] += weights * piece
            end = rows[index + 1].start if index + 1 < len(rows) else row.stop
            yield row.start, end, strip[:, : end - row.start]
            tail = strip[:, end - row.start :].copy()

    def _piece(
        self, infrared: NDArray[Any], visible: NDArray[Any], conditioning: NDArray[np.float32], row: Tile, column: Tile
    ) -> NDArray[np.float32]:
        size = row.stop - row.start, column.stop - column.start
        area = np.s_[row.start : row.stop, column.start : column.stop]
        return self._decode(self._encode(infrared[area], visible[area], size), conditioning)

    def _encode(
        self, infrared: NDArray[Any], visible: NDArray[Any], size: tuple[int, int]
    ) -> Mapping[str, NDArray[Any]]:
        seen = to_float(visible)
        planes = np.repeat(seen[..., None], 3, axis=2) if seen.ndim == 2 else seen
        pictures = {"infrared": _padded(to_float(infrared)[..., None], size), "visible": _padded(planes, size)}
        return pictures if self._encoder is None else ask_graph(self._encoder, pictures)

    def _decode(self, arrays: Mapping[str, NDArray[Any]], conditioning: NDArray[np.float32]) -> NDArray[np.float32]:
        """The answer as (3, H, W)."""
        given = {**arrays, "conditioning": conditioning[None].astype(np.float32)}
        (fused,) = ask_graph(self._decoder, given).values()
        return fused[0]


def ask_graph(session: Any, given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Run a session of ONNX Runtime on what it takes of the given arrays; all its answers by name."""
    inputs = {item.name: given[item.name] for item in session.get_inputs()}
    names = [item.name for item in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def _padded(planes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """(h, w, C) mirrored at the bottom and right up to ``size``, as (1, C, H, W)."""
    below, beside = size[0] - planes.shape[0], size[1] - planes.shape[1]
    if below or beside:
        planes = np.pad(planes, ((0, below), (0, beside), (0, 0)), mode="symmetric")
    return np.ascontiguousarray(planes.transpose(2, 0, 1)[None])


def _like(planes: NDArray[np.float32], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """(3, h, w) floats as the visible picture has them: in its depth, and grey where it is grey."""
    if len(shape) == 2:
        return from_float(0.299 * planes[0] + 0.587 * planes[1] + 0.114 * planes[2], dtype)
    import cv2

    # Small numbers are quicker to interleave than floats.
    return cv2.merge(list(from_float(planes, dtype)))
