"""Read and write one picture: PNG, JPEG, TIFF, BMP and WebP at 8 and 16 bits, and float TIFF, to arrays and back."""

from __future__ import annotations

import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lexifuse.errors import InputError, OutputError, UsageError
from lexifuse.files import atomic_file
from lexifuse.pixels import change_depth, check_pixels, split_alpha, upright

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 256_000_000
"""Largest picture that is decoded, in pixels; the environment variable LEXIFUSE_MAX_PIXELS overrides it."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
"""File suffixes that are read and written, in lower case."""

Source: TypeAlias = "str | os.PathLike[str] | NDArray[Any] | Image"
"""What a picture can be given as: a path, a Pillow image or an array."""

_READABLE = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
_NAMES = "PNG, JPEG, TIFF, BMP or WebP"
_ORIENTATION = 0x0112
_DEPTHS = {"uint8": "8-bit", "uint16": "16-bit", "float32": "float"}
_STRIP_PIXELS = 4_000_000
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error)


@dataclass(frozen=True, eq=False)
class Picture:
    """One decoded picture.

    Attributes:
        pixels: (H, W) grey or (H, W, 3) RGB; uint8, uint16 or float32 in 0..1.
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


def read_picture(source: Source, what: str = "picture") -> Picture:
    """Read a path, a Pillow image or an array; ``what`` names arrays and Pillow images in messages.

    Arrays are (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) and are not copied where that can be avoided; float64 and
    float16 become float32.

    Raises:
        InputError: the source cannot be used; the message says why and names the mend.
    """
    if isinstance(source, np.ndarray):
        return Picture(*split_alpha(check_pixels(source, f"the {what} array")))
    if isinstance(source, (str, os.PathLike)):
        return _read_file(Path(source))
    from PIL import Image

    if isinstance(source, Image.Image):
        where = f"the {what} image"
        _check_size(source.size, where)
        with _decoding(where):
            pixels = _from_pillow(source, where)
        return _picture(pixels, where)
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
        OutputError: unknown suffix, a folder that cannot be written to, or a picture too large for the format.
        InputError: the arrays are not a picture.
    """
    path = Path(path)
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        raise OutputError(f"cannot write '{path}': give it one of the suffixes {', '.join(_FORMATS)}")
    image, own_alpha = split_alpha(check_pixels(image, "the picture to write"))
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
                f"cannot write '{path}' as {form.name} ({_reason(error)}): check the free space, or try .png or .tif"
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


def _read_file(path: Path) -> Picture:
    where = f"'{path}'"
    with _open_file(path, where) as file, _decoding(where):
        pixels, notes = _decode(file, where)
    return _picture(pixels, where, notes)


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
        raise InputError(f"{where} cannot be opened ({_reason(error)}): check the path and its permissions") from error


def _picture(pixels: NDArray[Any], where: str, notes: tuple[str, ...] = ()) -> Picture:
    """Take the alpha out of decoded pixels and check both."""
    pixels, alpha = split_alpha(pixels)
    return Picture(check_pixels(pixels, where), None if alpha is None else check_pixels(alpha, where), notes)


def _decode(file: BinaryIO, where: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Pixels with any alpha as last channel, and notes. Pillow checks best for truncation, but knows no deep colour."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(file, formats=_READABLE)
    except UnidentifiedImageError:
        _check_size(_float_tiff_size(file, where), where)
        return _decode_deep(file), ()
    orientation, grey = 1, False
    with closing(image):
        _check_size(image.size, where)
        frames = getattr(image, "n_frames", 1)
        notes = (f"{where} holds {frames} pictures: going on with the first",) if frames > 1 else ()
        if not _is_deep_colour(image):
            return _from_pillow(image, where), notes
        if image.format == "PNG":  # OpenCV tells a truncated TIFF, and turns a TIFF upright by itself.
            grey = "LA" in _packing(image)
            image.load()
            orientation = image.getexif().get(_ORIENTATION, 1)
    pixels = upright(_decode_deep(file), orientation)
    return (pixels[..., 2:] if grey else pixels), notes


def _is_deep_colour(image: Image) -> bool:
    """True for more than one channel of more than 8 bits."""
    if image.format == "PNG":
        return ";16" in _packing(image) and not image.mode.startswith("I")
    bits = getattr(image, "tag_v2", {}).get(258, (8,))
    return image.format == "TIFF" and len(bits) > 1 and max(bits) > 8


def _packing(image: Image) -> str:
    """How the file stores a pixel, such as ``RGB;16B``."""
    tiles = getattr(image, "tile", None)
    return str(tiles[0][3]) if tiles else ""


def _float_tiff_size(file: BinaryIO, where: str) -> tuple[int, int]:
    """Width and height of a TIFF that Pillow does not know, such as float RGB, from its first directory."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    file.seek(0)
    header = file.read(8)
    if header[:4] in (b"II*\0", b"MM\0*"):
        tags = ImageFileDirectory_v2(header)
        file.seek(tags.next)
        tags.load(file)
        if 256 in tags and 257 in tags:
            return int(tags[256]), int(tags[257])
    raise InputError(f"{where} is damaged or not a {_NAMES} picture: export it again in one of these formats")


def _decode_deep(file: BinaryIO) -> NDArray[Any]:
    """Decode colour of more than 8 bits with OpenCV: (H, W, C), RGB order."""
    import cv2

    data = np.fromfile(file.name, np.uint8)
    with _QUIET_OPENCV:
        try:
            pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise ValueError(error.err) from error
    if pixels is None:
        raise ValueError("it cannot be decoded")
    del data  # as large as a picture; the change of channels needs the room
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    return pixels


def _from_pillow(image: Image, where: str) -> NDArray[Any]:
    """Pixels of a Pillow image, upright, with any alpha as last channel."""
    image.load()
    orientation = image.getexif().get(_ORIENTATION, 1)
    if image.mode == "I":
        low, high = image.getextrema()
        if low < 0 or high > 65535:  # type: ignore[operator]
            raise InputError(f"{where} holds integers from {low} to {high}: convert it to 8 or 16 bits per channel")
        return upright(_to_array(image).astype(np.uint16), orientation)
    if image.mode != "F" and not image.mode.startswith("I;16"):
        grey = image.mode in ("1", "L", "LA", "La")
        mode = ("L" if grey else "RGB") + ("A" if image.has_transparency_data else "")
        image = image if image.mode == mode else image.convert(mode)
    return upright(_to_array(image), orientation)


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
        raise InputError(f"{where} is damaged or truncated ({_reason(error)}): copy or export it again") from error


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
    undo.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", module="PIL")


def _silence_opencv(undo: ExitStack) -> None:
    import cv2

    undo.callback(cv2.utils.logging.setLogLevel, cv2.utils.logging.getLogLevel())
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


_PILLOW_UNBOUNDED = _WhileUsed(_lift_pillows_limit)
"""Pillow's own pixel limit is lifted (ours has been checked), and its warnings are quiet."""

_QUIET_OPENCV = _WhileUsed(_silence_opencv)
"""OpenCV's own log lines stay off stderr; what went wrong is told in our error."""


def _reason(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split())


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
    with _QUIET_OPENCV:
        done, data = cv2.imencode(f".{form.name.lower()}", swapped)
    if not done:
        raise ValueError("the encoder refused it")
    del swapped
    file.write(data.data)
