"""TIFFs as thermal and scientific software writes them: bands apart, white at zero, odd bands and odd kinds."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lexifuse.errors import InputError
from lexifuse.images import read_picture
from lexifuse.pair import read_image

DEFLATE, LZMA, ZSTD = 8, 34925, 50000
TILE = 16
TURNED = {1: lambda a: a, 3: lambda a: np.rot90(a, 2), 6: lambda a: np.rot90(a, -1)}
"""What a viewer shows for some EXIF orientations of a stored array."""


def picture(shape: tuple[int, ...], dtype: str = "uint16", seed: int = 0) -> NDArray[Any]:
    noise = np.random.default_rng(seed).random(shape)
    return noise.astype(dtype) if dtype.startswith("float") else np.rint(noise * np.iinfo(dtype).max).astype(dtype)


def tiff(
    image: NDArray[Any],
    *,
    photometric: int = 2,
    apart: bool = False,
    layout: str = "strips",
    compression: int = 1,
    extra: tuple[int, ...] = (),
    orientation: int = 1,
    order: Literal["<", ">"] = "<",
) -> bytes:
    """A TIFF of (H, W) or (H, W, C), written out by hand; ``apart`` gives each band strips or tiles of its own."""
    image = np.atleast_3d(image)
    height, width, bands = image.shape
    pieces = [image[..., band : band + 1] for band in range(bands)] if apart else [image]
    chunks = [chunk for piece in pieces for chunk in cut(piece, layout)]
    packed = [chunk.astype(chunk.dtype.newbyteorder(order)).tobytes() for chunk in chunks]
    packed = [zlib.compress(data) for data in packed] if compression == DEFLATE else packed
    kind = {"u": 1, "i": 2, "f": 3}[image.dtype.kind]
    tags = {256: [width], 257: [height], 258: [8 * image.itemsize] * bands, 259: [compression], 262: [photometric]}
    tags |= {274: [orientation], 277: [bands], 284: [2 if apart else 1], 339: [kind] * bands}
    tags |= {338: list(extra)} if extra else {}
    places, lengths = (324, 325) if layout == "tiles" else (273, 279)
    tags |= {322: [TILE], 323: [TILE]} if layout == "tiles" else {278: [5 if layout == "strips" else height]}
    tags |= {places: [0] * len(packed), lengths: [len(data) for data in packed]}
    lists_at = 8 + 2 + 12 * len(tags) + 4
    at = lists_at + sum(4 * len(values) for values in tags.values() if len(values) > 1)
    tags[places] = [at + sum(map(len, packed[:number])) for number in range(len(packed))]
    entries, lists = b"", b""
    for tag, values in sorted(tags.items()):
        value = struct.pack(f"{order}{len(values)}L", *values)
        if len(values) > 1:
            lists, value = lists + value, struct.pack(f"{order}L", lists_at + len(lists))
        entries += struct.pack(f"{order}HHL", tag, 4, len(values)) + value
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HLH", 42, 8, len(tags))
    return b"".join((start, entries, bytes(4), lists, *packed))


def cut(piece: NDArray[Any], layout: str) -> list[NDArray[Any]]:
    height, width, _ = piece.shape
    if layout != "tiles":
        rows = 5 if layout == "strips" else height
        return [piece[top : top + rows] for top in range(0, height, rows)]
    whole = np.pad(piece, ((0, -height % TILE), (0, -width % TILE), (0, 0)))
    corners = [(top, left) for top in range(0, height, TILE) for left in range(0, width, TILE)]
    return [whole[top : top + TILE, left : left + TILE] for top, left in corners]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.tif"


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_image(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("layout", ["whole", "strips", "tiles"])
@pytest.mark.parametrize("compression", [1, DEFLATE])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_bands_that_are_kept_apart_are_put_together(path: Path, layout, compression, order, dtype):
    image = picture((21, 34, 3), dtype)
    path.write_bytes(tiff(image, apart=True, layout=layout, compression=compression, order=order))
    assert np.array_equal(read_image(path), image.astype(np.float32) if dtype == "float64" else image)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(("dtype", "says"), [("uint32", "integers from .*65535"), ("float64", "")])
def test_colour_of_other_types_is_read_or_refused(path: Path, apart, dtype, says):
    image = picture((8, 9, 3), dtype)
    path.write_bytes(tiff(image, apart=apart))
    if says:
        assert re.search(says, refusal(path))
    else:
        assert np.array_equal(read_image(path), image.astype(np.float32))


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_bands_that_are_kept_apart_are_turned_upright(path: Path, orientation, dtype):
    image = picture((6, 9, 3), dtype)
    path.write_bytes(tiff(image, apart=True, orientation=orientation))
    assert np.array_equal(read_image(path), TURNED[orientation](image))


@pytest.mark.parametrize("kept", [0.5, 0.95])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_truncated_bands_are_refused(path: Path, kept, dtype):
    data = tiff(picture((30, 40, 3), dtype), apart=True)
    path.write_bytes(data[: int(kept * len(data))])
    assert "damaged or truncated" in refusal(path)


def test_a_directory_that_names_more_than_the_file_has_is_refused(path: Path):
    data = bytearray(tiff(picture((8, 9, 3)), apart=True, layout="whole"))
    entry = next(at for at in range(10, len(data), 12) if struct.unpack_from("<H", data, at) == (279,))
    (lengths_at,) = struct.unpack_from("<L", data, entry + 8)
    struct.pack_into("<L", data, lengths_at, 2**31)
    path.write_bytes(data)
    assert "damaged or truncated" in refusal(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, DEFLATE])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_pictures_that_are_white_at_zero_are_turned(path: Path, order, compression, dtype):
    image = picture((9, 12), dtype)
    most = 1 if image.dtype.kind == "f" else np.iinfo(dtype).max
    path.write_bytes(tiff(most - image, photometric=0, order=order, compression=compression))
    seen = read_image(path)
    assert seen.dtype == (np.float32 if dtype == "float64" else dtype) and np.allclose(seen, image, atol=1e-6)
    if order == "<" and dtype != "float64":
        with Image.open(path) as opened:
            assert np.array_equal(read_picture(opened).pixels, seen)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(("extra", "opaque"), [((), False), ((0,), True), ((2,), False)])
def test_only_a_band_that_is_said_to_be_opacity_is_opacity(path: Path, dtype, apart, extra, opaque):
    image = picture((8, 9, 4), dtype)
    path.write_bytes(tiff(image, apart=apart, extra=extra))
    seen = read_picture(path)
    assert np.array_equal(seen.pixels, image[..., :3])
    if opaque:
        assert seen.alpha is None
        assert seen.notes == (f"'{path}' holds 4 bands, of which 3 make the picture: no other is said to be opacity",)
    else:
        assert seen.alpha is not None and np.array_equal(seen.alpha, image[..., 3]) and seen.notes == ()


@pytest.mark.parametrize(
    ("image", "compression", "says"),
    [
        (picture((8, 9, 3)), LZMA, "colour of 16 bits compressed with lzma, which cannot be read: save it with LZW"),
        (picture((8, 9, 3)), ZSTD, "colour of 16 bits compressed with zstd, which cannot be read: save it with LZW"),
        (picture((8, 9, 3), "float32"), ZSTD, "colour of 32 bits compressed with zstd, which cannot be read"),
        (picture((8, 9, 3), "float16"), 1, "floats of 16 bits, which cannot be read: save it with 32"),
        (picture((8, 9), "float16"), 1, "floats of 16 bits, which cannot be read: save it with 32"),
        (picture((8, 9, 5)), 1, "5 bands, which cannot be read: save it with three, red, green and blue"),
        (picture((8, 9, 7)), 1, "7 bands, which cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named_and_not_called_damaged(path: Path, caplog, capfd, image, compression, says):
    extra = (0,) * (image.shape[2] - 3) if image.ndim == 3 else ()
    path.write_bytes(tiff(image, compression=compression, extra=extra, photometric=2 if image.ndim == 3 else 1))
    message = refusal(path)
    assert says in message and "damaged" not in message
    assert not caplog.records and not capfd.readouterr().err


def test_of_bands_kept_apart_the_first_three_are_colour(path: Path):
    image = picture((8, 9, 5))
    path.write_bytes(tiff(image, apart=True, extra=(0, 0)))
    seen = read_picture(path)
    assert np.array_equal(seen.pixels, image[..., :3]) and seen.alpha is None
    assert "holds 5 bands, of which 3 make the picture" in seen.notes[0]
