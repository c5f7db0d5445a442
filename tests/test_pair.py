"""The pair: two pictures on one grid, alpha kept apart, and everything that is wrong told at once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lexifuse.errors import InputError
from lexifuse.images import read_picture
from lexifuse.pair import ImagePair, from_float, luma, read_pair, to_float, write_image

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
DTYPES = ("uint8", "uint16", "float32")


def picture(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> NDArray[Any]:
    noise = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return noise if dtype == "float32" else np.rint(noise * np.iinfo(dtype).max).astype(dtype)


def refusal(infrared: Any, visible: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_pair(infrared, visible, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("infrared_dtype", DTYPES)
@pytest.mark.parametrize("visible_dtype", DTYPES)
@settings(max_examples=6, deadline=None)
@given(size=SIZES, colour=st.booleans())
def test_arrays_of_any_size_and_depth_pass_unchanged_and_uncopied(infrared_dtype, visible_dtype, size, colour):
    infrared = picture(size, infrared_dtype)
    visible = picture((*size, 3) if colour else size, visible_dtype, 1)
    pair = read_pair(infrared, visible)
    assert pair.infrared is infrared and pair.visible is visible
    assert (pair.height, pair.width, pair.has_colour) == (*size, colour)
    assert pair.alpha is None and pair.name == "pair" and pair.notes == ()


def test_paths_pillow_images_and_arrays_give_the_same_pair(tmp_path):
    infrared, visible = picture((6, 9)), picture((6, 9, 3), seed=1)
    write_image(tmp_path / "t.png", infrared)
    write_image(tmp_path / "street.png", visible)
    sources = [
        (infrared, visible),
        (tmp_path / "t.png", str(tmp_path / "street.png")),
        (Image.fromarray(infrared), Image.fromarray(visible)),
        (tmp_path / "t.png", visible),
    ]
    pairs = [read_pair(*source) for source in sources]
    for pair in pairs:
        assert np.array_equal(pair.infrared, infrared) and np.array_equal(pair.visible, visible)
    assert [pair.name for pair in pairs] == ["pair", "street", "pair", "t"]


def test_alpha_of_the_visible_is_kept_apart_and_that_of_the_infrared_dropped():
    infrared, visible = picture((4, 5, 4)), picture((4, 5, 4), "uint16", 1)
    infrared[..., :3] = infrared[..., :1]
    pair = read_pair(infrared, visible)
    assert np.array_equal(pair.infrared, infrared[..., 0]) and pair.notes == ()
    assert np.array_equal(pair.visible, visible[..., :3])
    assert pair.alpha is not None and np.array_equal(pair.alpha, visible[..., 3])


def test_single_channel_and_double_precision_arrays_are_taken():
    pair = read_pair(picture((4, 5, 1)), picture((4, 5, 3), "float32").astype(np.float64))
    assert pair.infrared.shape == (4, 5) and pair.visible.dtype == np.float32


@pytest.mark.parametrize("dtype", DTYPES)
def test_infrared_with_three_equal_channels_is_grey(dtype):
    grey = picture((7, 8), dtype)
    pair = read_pair(np.dstack([grey] * 3), picture((7, 8, 3)))
    assert pair.notes == () and pair.infrared.dtype == grey.dtype
    assert np.allclose(pair.infrared, grey, rtol=1e-6, atol=0)


def test_grey_infrared_stored_as_colour_jpeg_is_grey(tmp_path):
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    Image.fromarray(np.dstack([smooth] * 3)).save(tmp_path / "ir.jpg", quality=50)
    pair = read_pair(tmp_path / "ir.jpg", np.zeros((64, 64, 3), np.uint8))
    assert pair.infrared.ndim == 2 and pair.notes == ()


def test_coloured_infrared_goes_on_with_its_luma_and_a_note():
    infrared, visible = np.zeros((4, 5, 3), np.uint8), picture((4, 5, 3))
    infrared[..., 0] = 200
    pair = read_pair(infrared, visible)
    assert (pair.infrared == round(0.299 * 200)).all()
    assert pair.notes == ("the infrared picture is in colour: going on with its luma",)


@pytest.mark.parametrize("grey", [picture((4, 5)), np.dstack([picture((4, 5))] * 3)])
def test_swapped_pair_is_noticed(grey):
    pair = read_pair(picture((4, 5, 3), seed=1), grey)
    assert len(pair.notes) == 1
    assert "luma" in pair.notes[0] and "looks as if the two pictures are swapped" in pair.notes[0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_luma_is_the_weighted_sum(dtype):
    image = picture((9, 8, 3), dtype)
    exact = to_float(image) @ np.array([0.299, 0.587, 0.114], np.float32)
    step = {"uint8": 1 / 255, "uint16": 3 / 65535, "float32": 1e-6}[dtype]
    assert luma(image).dtype == image.dtype
    assert np.abs(to_float(luma(image)) - exact).max() <= step


# ---- sizes ----


def test_different_sizes_are_refused_with_both_sizes_and_the_mend():
    message = refusal(np.zeros((240, 320), np.uint8), np.zeros((480, 640, 3), np.uint8))
    assert "(infrared 320x240, visible 640x480)" in message
    assert "register them first, or let the infrared be resized" in message and "(resize=True, --resize)" in message


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=15, deadline=None)
@given(old=SIZES, new=SIZES, seed=st.integers(0, 2**31))
def test_resize_brings_the_infrared_to_the_visible_grid(dtype, old, new, seed):
    infrared, visible = picture(old, dtype, seed), picture((*new, 3))
    pair = read_pair(infrared, visible, resize=True)
    assert pair.infrared.shape == new and pair.infrared.dtype == infrared.dtype and pair.visible is visible
    floats = to_float(pair.infrared)
    assert floats.min() >= 0 and floats.max() <= 1
    if old == new:
        assert pair.notes == () and pair.infrared is infrared
    else:
        assert f"from {old[1]}x{old[0]} to {new[1]}x{new[0]}" in pair.notes[0]


def test_resize_keeps_flat_pictures_flat_and_tells_of_distortion():
    flat = np.full((20, 30), 77, np.uint8)
    pair = read_pair(flat, np.zeros((40, 60), np.uint8), resize=True)
    assert (pair.infrared == 77).all() and "aspect" not in pair.notes[0]
    pair = read_pair(flat, np.zeros((40, 90), np.uint8), resize=True)
    assert (pair.infrared == 77).all() and "aspect" in pair.notes[0]


# ---- bad input ----


def test_both_bad_files_are_named_at_once(tmp_path):
    (tmp_path / "empty.png").touch()
    message = refusal(tmp_path / "missing.png", tmp_path / "empty.png")
    assert "missing.png" in message and "empty.png" in message


def test_bad_arrays_are_told_by_their_role():
    good = picture((5, 5))
    assert "infrared" in refusal(np.full((5, 5), np.nan, np.float32), good)
    assert "visible" in refusal(good, good.astype(np.int64))


def test_truncated_pillow_image_is_refused():
    out = io.BytesIO()
    Image.fromarray(picture((60, 60, 3))).save(out, "PNG")
    broken = Image.open(io.BytesIO(out.getvalue()[:4000]))
    assert "visible" in refusal(picture((60, 60)), broken)


def test_notes_of_files_are_passed_on(tmp_path):
    frames = [Image.fromarray(picture((5, 5), seed=seed)) for seed in (0, 1, 2)]
    frames[0].save(tmp_path / "ir.tif", save_all=True, append_images=frames[1:])
    pair = read_pair(tmp_path / "ir.tif", picture((5, 5, 3)))
    assert np.array_equal(pair.infrared, picture((5, 5))) and "3 pictures" in pair.notes[0]


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros(5, np.uint8), "shape"),
        (np.zeros((5, 5, 2), np.uint8), "shape"),
        (np.zeros((5, 5, 5), np.uint8), "shape"),
        (np.zeros((2, 5, 5, 3), np.uint8), "shape"),
        (np.zeros((0, 5), np.uint8), "no pixels"),
        (np.zeros((5, 5), np.int32), "int32"),
        (np.zeros((5, 5), bool), "bool"),
        (np.full((5, 5), 2.0, np.float32), "scale"),
        (np.full((5, 5), np.nan, np.float32), "NaN"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(tmp_path, array, says):
    with pytest.raises(InputError, match=says):
        read_picture(array)
    with pytest.raises(InputError, match=says):
        write_image(tmp_path / "a.png", array)
    assert not list(tmp_path.iterdir())


def test_other_objects_are_refused():
    with pytest.raises(InputError, match="list"):
        read_picture([[0, 1]])  # type: ignore[arg-type]


# ---- floats ----


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@given(size=SIZES, seed=st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_to_float_and_back_changes_nothing(dtype, size, seed):
    image = picture(size, dtype, seed)
    floats = to_float(image)
    assert floats.dtype == np.float32 and floats.min() >= 0 and floats.max() <= 1
    assert np.array_equal(from_float(floats, dtype), image)


def test_from_float_rounds_and_clips():
    values = np.array([-0.5, 0.0, 0.4 / 255, 0.6 / 255, 1.0, 1.5], np.float32)
    assert from_float(values, np.uint8).tolist() == [0, 0, 0, 1, 255, 255]
    assert from_float(values, np.float32)[[0, -1]].tolist() == [0, 1]
    assert values[0] == -0.5


def test_a_pair_can_be_made_by_hand():
    pair = ImagePair(picture((3, 4)), picture((3, 4, 3)), name=Path("a/b.png").stem)
    assert (pair.height, pair.width, pair.has_colour, pair.name, pair.notes) == (3, 4, True, "b", ())


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (
            {"infrared": picture((3, 5))},
            r"infrared array of a pair has shape \(3, 5\), and its visible one \(3, 4, 3\)",
        ),
        ({"infrared": picture((3, 4, 3))}, r"infrared array of a pair has shape \(3, 4, 3\): give \(height, width\)$"),
        ({"infrared": picture((3, 4)).astype(np.int64)}, "infrared array of a pair is of type int64: give uint8"),
        ({"infrared": picture((3, 4)).astype(">u2")}, "is of type >u2: .*read_pair"),
        ({"infrared": "ir.png"}, "infrared array of a pair is a str"),
        ({"visible": picture((3, 4, 4))}, r"visible array of a pair has shape .* or \(height, width, 3\)"),
        ({"visible": picture((0, 4))}, r"has shape \(0, 4\)"),
        ({"visible": picture((3, 4, 3)).astype(np.float64)}, "of type float64"),
        ({"alpha": picture((3, 5))}, "alpha array of a pair has shape"),
        ({"alpha": picture((3, 4), "uint16")}, "alpha array of a pair is of type uint16, and its visible one uint8"),
    ],
)
def test_a_pair_made_by_hand_has_to_fit(parts: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        ImagePair(**{"infrared": picture((3, 4)), "visible": picture((3, 4, 3)), **parts})
    assert "\n" not in str(caught.value)
