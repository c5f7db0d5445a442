"""The open account of one fusion: its record as JSON, how much the request changed, and a panel that shows it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.contact_sheet import contact_sheet
from lexifuse.fuser import Fuser, FusionResult
from lexifuse.models import Model
from lexifuse.pair import ImagePair
from lexifuse.pixels import luma, to_float

UNCHANGED = 0.5
"""Mean change, in steps of 255, below which the request is said to have changed almost nothing."""

_DIFFERENCE_GAIN = 4.0
_CELL = (480, 360)
_LINE, _FONT = 22, 15
_PAPER, _INK = (250, 250, 248), (30, 30, 30)


def record(result: FusionResult, model: Model) -> dict[str, Any]:
    """What is told of a fusion as JSON, by the command line, by the page and over HTTP.

    Args:
        result: the fusion.
        model: that made it.
    """
    height, width = result.image.shape[:2]
    reading = result.reading
    return {
        "width": width,
        "height": height,
        "model": model.name,
        "model_sha256": model.sha256,
        "instruction": result.instruction.to_dict(),
        "in_words": str(result.instruction),
        "carried_out": result.carried_out.to_dict(),
        "prompt": reading.prompt if reading else "",
        "not_understood": list(reading.not_understood) if reading else [],
        "unsure": list(reading.unsure) if reading else [],
        "seen": result.seen.to_dict() if result.seen else None,
        "seconds": round(result.seconds, 4),
        "notes": list(result.notes),
    }


@dataclass(frozen=True, eq=False)
class Account:
    """A fusion beside the plain one of the same pair.

    Attributes:
        pair: what was fused.
        result: the fusion as it was asked for.
        plain: the same pair fused without words, as an array.
    """

    pair: ImagePair
    result: FusionResult
    plain: NDArray[Any]

    @property
    def change(self) -> float:
        """How much the request changed the picture: the mean difference to the plain fusion, in steps of 255."""
        return float(np.abs(to_float(self.result.image) - to_float(self.plain)).mean() * 255)

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of the fusion, and one more where the request changed almost nothing."""
        if self.result.instruction.is_plain or self.change >= UNCHANGED:
            return self.result.notes
        told = f"the request changed almost nothing: a mean difference of {self.change:.2f} of 255 to the plain fusion"
        return (*self.result.notes, told)

    def record(self, model: Model) -> dict[str, Any]:
        """What :func:`record` tells, and how much the request changed."""
        return {**record(self.result, model), "change": round(self.change, 3), "notes": list(self.notes)}

    def panel(self) -> NDArray[np.uint8]:
        """Sources, the plain fusion, the fusion asked for, where they differ, and all in words: (H, W, 3) uint8 RGB."""
        return contact_sheet(
            [
                [("infrared", self.pair.infrared), ("visible", self.pair.visible), ("in words", self._words())],
                [
                    ("fused without words", self.plain),
                    ("fused as asked", self.result.image),
                    (f"orange: brighter, blue: darker (x{_DIFFERENCE_GAIN:g}, mean {self.change:.1f})", self._map()),
                ],
            ],
            cell=_CELL,
        )

    def _map(self) -> NDArray[np.uint8]:
        """Brighter than the plain fusion in orange, darker in blue, on black: (H, W, 3)."""
        difference = to_float(luma(self.result.image)) - to_float(luma(self.plain))
        strength = np.clip(_DIFFERENCE_GAIN * difference, -1, 1)
        planes = np.maximum(strength, 0), 0.45 * np.abs(strength), np.maximum(-strength, 0)
        return np.rint(255 * np.stack(planes, axis=2)).astype(np.uint8)

    def _words(self) -> NDArray[np.uint8]:
        from PIL import Image, ImageDraw, ImageFont

        sheet = Image.new("RGB", _CELL, _PAPER)
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT)
        lines = [line for paragraph in self._paragraphs() for line in (*textwrap.wrap(paragraph, 64), "")]
        for number, line in enumerate(lines[: _CELL[1] // _LINE]):
            draw.text((4, number * _LINE), line, fill=_INK, font=font)
        return np.asarray(sheet)

    def _paragraphs(self) -> list[str]:
        reading, told = self.result.reading, []
        if reading is not None and reading.prompt.strip():
            told.append(f"Words: {reading.prompt.strip()[:400]}")
        if self.result.seen is not None:
            told.append(f"The pixels say: {self.result.seen.instruction}")
        told.append(f"Done: {self.result.carried_out}")
        if reading is not None and reading.not_understood:
            told.append(f"Not understood: {', '.join(reading.not_understood)}")
        if reading is not None and reading.unsure:
            told.append(f"Unsure: {', '.join(reading.unsure)}")
        return [*told, *(f"Note: {note}" for note in self.notes)]


def account_of(fuser: Fuser, pair: ImagePair, result: FusionResult) -> Account:
    """Fuse the pair plainly too, to show what the request changed.

    Args:
        fuser: that made ``result``.
        pair: what was fused.
        result: what came out.
    """
    plain = result.image if result.instruction.is_plain else fuser.fuse_pair(pair).image
    return Account(pair, result, plain)
