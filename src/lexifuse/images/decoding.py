"""The bytes of a picture file, or a Pillow image, to upright pixels; every way in which that fails is told."""

from __future__ import annotations

import logging
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import InputError, UsageError
from lexifuse.images import tiff
from lexifuse.pixels import inverted, upright

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 256_000_000
"""Largest picture that is decoded, in pixels; the environment variable LEXIFUSE_MAX_PIXELS overrides it."""

_READABLE = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
_NAMES = "PNG, JPEG, TIFF, BMP or WebP"
_ORIENTATION = 0x0112
_STRIP_PIXELS = 4_000_000
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error)


def decode_file(file: BinaryIO, where: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Decode an open picture file; ``where`` names it in messages.

    Returns:
        (H, W) or (H, W, C) with any alpha as last channel, in whatever type the file holds; and notes.

    Raises:
        InputError: it is damaged, no picture, too large, or of a kind that cannot be read.
    """
    with _decoding(where):
        return _decode(file, where)


def decode_pillow(image: Image, where: str) -> NDArray[Any]:
    """The same for a Pillow image, without notes."""
    _check_size(image.size, where)
    with _decoding(where):
        return _from_pillow(image)


def reason(error: Exception) -> str:
    """What an error of somebody else says, on one line."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split())


def _decode(file: BinaryIO, where: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Pillow checks best for truncation, but knows no deep colour."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(file, formats=_READABLE)
    except UnidentifiedImageError:
        tags = tiff.read_tags(file)
        if tags is None:
            raise InputError(
                f"{where} is damaged or not a {_NAMES} picture: export it again in one of these formats"
            ) from None
        _check_size(tiff.size_of(tags), where)
        return _from_deep_tiff(file, tags, where), tiff.left_out(tags, where)
    with closing(image):
        _check_size(image.size, where)
        frames = getattr(image, "n_frames", 1)
        notes = (f"{where} holds {frames} pictures: going on with the first",) if frames > 1 else ()
        if image.format == "PNG" and _is_deep_colour(image):
            return _from_deep_png(file, image), notes
        tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
        pixels = _from_deep_tiff(file, tags, where) if tiff.is_beyond_pillow(tags) else _from_pillow(image)
        return pixels, (*notes, *tiff.left_out(tags, where))


def _is_deep_colour(png: Image) -> bool:
    """True for more than one channel of 16 bits."""
    return ";16" in _packing(png) and not png.mode.startswith("I")


def _packing(image: Image) -> str:
    """How the file stores a pixel, such as ``RGB;16B``."""
    tiles = getattr(image, "tile", None)
    return str(tiles[0][3]) if tiles else ""


def _from_deep_png(file: BinaryIO, image: Image) -> NDArray[Any]:
    grey = "LA" in _packing(image)
    image.load()
    pixels = upright(_with_opencv(np.fromfile(file.name, np.uint8)), image.getexif().get(_ORIENTATION, 1))
    return pixels[..., 2:] if grey else pixels


def _from_deep_tiff(file: BinaryIO, tags: tiff.Tags, where: str) -> NDArray[Any]:
    """OpenCV tells a truncated TIFF and turns it upright by itself, but mixes up bands that are kept apart."""
    try:
        if tiff.keeps_bands_apart(tags):
            bands = [_with_opencv(np.frombuffer(band, np.uint8)) for band in tiff.bands_apart(file, tags)]
            pixels = upright(np.dstack(bands), tags.get(_ORIENTATION, 1))
        else:
            pixels = _with_opencv(np.fromfile(file.name, np.uint8))
    except _DAMAGE as error:
        if oddity := tiff.oddity(tags):
            raise InputError(f"{where} holds {oddity}") from error
        raise
    if pixels.ndim == 3:
        return pixels[..., : tiff.shown_bands(tags)] if pixels.shape[2] > 3 else pixels
    return inverted(pixels) if tiff.is_white_at_zero(tags) else pixels


def _with_opencv(data: NDArray[np.uint8]) -> NDArray[Any]:
    """Decode the bytes of a file: (H, W), or (H, W, C) in RGB order."""
    import cv2

    with QUIET_OPENCV:
        try:
            pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise ValueError(error.err) from error
    if pixels is None:
        raise ValueError("it cannot be decoded")
    del data  # as large as a picture; the change of channels needs the room
    if pixels.ndim == 3 and pixels.shape[2] > 4:
        raise ValueError(f"{pixels.shape[2]} channels")
    if pixels.ndim == 2 or pixels.shape[2] < 3:
        return pixels
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):  # the others OpenCV decodes, but does not convert
        return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _from_pillow(image: Image) -> NDArray[Any]:
    """Pixels of a Pillow image, upright, with any alpha as last channel."""
    image.load()
    orientation = image.getexif().get(_ORIENTATION, 1)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        pixels = upright(_to_array(image), orientation)
        # Pillow turns pictures of 8 bits that are white at zero, and leaves deeper ones to us.
        return inverted(pixels) if tiff.is_white_at_zero(getattr(image, "tag_v2", {})) else pixels
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("L" if grey else "RGB") + ("A" if image.has_transparency_data else "")
    return upright(_to_array(image if image.mode == mode else image.convert(mode)), orientation)


def _to_array(image: Image) -> NDArray[Any]:
    """Copy strip by strip: ``np.asarray`` of a whole Pillow image holds it three times over for a moment."""
    rows = max(1, _STRIP_PIXELS // image.width)
    pixels: NDArray[Any] | None = None
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = np.asarray(image.crop((0, top, image.width, bottom)))
        if pixels is None:
            pixels = np.empty((image.height, *strip.shape[1:]), strip.dtype.newbyteorder("="))
        pixels[top:bottom] = strip
    return np.empty((0, 0), np.uint8) if pixels is None else pixels


def _check_size(size: tuple[int, int], where: str) -> None:
    width, height = size
    text = os.environ.get("LEXIFUSE_MAX_PIXELS", str(MAX_PIXELS))
    if not text.strip().isdecimal():
        raise UsageError(f"LEXIFUSE_MAX_PIXELS must be a whole number of pixels, not '{text}'")
    if width * height > int(text):
        raise InputError(
            f"{where} claims {width}x{height} pixels, more than the limit of {int(text)}: "
            "scale it down, or raise LEXIFUSE_MAX_PIXELS if you trust it"
        )


@contextmanager
def _decoding(where: str) -> Iterator[None]:
    """Whatever the decoders raise on damaged data becomes one :class:`InputError`."""
    try:
        with _PILLOW_UNBOUNDED:
            yield
    except MemoryError as error:
        raise InputError(f"{where} does not fit into memory: scale it down") from error
    except _DAMAGE as error:
        raise InputError(f"{where} is damaged or truncated ({reason(error)}): copy or export it again") from error


class _WhileUsed:
    """What has to hold in the whole process while any thread needs it: the first changes it, the last undoes it."""

    def __init__(self, change: Callable[[ExitStack], None]) -> None:
        self._change, self._undo = change, ExitStack()
        self._lock, self._users = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._change(self._undo)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._undo.close()


def _lift_pillows_limit(undo: ExitStack) -> None:
    from PIL import Image

    undo.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    Image.MAX_IMAGE_PIXELS = None
    logger = logging.getLogger("PIL.TiffImagePlugin")
    undo.callback(setattr, logger, "disabled", logger.disabled)
    logger.disabled = True
    undo.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", module="PIL")


def _silence_opencv(undo: ExitStack) -> None:
    import cv2

    undo.callback(cv2.utils.logging.setLogLevel, cv2.utils.logging.getLogLevel())
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


_PILLOW_UNBOUNDED = _WhileUsed(_lift_pillows_limit)
"""Pillow's own pixel limit is lifted (ours has been checked), and it neither warns nor logs what it raises."""

QUIET_OPENCV = _WhileUsed(_silence_opencv)
"""OpenCV's own log lines stay off stderr; what went wrong is told in our error."""
