"""Detection: one picture in, the people and vehicles in it out. NumPy, OpenCV and ONNX Runtime only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.boxes import CLASSES, Detection, suppress
from lexifuse.errors import ModelError
from lexifuse.graphs import open_graph
from lexifuse.images import Source, read_picture
from lexifuse.models import Model, find_model, shipped_models
from lexifuse.pixels import to_float

TASK = "detection"
"""What the card of a detector is made for."""

OVERLAP = 0.6
"""Detections of one class that overlap more than this are duplicates."""

MOST = 300
"""Detections per class that go into non-maximum suppression, by descending score."""

_ROOMY = 4  # times the longest side, from which on pictures are shrunk before they become floats
LONGEST = 1280
"""Longer pictures are made smaller before they are looked at, pixels; boxes are given in the picture's own."""


class Detector:
    """A loaded detector: made once, used many times. May be called from several threads.

    Args:
        model: from :func:`find_detector`.
        threads: CPU threads; all cores where 0.
        provider: ``cpu``, ``cuda``, ``tensorrt``, ``coreml`` or ``openvino``.

    Raises:
        ModelError: the model is damaged or made for something else, or the provider is not installed.
    """

    def __init__(self, model: Model, *, threads: int = 0, provider: str = "cpu") -> None:
        if model.card.task != TASK:
            raise ModelError(f"model '{model.name}' is made for {model.card.task}, not for detection: give a detector")
        self._session = open_graph(model.read(), f"model '{model.name}'", threads=threads, provider=provider)
        self.model = model
        self.threshold = float(model.card.training.get("threshold", 0.3))
        self.longest = int(model.card.training.get("longest", LONGEST))
        self.scales = tuple(float(scale) for scale in model.card.training.get("scales", (1.0,)))

    @property
    def name(self) -> str:
        """The name on the card."""
        return self.model.name

    @property
    def sha256(self) -> str:
        """The checksum on the card."""
        return self.model.sha256

    def detect(self, image: Source, threshold: float | None = None) -> list[Detection]:
        """Find people and vehicles.

        Args:
            image: a path, a Pillow image or an array (H, W, 3) RGB or (H, W); uint8, uint16 or float32 in 0..1.
            threshold: least score; the card's where None.

        Returns:
            The detections, by descending score, with boxes in pixels of the picture.

        Raises:
            InputError: the picture cannot be used.
        """
        pixels = read_picture(image, "picture").pixels
        height, width = pixels.shape[:2]
        # In its own depth at first: a panorama in floats would take gigabytes.
        planes = _shrunk(to_float(_shrunk(pixels, _ROOMY * self.longest)), self.longest)
        seen = [self._look(_shrunk(planes, max(1, round(scale * max(planes.shape[:2]))))) for scale in self.scales]
        boxes, scores = (np.concatenate(found) for found in zip(*seen, strict=True))
        least = self.threshold if threshold is None else threshold
        return sort_out(boxes * [width, height, width, height], scores, width, height, least)

    def _look(self, planes: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Boxes (N, 4) of all cells as shares of the picture's sides, and their scores (N, C)."""
        multiple = self.model.card.size_multiple
        planes = np.repeat(planes[..., None], 3, axis=2) if planes.ndim == 2 else planes
        below, beside = -planes.shape[0] % multiple, -planes.shape[1] % multiple
        padded = np.pad(planes, ((0, below), (0, beside), (0, 0)), mode="edge")
        answer: Any = self._session.run(["boxes", "scores"], {"image": padded.transpose(2, 0, 1)[None]})
        return answer[0][0] / np.tile(planes.shape[1::-1], 2), answer[1][0]


def sort_out(
    boxes: NDArray[Any], scores: NDArray[Any], width: int, height: int, threshold: float, overlap: float = OVERLAP
) -> list[Detection]:
    """What a network says of all cells, as detections.

    Args:
        boxes: (N, 4), x0 y0 x1 y1 in pixels.
        scores: (N, C), 0..1.
        width: of the picture; boxes are cut off at its edges, and dropped where nothing is left.
        height: of the picture.
        threshold: least score.
        overlap: see :func:`lexifuse.boxes.suppress`.
    """
    boxes = np.clip(boxes, 0, [width, height, width, height])
    there = (boxes[:, 2:] > boxes[:, :2]).all(1)
    found = []
    for number, label in enumerate(CLASSES):
        sure = np.flatnonzero(there & (scores[:, number] >= threshold))
        sure = sure[np.argsort(-scores[sure, number], kind="stable")][:MOST]
        for index in sure:
            x0, y0, x1, y1 = (float(value) for value in boxes[index])
            found.append(Detection((x0, y0, x1, y1), label, float(scores[index, number])))
    return suppress(found, overlap)


def detectors() -> list[Model]:
    """The detectors inside the package."""
    return [model for model in shipped_models() if model.card.task == TASK]


def find_detector(name_or_path: str | Path = "") -> Model:
    """Find a detector by name or folder; the first one inside the package where nothing is given.

    Raises:
        ModelError: there is none.
    """
    if name_or_path:
        return find_model(name_or_path)
    found = detectors()
    if not found:
        raise ModelError(
            "no detector comes with this version of lexifuse: train one with `lexifuse train detector`, export it "
            "with `lexifuse export`, and give its folder with --model"
        )
    return found[0]


def load_detector(name_or_path: str | Path = "", *, threads: int = 0, provider: str = "cpu") -> Detector:
    """Load a detector, ready to use; see :func:`find_detector`."""
    return Detector(find_detector(name_or_path), threads=threads, provider=provider)


def _shrunk(planes: NDArray[Any], longest: int) -> NDArray[Any]:
    side = max(planes.shape[:2])
    if side <= longest:
        return planes
    import cv2

    scale = longest / side
    size = max(1, round(planes.shape[1] * scale)), max(1, round(planes.shape[0] * scale))
    return np.asarray(cv2.resize(planes, size, interpolation=cv2.INTER_AREA), planes.dtype)
