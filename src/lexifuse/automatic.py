"""Pixels to an instruction: what seems damaged in a pair, and how badly. For when nobody typed anything.

A small network looks at native-resolution patches (noise, stripes, rain and blur live there), at a thumbnail of the
whole (haze, exposure and contrast do) and at the pair's statistics. What it costs does not depend on the size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.instruction import ASKED_FOR, DEGRADATIONS, Instruction
from lexifuse.language import Reading
from lexifuse.models import Model, find_model
from lexifuse.pair import ImagePair
from lexifuse.pixels import to_float
from lexifuse.statistics import picture_statistics

AUTOMATIC = "auto"
"""The request that asks for the automatic instruction where words could stand."""

PATCH = 64
"""Side of a patch, and of the thumbnail, pixels."""

PATCHES = 16
"""Patches looked at, spread evenly over the picture."""

SHIPPED = Path(__file__).parent / "weights" / "automatic"


@dataclass(frozen=True, eq=False)
class Views:
    """What the network sees of a pair; channels are infrared, red, green, blue in 0..1.

    Attributes:
        patches: (N, 4, PATCH, PATCH) float32, at native resolution.
        thumbnail: (4, PATCH, PATCH) float32, the whole pair squeezed.
        statistics: (14,) float32, see :mod:`lexifuse.statistics`.
    """

    patches: NDArray[np.float32]
    thumbnail: NDArray[np.float32]
    statistics: NDArray[np.float32]


@dataclass(frozen=True)
class PixelReading:
    """What a pair of pictures was taken for.

    Attributes:
        instruction: asks to repair what seems damaged.
        probability: degradation to how likely it is there, 0..1.
        severity: degradation to how bad it would be if it were there, 0..1.
    """

    instruction: Instruction
    probability: dict[str, float]
    severity: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The instruction's JSON form, and the probabilities."""
        return {
            **self.instruction.to_dict(),
            "in_words": str(self.instruction),
            "probability": {name: round(value, 3) for name, value in self.probability.items()},
        }


def views_of(infrared: NDArray[Any], visible: NDArray[Any], corners: list[tuple[int, int]] | None = None) -> Views:
    """What the network sees of (H, W) infrared and (H, W[, 3]) visible pictures of any allowed dtype.

    Args:
        infrared: (H, W).
        visible: (H, W, 3) or (H, W).
        corners: row and column of each patch; spread evenly where None. Patches over the border are mirrored.
    """
    import cv2

    height, width = infrared.shape
    side = PATCH
    stack = [_four_channels(infrared[r : r + side, c : c + side], visible[r : r + side, c : c + side])
             for r, c in (corners or spread(height, width))]  # fmt: skip
    small = [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in (infrared, visible)]
    return Views(
        np.stack([_mirrored(patch) for patch in stack]).transpose(0, 3, 1, 2).copy(),
        _four_channels(*small).transpose(2, 0, 1).copy(),
        picture_statistics(infrared, visible),
    )


def spread(height: int, width: int) -> list[tuple[int, int]]:
    """Row and column of :data:`PATCHES` or fewer patches, on a grid with about the proportions of the picture."""
    rows = min(max(round(math.sqrt(PATCHES * height / width)), 1), PATCHES)
    columns = max(PATCHES // rows, 1)

    def along(length: int, count: int) -> list[int]:
        space = max(length - PATCH, 0)
        return sorted({round(space * (index + 0.5) / count) for index in range(count)})

    return [(row, column) for row in along(height, rows) for column in along(width, columns)]


def _four_channels(infrared: NDArray[Any], visible: NDArray[Any]) -> NDArray[np.float32]:
    seen = to_float(visible)
    colour = seen if seen.ndim == 3 else np.repeat(seen[..., None], 3, axis=2)
    return np.concatenate((to_float(infrared)[..., None], colour), axis=2)


def _mirrored(patch: NDArray[np.float32]) -> NDArray[np.float32]:
    below, beside = PATCH - patch.shape[0], PATCH - patch.shape[1]
    return np.pad(patch, ((0, below), (0, beside), (0, 0)), mode="symmetric") if below or beside else patch


class PixelReader:
    """A loaded network that reads pictures.

    Args:
        model: from :func:`lexifuse.models.find_model`.

    Raises:
        ModelError: a file is missing or damaged.
    """

    def __init__(self, model: Model) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model.read(), options, providers=["CPUExecutionProvider"])
        thresholds = model.card.training["thresholds"]
        self._thresholds = {name: float(thresholds[name]) for name in DEGRADATIONS}

    @classmethod
    @lru_cache(maxsize=1)
    def shipped(cls) -> PixelReader:
        """The network inside the package, loaded once."""
        return cls(find_model(SHIPPED))

    def read(self, pair: ImagePair) -> PixelReading:
        """Estimate the nine severities of a pair of any size."""
        views = views_of(pair.infrared, pair.visible)
        inputs = {
            "patches": views.patches[None],
            "thumbnail": views.thumbnail[None],
            "statistics": views.statistics[None],
        }
        outputs: Any = self._session.run(["probability", "severity"], inputs)
        probability, severity = (dict(zip(DEGRADATIONS, found[0].tolist(), strict=True)) for found in outputs)
        asked = {
            name: round(max(severity[name], ASKED_FOR), 2)
            for name in DEGRADATIONS
            if probability[name] >= self._thresholds[name]
        }
        return PixelReading(Instruction().with_values(asked), probability, severity)


def read_pixels(pair: ImagePair) -> PixelReading:
    """What seems damaged in a pair, by the network inside the package.

    Args:
        pair: from :func:`lexifuse.read_pair`.

    Raises:
        ModelError: the shipped network is damaged.
    """
    return PixelReader.shipped().read(pair)


def override(seen: Instruction, asked: Instruction, spoken_of: Iterable[str]) -> Instruction:
    """What the pixels say, with every field that was spoken of as it was asked; wishes are asked for, never seen.

    Args:
        seen: what the pixels say.
        asked: what was asked for.
        spoken_of: degradations that were spoken of, whether to be repaired or to be left alone.
    """
    spoken = set(spoken_of)
    return asked.with_values({name: seen.severity(name) for name in DEGRADATIONS if name not in spoken})


def spoken_of(reading: Reading) -> tuple[str, ...]:
    """The degradations that words speak of: "no haze" does, and keeps it at nought whatever the pixels say."""
    return (*reading.instruction.asked_for(), *reading.denied)
