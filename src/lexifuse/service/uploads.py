"""Uploaded pictures to a pair: sizes are read from their headers and checked before anything is decoded."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from lexifuse.errors import InputError
from lexifuse.pair import ImagePair, read_pair
from lexifuse.service.problems import ProblemError

_READABLE = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error)


def read_uploads(
    infrared: BinaryIO,
    visible: BinaryIO,
    folder: Path,
    *,
    max_pixels: int,
    resize: bool,
    infrared_range: tuple[float, float] | None = None,
) -> ImagePair:
    """Read a pair that was uploaded.

    Args:
        infrared: an open picture file in any format that lexifuse reads (float RGB TIFF excepted).
        visible: likewise.
        folder: where both are put for reading; the caller removes it.
        max_pixels: the largest picture that is decoded.
        resize: bring an infrared picture of another size to the visible grid.
        infrared_range: the values of the infrared picture that become black and white; see
            :func:`lexifuse.read_pair`.

    Raises:
        ProblemError: a picture has too many pixels (413) or is in an unknown format (415).
        InputError: a picture is damaged, or the two differ in size.
    """
    paths = {"infrared": folder / "infrared", "visible": folder / "visible"}
    for (what, path), upload in zip(paths.items(), (infrared, visible), strict=True):
        with path.open("wb") as file:
            shutil.copyfileobj(upload, file, 2**20)
        _check_header(path, what, max_pixels)
    try:
        pair = read_pair(paths["infrared"], paths["visible"], resize=resize, infrared_range=infrared_range)
    except InputError as error:
        raise InputError(_without_paths(str(error), paths.items())) from error
    return replace(pair, notes=tuple(_without_paths(note, paths.items()) for note in pair.notes))


def _check_header(path: Path, what: str, max_pixels: int) -> None:
    from PIL import Image, UnidentifiedImageError

    if not path.stat().st_size:
        raise InputError(f"the {what} picture is empty (0 bytes): send the file itself")
    try:
        with Image.open(path, formats=_READABLE) as image:
            width, height = image.size
    except UnidentifiedImageError as error:
        raise ProblemError(
            "unknown-picture-format", f"the {what} picture is damaged or not a PNG, JPEG, TIFF, BMP or WebP file"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(what, "very many", max_pixels) from error
    except _DAMAGE as error:
        raise InputError(f"the {what} picture is damaged: export it again") from error
    if width * height > max_pixels:
        raise _too_many_pixels(what, f"{width}x{height}", max_pixels)


def _too_many_pixels(what: str, size: str, limit: int) -> ProblemError:
    return ProblemError(
        "too-many-pixels", f"the {what} picture claims {size} pixels, more than the limit of {limit:,}: scale it down"
    )


def _without_paths(text: str, paths: Iterable[tuple[str, Path]]) -> str:
    """Where the service puts uploads is nobody's business."""
    for what, path in paths:
        text = text.replace(f"'{path}'", f"the {what} picture")
    return text
