"""What Pillow and OpenCV leave to be known of a TIFF: bands kept apart, bands that are no opacity, and odd kinds."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, TypeAlias

Tags: TypeAlias = Mapping[int, Any]
"""The directory of a TIFF: numbers of tags to their values."""

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _BANDS, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA_BANDS, _SAMPLE_FORMAT = 322, 323, 324, 325, 338, 339
_LONG = 4
_CMYK = 5
_OPACITY = (1, 2)
_FLOAT = 3
_COMMON = (1, 5, 8, 32946, 32773)  # none, LZW, deflate twice, packbits


def read_tags(file: BinaryIO) -> Tags | None:
    """The first directory of a TIFF or BigTIFF that names a size; None where the file is no such thing."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    file.seek(0)
    header = file.read(8)
    if header[:4] in (b"II+\0", b"MM\0+"):
        header += file.read(8)
    elif header[:4] not in (b"II*\0", b"MM\0*"):
        return None
    tags = ImageFileDirectory_v2(header)
    file.seek(tags.next)
    tags.load(file)
    return tags if _WIDTH in tags and _HEIGHT in tags else None


def size_of(tags: Tags) -> tuple[int, int]:
    """Width and height in pixels."""
    return int(tags[_WIDTH]), int(tags[_HEIGHT])


def is_beyond_pillow(tags: Tags) -> bool:
    """True for what Pillow reduces or mixes up: bands of more than 8 bits, and compressed big-endian floats."""
    bits = _several(tags, _BITS, 8)
    swapped_twice = _is_float(tags) and _order(tags) == ">" and tags.get(_COMPRESSION, 1) != 1
    return (len(bits) > 1 and max(bits) > 8) or swapped_twice


def is_white_at_zero(tags: Tags) -> bool:
    """True for a picture whose lowest values are white (MinIsWhite)."""
    return tags.get(_PHOTOMETRIC) == 0


def keeps_bands_apart(tags: Tags) -> bool:
    """True if every band has strips or tiles of its own."""
    return tags.get(_PLANAR) == 2 and _bands(tags) > 1


def shown_bands(tags: Tags) -> int:
    """How many bands make the picture: 1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity."""
    bands = _bands(tags)
    if bands not in (2, 4):
        return 1 if bands == 1 else 3
    extra = _several(tags, _EXTRA_BANDS)
    return bands if not extra or extra[-1] in _OPACITY else bands - 1


def left_out(tags: Tags, where: str) -> tuple[str, ...]:
    """A note on the bands of a picture that are neither colour nor opacity, if it has such."""
    bands, shown = _bands(tags), shown_bands(tags)
    if bands == shown or tags.get(_PHOTOMETRIC) == _CMYK:
        return ()
    return (f"{where} holds {bands} bands, of which {shown} make the picture: no other is said to be opacity",)


def oddity(tags: Tags) -> str:
    """What may be the cause if a TIFF of deep colour cannot be decoded, and the mend; empty for an ordinary one."""
    from PIL.TiffImagePlugin import COMPRESSION_INFO

    compression, bits = tags.get(_COMPRESSION, 1), max(_several(tags, _BITS, 8))
    if _is_float(tags) and bits not in (32, 64):
        return f"floats of {bits} bits, which cannot be read: save it with 32"
    if _bands(tags) > 4:
        return f"{_bands(tags)} bands, which cannot be read: save it with three, red, green and blue"
    if compression not in _COMMON:
        name = COMPRESSION_INFO.get(compression, f"method {compression}")
        return f"colour of {bits} bits compressed with {name}, which cannot be read: save it with LZW or uncompressed"
    return ""


def bands_apart(file: BinaryIO, tags: Tags) -> Iterator[bytes]:
    """Each of the shown bands of a picture that keeps them apart, as a grey TIFF of its own.

    Raises:
        ValueError: the directory names more bytes than the file has, or no strips for a band.
    """
    places, lengths = (_TILES, _TILE_BYTES) if _TILES in tags else (_STRIPS, _STRIP_BYTES)
    offsets, counts = _several(tags, places), _several(tags, lengths)
    each = len(offsets) // _bands(tags)
    if not each or len(offsets) != len(counts) or sum(counts) > file.seek(0, 2):
        raise ValueError("its directory and its pixels do not go together")
    for start in range(0, shown_bands(tags) * each, each):
        strips = []
        for offset, count in zip(offsets[start : start + each], counts[start : start + each], strict=True):
            file.seek(offset)
            strips.append(file.read(count))
        yield _grey(tags, places, lengths, strips)


def _grey(tags: Tags, places: int, lengths: int, strips: Sequence[bytes]) -> bytes:
    """A grey TIFF of strips or tiles as they are, compressed or not."""
    copied = (_WIDTH, _HEIGHT, _COMPRESSION, _ROWS_PER_STRIP, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT)
    values = {tag: [int(tags[tag])] for tag in copied if tag in tags}
    values |= {tag: list(_several(tags, tag, 1))[:1] for tag in (_BITS, _SAMPLE_FORMAT)}
    values |= {_PHOTOMETRIC: [1], _BANDS: [1], places: [0] * len(strips), lengths: [len(strip) for strip in strips]}
    order = _order(tags)
    lists_at = 8 + 2 + 12 * len(values) + 4
    at = lists_at + 4 * sum(len(numbers) for numbers in values.values() if len(numbers) > 1)
    for number, strip in enumerate(strips):
        values[places][number], at = at, at + len(strip)
    entries, lists = b"", b""
    for tag, numbers in sorted(values.items()):
        packed = struct.pack(f"{order}{len(numbers)}L", *numbers)
        if len(numbers) > 1:
            lists, packed = lists + packed, struct.pack(f"{order}L", lists_at + len(lists))
        entries += struct.pack(f"{order}HHL", tag, _LONG, len(numbers)) + packed
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HLH", 42, 8, len(values))
    return b"".join((start, entries, bytes(4), lists, *strips))


def _order(tags: Tags) -> str:
    return ">" if getattr(tags, "prefix", b"") == b"MM" else "<"


def _is_float(tags: Tags) -> bool:
    return _FLOAT in _several(tags, _SAMPLE_FORMAT)


def _bands(tags: Tags) -> int:
    return int(tags.get(_BANDS, 1))


def _several(tags: Tags, tag: int, missing: int | None = None) -> tuple[int, ...]:
    value = tags.get(tag, () if missing is None else (missing,))
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
