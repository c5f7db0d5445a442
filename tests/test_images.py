"""One picture to a file and back: nothing is lost, every kind of file is read, bad ones are told in one line."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lexifuse.errors import InputError, LexifuseError, UsageError
from lexifuse.images import read_picture
from lexifuse.pair import from_float, read_image, to_float, write_image

LOSSLESS = [
    (".png", "uint8"),
    (".png", "uint16"),
    (".tif", "uint8"),
    (".tiff", "uint16"),
    (".tif", "float32"),
    (".bmp", "uint8"),
    (".webp", "uint8"),
]
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
ANY_SIZE = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def picture(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> NDArray[Any]:
    noise = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return noise if dtype == "float32" else np.rint(noise * np.iinfo(dtype).max).astype(dtype)


def one_line_error(path: Path, kind: type[LexifuseError] = InputError) -> str:
    with pytest.raises(kind) as caught:
        read_image(path)
    message = str(caught.value)
    assert "\n" not in message and path.name in message
    return message


@pytest.mark.parametrize(("suffix", "dtype"), LOSSLESS)
@pytest.mark.parametrize("channels", [(), (3,)])
@ANY_SIZE
@given(size=SIZES, seed=st.integers(0, 2**31))
def test_lossless_formats_give_back_what_was_written(tmp_path, suffix, dtype, channels, size, seed):
    image = picture((*size, *channels), dtype, seed)
    write_image(tmp_path / f"a{suffix}", image)
    back = read_image(tmp_path / f"a{suffix}")
    if suffix == ".webp" and image.ndim == 2:  # WebP knows no grey
        assert (back == back[..., :1]).all()
        back = back[..., 0]
    assert back.dtype == image.dtype and np.array_equal(back, image)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("channels", [(), (3,)])
@ANY_SIZE
@given(size=SIZES, seed=st.integers(0, 2**31))
def test_alpha_comes_back(tmp_path, suffix, channels, size, seed):
    image, alpha = picture((*size, *channels), seed=seed), picture(size, seed=seed + 1)
    write_image(tmp_path / f"a{suffix}", image, alpha=alpha)
    back = read_picture(tmp_path / f"a{suffix}")
    assert back.alpha is not None and np.array_equal(back.alpha, alpha)
    colour = image if image.ndim == 3 or suffix != ".webp" else np.dstack([image] * 3)
    assert np.array_equal(back.pixels, colour)


@pytest.mark.parametrize(("suffix", "dtype"), [(".png", "uint16"), (".tif", "uint16"), (".tif", "float32")])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_deep_alpha_comes_back(tmp_path, capfd, suffix, dtype, channels):
    image, alpha = picture((5, 7, *channels), dtype), picture((5, 7), dtype, 1)
    write_image(tmp_path / f"a{suffix}", image, alpha=alpha)
    back = read_picture(tmp_path / f"a{suffix}")
    assert back.alpha is not None and np.array_equal(back.alpha, alpha)
    assert np.array_equal(back.pixels, image if image.ndim == 3 else np.dstack([image] * 3))
    assert capfd.readouterr().err == ""


def test_a_fourth_channel_is_written_as_alpha_and_left_out_by_jpeg_and_bmp(tmp_path):
    image = picture((6, 5, 4))
    for suffix in (".png", ".bmp"):
        write_image(tmp_path / f"a{suffix}", image)
    back = read_picture(tmp_path / "a.png")
    assert back.alpha is not None and np.array_equal(back.alpha, image[..., 3])
    back = read_picture(tmp_path / "a.bmp")
    assert back.alpha is None and np.array_equal(back.pixels, image[..., :3])


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".webp"])
def test_deep_pictures_are_reduced_to_eight_bits(tmp_path, suffix, dtype):
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    write_image(tmp_path / f"a{suffix}", from_float(ramp, dtype))
    back = read_image(tmp_path / f"a{suffix}")
    expected = np.arange(256).reshape(16, 16)
    grey = back if back.ndim == 2 else back[..., 0]
    assert back.dtype == np.uint8 and np.abs(grey.astype(int) - expected).max() <= (4 if suffix == ".jpg" else 0)


def test_float_becomes_sixteen_bits_in_png(tmp_path):
    image = picture((4, 5, 3), "float32")
    write_image(tmp_path / "a.png", image)
    back = read_image(tmp_path / "a.png")
    assert back.dtype == np.uint16 and np.abs(to_float(back) - image).max() < 1 / 65535


def with_orientation(format_name: str, image: NDArray[Any], orientation: int) -> bytes:
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    options = {"lossless": True} if format_name == "WEBP" else {"quality": 100} if format_name == "JPEG" else {}
    Image.fromarray(image).save(out, format_name, exif=exif.tobytes(), **options)
    return out.getvalue()


TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: np.rot90(a, 2),
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}
"""What a viewer shows for each EXIF orientation of a stored array."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_every_exif_orientation_is_turned_upright(tmp_path, format_name, orientation):
    stored = cv2.resize(picture((3, 2, 3)), (24, 40), interpolation=cv2.INTER_NEAREST)
    (tmp_path / "a.bin").write_bytes(with_orientation(format_name, stored, orientation))
    seen, expected = read_image(tmp_path / "a.bin"), TURNED[orientation](stored)
    assert seen.shape == expected.shape and seen.flags.c_contiguous
    assert np.abs(seen.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_deep_colour_is_turned_upright_too(tmp_path, suffix, orientation):
    stored = picture((4, 3, 3), "uint16")
    path = tmp_path / f"a{suffix}"
    path.write_bytes(deep_png(stored, orientation) if suffix == ".png" else deep_tiff(stored, orientation))
    assert np.array_equal(read_image(path), TURNED[orientation](stored))


def deep_png(image: NDArray[Any], orientation: int = 1) -> bytes:
    """A 16-bit PNG of 1 to 4 channels with an eXIf chunk, written out by hand."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[image.shape[2]]
    header = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in image)
    chunks = [(b"IHDR", header), (b"eXIf", exif.tobytes()[6:]), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def deep_tiff(image: NDArray[Any], orientation: int = 1) -> bytes:
    """An uncompressed 16-bit RGB TIFF whose directory stands before its pixels, written out by hand."""
    (height, width, _), count = image.shape, 10
    bits_at = 8 + 2 + 12 * count + 4
    short, long = 3, 4
    tags = [
        (256, long, 1, width),
        (257, long, 1, height),
        (258, short, 3, bits_at),
        (259, short, 1, 1),
        (262, short, 1, 2),
        (273, long, 1, bits_at + 6),
        (274, short, 1, orientation),
        (277, short, 1, 3),
        (278, long, 1, height),
        (279, long, 1, image.nbytes),
    ]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    start = struct.pack("<2sHIH", b"II", 42, 8, count)
    return start + entries + struct.pack("<IHHH", 0, 16, 16, 16) + image.astype("<u2").tobytes()


def test_sixteen_bit_grey_with_alpha_stays_grey(tmp_path):
    stored = picture((4, 6, 2), "uint16")
    (tmp_path / "a.png").write_bytes(deep_png(stored))
    back = read_picture(tmp_path / "a.png")
    assert np.array_equal(back.pixels, stored[..., 0])
    assert back.alpha is not None and np.array_equal(back.alpha, stored[..., 1])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_pillow_images_of_every_mode_are_read(mode):
    grey = Image.fromarray(np.tile(np.array([0, 255, 255, 0], np.uint8), (4, 1)))
    image = grey.convert("I;16").point(lambda v: v * 257) if mode == "I;16" else grey.convert(mode)
    if mode == "F":
        image = image.point(lambda v: v / 255)
    back = read_picture(image)
    assert (back.alpha is not None) == mode.endswith("A")
    level = to_float(back.pixels) * (257 if mode == "I" else 1)
    expected = np.asarray(grey) / 255
    assert np.abs(level - (expected if level.ndim == 2 else expected[..., None])).max() < 0.02


def test_transparent_palette_gives_alpha(tmp_path):
    image = Image.new("P", (3, 2), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "a.png", transparency=0)
    back = read_picture(tmp_path / "a.png")
    assert back.alpha is not None and back.alpha[0, 0] == 0 and back.alpha[1, 1] == 255
    assert tuple(back.pixels[1, 1]) == (10, 200, 30)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_of_many_frames_the_first_is_read_with_a_note(tmp_path, suffix):
    first, second = picture((8, 9, 3)), picture((8, 9, 3), seed=1)
    frames = [Image.fromarray(second)]
    Image.fromarray(first).save(tmp_path / f"a{suffix}", save_all=True, append_images=frames, lossless=True)
    back = read_picture(tmp_path / f"a{suffix}")
    assert np.array_equal(back.pixels, first)
    assert len(back.notes) == 1 and "2 pictures" in back.notes[0]


# ---- bad input ----


def test_missing_empty_folder_and_foreign_files_are_told_apart(tmp_path):
    assert "does not exist" in one_line_error(tmp_path / "missing.png")
    (tmp_path / "empty.png").touch()
    assert "empty" in one_line_error(tmp_path / "empty.png")
    (tmp_path / "folder.png").mkdir()
    assert "is a folder" in one_line_error(tmp_path / "folder.png")
    (tmp_path / "text.png").write_text("not a picture\n" * 20)
    assert "PNG, JPEG, TIFF, BMP or WebP" in one_line_error(tmp_path / "text.png")
    Image.new("L", (4, 4)).save(tmp_path / "a.gif")
    assert "PNG, JPEG, TIFF, BMP or WebP" in one_line_error(tmp_path / "a.gif")
    with pytest.raises(InputError, match=r"cannot be opened|does not exist"):
        read_image("nul\0byte.png")


@pytest.mark.parametrize(("suffix", "dtype"), [*LOSSLESS, (".jpg", "uint8")])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_truncated_files_are_refused(tmp_path, suffix, dtype, kept):
    path = tmp_path / f"a{suffix}"
    write_image(path, picture((64, 48, 3), dtype))
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert "damaged" in one_line_error(path)


@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_truncated_tiff_with_leading_directory_is_refused(tmp_path, capfd, kept):
    data = deep_tiff(picture((64, 48, 3), "uint16"))
    (tmp_path / "a.tif").write_bytes(data[: int(kept * len(data))])
    assert "damaged" in one_line_error(tmp_path / "a.tif")
    assert capfd.readouterr().err == ""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from([*LOSSLESS, (".jpg", "uint8")]), data=st.data())
def test_damaged_bytes_never_raise_anything_but_input_errors(tmp_path, kind, data):
    suffix, dtype = kind
    path = tmp_path / f"a{suffix}"
    write_image(path, picture((9, 11, 3), dtype))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert read_image(path).size
    except InputError as error:
        assert "\n" not in str(error)


def huge_png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IDAT"


def test_decompression_bombs_are_refused_by_their_header(tmp_path):
    (tmp_path / "bomb.png").write_bytes(huge_png(60000, 60000))
    message = one_line_error(tmp_path / "bomb.png")
    assert "60000x60000" in message and "LEXIFUSE_MAX_PIXELS" in message


def test_pixel_limit_can_be_set(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_image(path, picture((10, 20)))
    monkeypatch.setenv("LEXIFUSE_MAX_PIXELS", "199")
    assert "20x10" in one_line_error(path)
    monkeypatch.setenv("LEXIFUSE_MAX_PIXELS", "200")
    assert read_image(path).shape == (10, 20)
    monkeypatch.setenv("LEXIFUSE_MAX_PIXELS", "many")
    with pytest.raises(UsageError, match="LEXIFUSE_MAX_PIXELS"):
        read_image(path)


def test_pillows_own_limit_and_warnings_are_as_before_afterwards(tmp_path, monkeypatch, recwarn):
    write_image(tmp_path / "a.png", picture((10, 20, 3)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    assert read_image(tmp_path / "a.png").shape == (10, 20, 3)
    assert Image.MAX_IMAGE_PIXELS == 50 and not recwarn.list
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "a.png")


def test_opencvs_log_level_is_as_before_when_two_threads_have_read(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", picture((10, 20, 3), "uint16"))
    level, decode = cv2.utils.logging.getLogLevel(), cv2.imdecode
    first_reads, both_read = threading.Event(), threading.Event()

    def overlapping(*arguments):
        if threading.current_thread() is first:
            first_reads.set()
            both_read.wait(10)
        else:
            both_read.set()
            first.join(10)
        return decode(*arguments)

    monkeypatch.setattr(cv2, "imdecode", overlapping)
    first = threading.Thread(target=read_image, args=(tmp_path / "a.png",))
    first.start()
    assert first_reads.wait(10)
    read_image(tmp_path / "a.png")
    assert cv2.utils.logging.getLogLevel() == level


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize(("value", "says"), [(np.nan, "NaN"), (np.inf, "NaN or infinite"), (300.0, "scale"), (-1, "0")])
def test_float_tiff_with_unusable_values_is_refused(tmp_path, channels, value, says):
    image = picture((6, 5, *channels), "float32")
    image[2, 3] = value
    assert cv2.imwrite(str(tmp_path / "a.tif"), image)
    assert says in one_line_error(tmp_path / "a.tif")


def test_integers_beyond_sixteen_bits_are_refused(tmp_path):
    Image.fromarray(np.array([[0, 70000]], np.int32)).save(tmp_path / "a.tif")
    assert "70000" in one_line_error(tmp_path / "a.tif")
