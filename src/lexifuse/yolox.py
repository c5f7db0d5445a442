"""YOLOX detectors trained on COCO, from a file the user has: pseudo-labels, and a judge that nobody tuned to fusion.

Nothing of YOLOX (arXiv 2107.08430) is in this package: only the arithmetic that its ONNX files leave to the caller.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lexifuse.boxes import Detection, suppress
from lexifuse.detect import Detector, load_detector
from lexifuse.errors import ModelError
from lexifuse.graphs import open_graph
from lexifuse.models import CARD
from lexifuse.pixels import change_depth

_COCO = {"person": (0,), "vehicle": (2, 3, 5, 7)}
"""Class of ours to COCO's class numbers: person; car, motorcycle, bus, truck."""

_STRIDES = (8, 16, 32)
_GREY = 114
_THRESHOLD = 0.3
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


class YoloxDetector:
    """A YOLOX network as its authors' 0.1.0 release takes it: RGB in 0..1, ImageNet mean and deviation, letterbox.

    Args:
        path: its ONNX file: one input (1, 3, S, S), one output (1, N, 85).
        threads: CPU threads; all cores where 0.
        overlap: boxes of one class that overlap more than this are duplicates.

    Raises:
        ModelError: the file is missing, or is no such network.
    """

    def __init__(self, path: Path, *, threads: int = 0, overlap: float = 0.6) -> None:
        if not path.is_file():
            raise ModelError(f"there is no detector {path}: give the ONNX file of a YOLOX network")
        content = path.read_bytes()
        self._session = open_graph(content, str(path), threads=threads)
        shape, answer = self._session.get_inputs()[0].shape, self._session.get_outputs()[0].shape
        if len(shape) != 4 or not isinstance(shape[2], int) or shape[2] != shape[3] or answer[-1] != 85:
            raise ModelError(f"{path} is not a YOLOX network of COCO (input {shape}, output {answer})")
        self.name = path.stem
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.side = int(shape[2])
        self.overlap = overlap
        self._centres, self._strides = _grid(self.side)

    def detect(self, image: NDArray[Any], threshold: float | None = None) -> list[Detection]:
        """Find people and vehicles.

        Args:
            image: (H, W, 3) RGB or (H, W); uint8, uint16 or float32 in 0..1.
            threshold: least score; 0.3 where None.

        Returns:
            The detections, by descending score.
        """
        least = _THRESHOLD if threshold is None else threshold
        height, width = image.shape[:2]
        scale = min(self.side / height, self.side / width)
        inputs = {self._session.get_inputs()[0].name: self._letterbox(image, scale)}
        found: NDArray[Any] = np.asarray(self._session.run(None, inputs)[0])[0]
        middle = (found[:, :2] + self._centres) * self._strides
        half = np.exp(found[:, 2:4]) * self._strides / 2
        boxes = np.concatenate([middle - half, middle + half], 1) / scale
        boxes = np.clip(boxes, 0, [width, height, width, height])
        detections = []
        for label, numbers in _COCO.items():
            scores = found[:, 4] * found[:, [5 + number for number in numbers]].max(1)
            for index in np.flatnonzero(scores >= least):
                x0, y0, x1, y1 = (float(value) for value in boxes[index])
                detections.append(Detection((x0, y0, x1, y1), label, float(scores[index])))
        return suppress(detections, self.overlap)

    def _letterbox(self, image: NDArray[Any], scale: float) -> NDArray[np.float32]:
        planes = change_depth(image, np.uint8)
        planes = cv2.cvtColor(planes, cv2.COLOR_GRAY2RGB) if planes.ndim == 2 else planes
        size = max(1, round(planes.shape[1] * scale)), max(1, round(planes.shape[0] * scale))
        method = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
        canvas = np.full((self.side, self.side, 3), _GREY, np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(planes, size, interpolation=method)
        normal = np.asarray((canvas.astype(np.float32) / 255 - _MEAN) / _DEVIATION, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


def _grid(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cell positions (N, 2) and strides (N, 1) of all levels."""
    cells, strides = [], []
    for stride in _STRIDES:
        rows, columns = np.mgrid[: side // stride, : side // stride]
        cells.append(np.stack([columns, rows], -1).reshape(-1, 2))
        strides.append(np.full((rows.size, 1), stride))
    return np.concatenate(cells, dtype=np.float32), np.concatenate(strides, dtype=np.float32)


def load_any_detector(name_or_path: str, *, threads: int = 0) -> Detector | YoloxDetector:
    """A detector of ours by name or folder, or a YOLOX network by its ONNX file.

    Raises:
        ModelError: there is none.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix == ".onnx" and not (path.parent / CARD).is_file():
        return YoloxDetector(path, threads=threads)
    return load_detector(name_or_path, threads=threads)
