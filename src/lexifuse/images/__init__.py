"""Read and write one picture: PNG, JPEG, TIFF, BMP and WebP at 8 and 16 bits, and float TIFF, to arrays and back."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import InputError, OutputError
from lexifuse.files import atomic_file
from lexifuse.images.decoding import MAX_PIXELS, QUIET_OPENCV, decode_file, decode_pillow, reason
from lexifuse.pixels import ValuesError, change_depth, check_pixels, split_alpha

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "Picture",
    "Source",
    "longest_side",
    "lost_in",
    "read_image",
    "read_picture",
    "write_image",
]

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
"""File suffixes that are read and written, in lower case."""

Source: TypeAlias = "str | os.PathLike[str] | NDArray[Any] | Image"
"""What a picture can be given as: a path, a Pillow image or an array."""

_MOST = 65535
_DEPTHS = {"uint8": "8-bit", "uint16": "16-bit", "float32": "float"}


@dataclass(frozen=True, eq=False)
class Picture:
    """One decoded picture.

    Attributes:
        pixels: (H, W) grey or (H, W, 3) RGB; uint8, uint16 or float32 in 0..1 (any float32 where that was allowed).
        alpha: (H, W) opacity of the same dtype, or None.
        notes: what the user should know about how the file was read.
    """

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None = None
    notes: tuple[str, ...] = ()


def read_image(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read a picture file upright (EXIF orientation applied) and without its alpha.

    Returns:
        (H, W) grey or (H, W, 3) RGB in the file's own depth: uint8, uint16 or float32 in 0..1.

    Raises:
        InputError: the file is missing, empty, damaged, no picture, too large, or holds values that are not allowed.
    """
    return read_picture(path).pixels


def read_picture(source: Source, what: str = "picture", *, measured: bool = False) -> Picture:
    """Read a path, a Pillow image or an array.

    Args:
        source: arrays are (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) and are not copied where that can be avoided;
            float64 and float16 become float32.
        what: names arrays and Pillow images in messages.
        measured: allow numbers of any range, such as kelvin or signed counts; whatever is not uint8 or uint16 becomes
            float32.

    Raises:
        InputError: the source cannot be used; the message says why and names the mend.
    """
    if isinstance(source, np.ndarray):
        pixels = np.asarray(source)  # a matrix would stay two-dimensional whatever is cut out of it
        return Picture(*split_alpha(check_pixels(pixels, f"the {what} array", measured=measured)))
    if isinstance(source, (str, os.PathLike)):
        return _read_file(Path(source), measured)
    from PIL import Image

    if isinstance(source, Image.Image):
        where = f"the {what} image"
        return _picture(decode_pillow(source, where), where, measured)
    raise InputError(f"the {what} is a {type(source).__name__}: give a path, a Pillow image or a numpy array")


def write_image(path: str | os.PathLike[str], image: NDArray[Any], *, alpha: NDArray[Any] | None = None) -> None:
    """Write a picture in the format its suffix names; the file appears whole or not at all.

    PNG holds 8 and 16 bits, TIFF also float32; JPEG (quality 95, full colour resolution), BMP and WebP (lossless) hold
    8. A deeper picture is reduced to the most that the format holds. Alpha is kept by PNG, TIFF and WebP, and left out
    by JPEG and BMP. WebP knows no grey and 16-bit PNG and TIFF no grey with alpha: these come back as three equal
    channels.

    Args:
        path: where to write; missing folders are made, an existing file is replaced.
        image: (H, W) grey or (H, W, 3) RGB; uint8, uint16 or float32 in 0..1. A fourth channel is taken as alpha.
        alpha: (H, W) opacity of any of these dtypes.

    Raises:
        OutputError: no path, unknown suffix, a folder that cannot be written to, or a picture too large for the format.
        InputError: the arrays are not a picture.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise OutputError(f"cannot write to a {type(path).__name__}: give the path of a file")
    path = Path(path)
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        raise OutputError(f"cannot write '{path}': give it one of the suffixes {', '.join(_FORMATS)}")
    if not isinstance(image, np.ndarray):
        raise InputError(f"the picture to write is a {type(image).__name__}: give a numpy array")
    image, own_alpha = split_alpha(check_pixels(np.asarray(image), "the picture to write"))
    alpha = own_alpha if alpha is None else check_pixels(alpha, "the alpha to write")
    if alpha is not None and alpha.shape != image.shape[:2]:
        raise InputError(f"the alpha to write has shape {alpha.shape}, the picture {image.shape}: make them alike")
    height, width = image.shape[:2]
    if max(height, width) > form.longest:
        limit = f"{width}x{height}, and {form.name} holds no more than {form.longest} pixels a side"
        raise OutputError(f"cannot write '{path}' (it is {limit}): scale it down, or write .png or .tif")
    depth = image.dtype.name if image.dtype.name in form.depths else form.depths[-1]
    image = change_depth(image, depth)
    if alpha is not None and form.alpha:
        grey_needs_colour = image.ndim == 2 and depth != "uint8"
        image = np.dstack([image] * (3 if grey_needs_colour else 1) + [change_depth(alpha, depth)])
    with atomic_file(path) as file:
        try:
            _encode(file, image, form)
        except (OSError, ValueError, struct.error) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise OutputError(
                f"cannot write '{path}' as {form.name} ({reason(error)}): check the free space, or try .png or .tif"
            ) from error


def lost_in(path: str | os.PathLike[str], image: NDArray[Any], *, alpha: NDArray[Any] | None = None) -> tuple[str, ...]:
    """What :func:`write_image` leaves out of a picture, because the format cannot hold it; each one phrase."""
    form = _FORMATS.get(Path(path).suffix.lower())
    if form is None:
        return ()
    mend = "write .png or .tif to keep" if image.dtype != np.float32 else "write .tif to keep"
    lost = []
    if image.dtype.name not in form.depths:
        most, depth = (_DEPTHS[name] for name in (form.depths[-1], image.dtype.name))
        lost.append(f"{form.name} holds {most} pictures, and this one is {depth}: {mend} its depth")
    if alpha is not None and not form.alpha:
        lost.append(f"{form.name} holds no alpha, and it was left out: {mend} it")
    return tuple(lost)


def longest_side(suffix: str) -> int:
    """The most pixels a side that the format of one of :data:`SUFFIXES` holds."""
    return _FORMATS[suffix].longest


# ---- reading ----


def _read_file(path: Path, measured: bool) -> Picture:
    where = f"'{path}'"
    with _open_file(path, where) as file:
        pixels, notes = decode_file(file, where)
    return _picture(pixels, where, measured, notes)


def _open_file(path: Path, where: str) -> BinaryIO:
    try:
        if path.is_dir():
            raise InputError(f"{where} is a folder: give a picture file")
        if not path.exists():
            raise InputError(f"{where} does not exist: check the path")
        if not path.is_file():
            raise InputError(f"{where} is not a regular file: give a picture file")
        if not path.stat().st_size:
            raise InputError(f"{where} is empty (0 bytes): copy or export it again")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise InputError(f"{where} cannot be opened ({reason(error)}): check the path and its permissions") from error


def _picture(pixels: NDArray[Any], where: str, measured: bool, notes: tuple[str, ...] = ()) -> Picture:
    """Take the alpha out of decoded pixels and check both."""
    pixels, alpha = split_alpha(_sixteen_bits(pixels, where, measured))
    checked = check_pixels(pixels, where, measured=measured)
    return Picture(checked, None if alpha is None else check_pixels(alpha, where, measured=measured), notes)


def _sixteen_bits(pixels: NDArray[Any], where: str, measured: bool) -> NDArray[Any]:
    """Whole numbers that a file holds with a sign or in 32 bits, as the 16 bits into which they have to fit."""
    if not pixels.size or pixels.dtype.kind not in "iu" or pixels.dtype in (np.uint8, np.uint16):
        return pixels
    low, high = int(pixels.min()), int(pixels.max())
    if low >= 0 and high <= _MOST:
        return pixels.astype(np.uint16)
    if measured:
        return pixels
    signed = "signed integers" if low < 0 else "integers"
    raise ValuesError(f"{where} holds {signed} from {low} to {high}: shift or scale them to 0 to {_MOST} first")


# ---- writing ----


@dataclass(frozen=True)
class _Format:
    """What a file format holds: depths from shallow to deep, alpha, the longest side, and how Pillow writes it."""

    name: str
    depths: tuple[str, ...] = ("uint8",)
    alpha: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    longest: int = 2**31 - 1  # pixels


# Run-length matching at level 1 writes a photograph four times faster than Pillow's default, and about as small.
_PNG = _Format("PNG", ("uint8", "uint16"), True, {"compress_level": 1, "compress_type": zlib.Z_RLE})
_JPEG = _Format("JPEG", options={"quality": 95, "subsampling": 0}, longest=65_500)
_TIFF = _Format("TIFF", ("uint8", "uint16", "float32"), True, {"compression": "tiff_lzw"})
_WEBP = _Format("WEBP", alpha=True, options={"lossless": True, "exact": True, "method": 2}, longest=16_383)
_BMP = _Format("BMP")
_FORMATS: dict[str, _Format] = dict(zip(SUFFIXES, (_PNG, _JPEG, _JPEG, _TIFF, _TIFF, _BMP, _WEBP), strict=True))


def _encode(file: BinaryIO, image: NDArray[Any], form: _Format) -> None:
    """Write (H, W) or (H, W, C) to an open file; what Pillow cannot hold goes through OpenCV."""
    if image.dtype == np.uint8 or image.ndim == 2:
        from PIL import Image

        Image.fromarray(np.ascontiguousarray(image)).save(file, form.name, **form.options)
        return
    import cv2

    swapped = cv2.cvtColor(image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    with QUIET_OPENCV:
        done, data = cv2.imencode(f".{form.name.lower()}", swapped)
    if not done:
        raise ValueError("the encoder refused it")
    del swapped
    file.write(data.data)
