"""The pair: one infrared and one visible picture of the same scene, checked and brought to one grid."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import InputError
from lexifuse.images import (
    MAX_PIXELS,
    SUFFIXES,
    Picture,
    Source,
    read_image,
    read_picture,
    write_image,
)
from lexifuse.pixels import from_float, is_coloured, luma, to_float
from lexifuse.statistics import picture_statistics

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "ImagePair",
    "Source",
    "from_float",
    "luma",
    "read_image",
    "read_pair",
    "to_float",
    "write_image",
]

_SAMPLE = 1_000_000  # pixels that the range of an infrared picture is taken of
_RAW_COUNTS = 0.25  # share of the 16 bits: what 14 of them fill at most
_NOISE_ALONE = 0.001  # share of the 16 bits that a covered lens may fill: 65 counts
_FEW = 1_000  # pixels that are too few to tell a range
_OUTLIERS = 0.001  # share of the pixels at either end: dead and stuck ones
_MARGIN = 0.05  # of the range, left at either end
_ROWS = 512
_ASPECT_TOLERANCE = 0.02
"""Relative difference of aspect ratios from which resizing is said to distort."""


@dataclass(frozen=True, eq=False)
class ImagePair:
    """Two registered pictures of the same size, each in the depth it was given in.

    Attributes:
        infrared: (H, W); uint8, uint16 or float32 in 0..1.
        visible: (H, W, 3) RGB or (H, W); uint8, uint16 or float32 in 0..1.
        alpha: (H, W) opacity of the visible picture in its dtype, or None; kept out of the fusion and put back.
        name: stem of the visible file (else of the infrared one, else ``pair``), for messages and output names.
        notes: what the user should know, each a phrase such as "the infrared picture is in colour: …".
    """

    infrared: NDArray[Any]
    visible: NDArray[Any]
    alpha: NDArray[Any] | None = None
    name: str = "pair"
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.visible.shape[0]

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.visible.shape[1]

    @cached_property
    def statistics(self) -> NDArray[np.float32]:
        """What networks are told of the whole pair, (14,): :func:`lexifuse.statistics.picture_statistics`."""
        return picture_statistics(self.infrared, self.visible)

    @property
    def has_colour(self) -> bool:
        """True if the visible picture has three channels; the output has as many."""
        return self.visible.ndim == 3


def read_pair(infrared: Source, visible: Source, *, resize: bool = False) -> ImagePair:
    """Read a registered pair.

    An infrared picture with three channels goes on as its luma, with a note if it is in colour. The infrared's alpha
    is dropped. The two may differ in depth. An infrared picture of 16 bits that fills less than a quarter of them, as
    raw counts of 12 or 14 bits do, is stretched to the whole range, with a note.

    Args:
        infrared: a path, a Pillow image, or an array (H, W) or (H, W, C); uint8, uint16, or floats in 0..1.
        visible: the same.
        resize: bring an infrared picture of another size to the visible grid (cubic up, area average down).

    Raises:
        InputError: one or both cannot be read (all reasons in one message), or their sizes differ.

    >>> read_pair(np.zeros((4, 6), np.uint8), np.zeros((4, 6, 3), np.uint8)).width
    6
    """
    pictures: list[Picture] = []
    problems: list[str] = []
    for what, source in (("infrared", infrared), ("visible", visible)):
        try:
            pictures.append(read_picture(source, what))
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("; ".join(problems))
    first, second = pictures
    notes = [*first.notes, *second.notes]
    if is_coloured(first.pixels):
        swapped = "" if is_coloured(second.pixels) else " (it looks as if the two pictures are swapped)"
        notes.append(f"the infrared picture is in colour: going on with its luma{swapped}")
    grey, note = _of_full_range(luma(first.pixels))
    notes += [note] if note else []
    if grey.shape != second.pixels.shape[:2]:
        grey, note = _to_visible_grid(grey, second.pixels, resize)
        notes.append(note)
    name = _name(visible) or _name(infrared) or "pair"
    return ImagePair(grey, second.pixels, second.alpha, name, tuple(notes))


def _of_full_range(infrared: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Raw counts, 12 or 14 bits of 16, brought to the whole range, and a note; any other picture as it is."""
    if infrared.dtype != np.uint16 or infrared.size < _FEW:
        return infrared, ""
    step = max(1, round((infrared.size / _SAMPLE) ** 0.5))
    low, high = np.quantile(infrared[::step, ::step], (_OUTLIERS, 1 - _OUTLIERS)).tolist()
    share = (high - low) / 65535
    if not _NOISE_ALONE < share < _RAW_COUNTS:
        return infrared, ""
    margin = _MARGIN * (high - low)
    low, high = max(low - margin, 0.0), min(high + margin, 65535.0)
    stretched = np.empty_like(infrared)
    for start in range(0, len(infrared), _ROWS):  # a strip at a time, so that memory stays bounded
        strip = (infrared[start : start + _ROWS].astype(np.float32) - low) * (65535 / (high - low))
        stretched[start : start + _ROWS] = np.rint(np.clip(strip, 0, 65535))
    return stretched, (
        f"the infrared picture fills {share:.1%} of its 16 bits, as raw counts do: {low:.0f} to {high:.0f} were "
        "stretched to all of it"
    )


def _to_visible_grid(infrared: NDArray[Any], visible: NDArray[Any], resize: bool) -> tuple[NDArray[Any], str]:
    (height, width), (new_height, new_width) = infrared.shape, visible.shape[:2]
    old, new = f"{width}x{height}", f"{new_width}x{new_height}"
    if not resize:
        raise InputError(
            f"the two pictures differ in size (infrared {old}, visible {new}): "
            "register them first, or stretch the infrared to the visible grid with --resize (resize=True)"
        )
    import cv2

    method = cv2.INTER_AREA if new_height * new_width < height * width else cv2.INTER_CUBIC
    resized = cv2.resize(infrared, (new_width, new_height), interpolation=method)
    if resized.dtype == np.float32:  # integers saturate by themselves
        np.clip(resized, 0, 1, out=resized)
    distortion = abs(width * new_height / (height * new_width) - 1)
    changed = ", which changes its aspect ratio" if distortion > _ASPECT_TOLERANCE else ""
    return resized, f"the infrared picture was resized from {old} to {new}{changed}"


def _name(source: Source) -> str:
    if isinstance(source, (str, os.PathLike)):
        return Path(source).stem
    return Path(str(getattr(source, "filename", ""))).stem
