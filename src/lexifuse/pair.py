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
from lexifuse.images.counts import checked_range, of_full_range, of_range, raw_visible
from lexifuse.pixels import ValuesError, from_float, is_coloured, luma, to_float
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

_ASPECT_TOLERANCE = 0.02
"""Relative difference of aspect ratios from which resizing is said to distort."""

_PLAIN_DTYPES = (np.uint8, np.uint16, np.float32)
_NAME_A_RANGE = (
    ", or say which values become black and white (infrared_range in Python and over HTTP, --infrared-range LOW,HIGH)"
)


@dataclass(frozen=True, eq=False)
class ImagePair:
    """Two registered pictures of the same size, each in the depth it was given in.

    Attributes:
        infrared: (H, W); uint8, uint16 or float32 in 0..1.
        visible: (H, W, 3) RGB or (H, W); uint8, uint16 or float32 in 0..1.
        alpha: (H, W) opacity of the visible picture in its dtype, or None; kept out of the fusion and put back.
        name: stem of the visible file (else of the infrared one, else ``pair``), for messages and output names.
        notes: what the user should know, each a phrase such as "the infrared picture is in colour: …".

    Raises:
        InputError: shapes or types are others than these; :func:`read_pair` takes more and converts it.
    """

    infrared: NDArray[Any]
    visible: NDArray[Any]
    alpha: NDArray[Any] | None = None
    name: str = "pair"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        size = _checked("visible", self.visible, colour=True)
        parts = {"infrared": self.infrared} if self.alpha is None else {"infrared": self.infrared, "alpha": self.alpha}
        for what, image in parts.items():
            if _checked(what, image) != size:
                raise InputError(
                    f"the {what} array of a pair has shape {image.shape}, and its visible one {self.visible.shape}: "
                    "give both in the same height and width"
                )
        if self.alpha is not None and self.alpha.dtype != self.visible.dtype:
            raise InputError(
                f"the alpha array of a pair is of type {self.alpha.dtype}, and its visible one {self.visible.dtype}: "
                "make them alike"
            )

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


def read_pair(
    infrared: Source, visible: Source, *, resize: bool = False, infrared_range: tuple[float, float] | None = None
) -> ImagePair:
    """Read a registered pair.

    An infrared picture with three channels goes on as its luma, with a note if it is in colour. The infrared's alpha
    is dropped. The two may differ in depth. An infrared picture of 16 bits that fills less than a quarter of them, as
    raw counts of 12 or 14 bits do, is stretched to the whole range, with a note; the black around a warped picture
    and saturated pixels are left out of that range. A film takes one ``infrared_range`` for all of its pictures, for
    each alone would be stretched as it needs it.

    Args:
        infrared: a path, a Pillow image, or an array (H, W) or (H, W, C); uint8, uint16, or floats in 0..1.
        visible: the same.
        resize: bring an infrared picture of another size to the visible grid (cubic up, area average down).
        infrared_range: the values of the infrared picture that become black and white, in its own unit; what lies
            outside is clipped. With it the values may be of any range, such as kelvin or signed counts. Counts of a
            TIFF that is white at zero (MinIsWhite) are taken from 65535 first.

    Raises:
        InputError: one or both cannot be read (all reasons in one message), or their sizes differ.
        UsageError: the range is not two numbers, the lower first.

    >>> read_pair(np.zeros((4, 6), np.uint8), np.zeros((4, 6, 3), np.uint8)).width
    6
    """
    wanted = None if infrared_range is None else checked_range(infrared_range)
    pictures: list[Picture] = []
    problems: list[str] = []
    for what, source in (("infrared", infrared), ("visible", visible)):
        try:
            pictures.append(read_picture(source, what, measured=what == "infrared" and wanted is not None))
        except InputError as error:
            nameable = what == "infrared" and isinstance(error, ValuesError)
            problems.append(f"{error}{_NAME_A_RANGE if nameable else ''}")
    if problems:
        raise InputError("; ".join(problems))
    first, second = pictures
    notes = [*first.notes, *second.notes]
    if is_coloured(first.pixels):
        swapped = "" if is_coloured(second.pixels) else " (it looks as if the two pictures are swapped)"
        notes.append(f"the infrared picture is in colour: going on with its luma{swapped}")
    grey = luma(first.pixels)
    grey, stretched = of_full_range(grey) if wanted is None else of_range(grey, *wanted)
    notes += [*stretched, *raw_visible(second.pixels)]
    if grey.shape != second.pixels.shape[:2]:
        grey, note = _to_visible_grid(grey, second.pixels, resize)
        notes.append(note)
    name = _name(visible) or _name(infrared) or "pair"
    return ImagePair(grey, second.pixels, second.alpha, name, tuple(notes))


def _checked(what: str, image: NDArray[Any], *, colour: bool = False) -> tuple[int, ...]:
    """Height and width of an array that a pair is made of."""
    if not isinstance(image, np.ndarray) or image.dtype not in _PLAIN_DTYPES or not image.dtype.isnative:
        kind = f"of type {image.dtype}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
        raise InputError(
            f"the {what} array of a pair is {kind}: give uint8, uint16 or float32 in 0..1, or let read_pair convert it"
        )
    in_colour = colour and image.ndim == 3 and image.shape[2] == 3
    if not image.size or not (image.ndim == 2 or in_colour):
        shapes = "(height, width)" + (" or (height, width, 3)" if colour else "")
        raise InputError(f"the {what} array of a pair has shape {image.shape}: give {shapes}")
    return image.shape[:2]


def _to_visible_grid(infrared: NDArray[Any], visible: NDArray[Any], resize: bool) -> tuple[NDArray[Any], str]:
    (height, width), (new_height, new_width) = infrared.shape, visible.shape[:2]
    old, new = f"{width}x{height}", f"{new_width}x{new_height}"
    if not resize:
        raise InputError(
            f"the two pictures differ in size (infrared {old}, visible {new}): register them first, or let the "
            "infrared be resized to the visible grid (resize=True, --resize)"
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
