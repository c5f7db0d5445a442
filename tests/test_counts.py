"""Raw counts: the stretch of the infrared, the range that can be named for it, and the note on the visible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import lexifuse
from lexifuse.datasets.synthetic import render_scene
from lexifuse.errors import InputError, UsageError
from lexifuse.pair import luma, read_pair, to_float


def picture(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> NDArray[Any]:
    noise = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return noise if dtype == "float32" else np.rint(noise * np.iinfo(dtype).max).astype(dtype)


def refusal(infrared: Any, visible: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_pair(infrared, visible, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("scale", "offset"), [(8, 7000), (16, 0), (4, 29000)])
def test_raw_counts_are_stretched_and_the_fusion_shows_what_is_hot(scale: int, offset: int) -> None:
    scene = render_scene(4, time="night")
    counts = scene.infrared.astype(np.uint16) * scale + offset
    pair = read_pair(counts, scene.visible)
    assert any("raw counts" in note for note in pair.notes)
    whole = np.corrcoef(pair.infrared.ravel(), scene.infrared.ravel())[0, 1]
    assert whole > 0.99 and np.ptp(pair.infrared) > 0.8 * 65535
    hot = scene.infrared > np.quantile(scene.infrared, 0.99)
    fused, wanted = (luma(lexifuse.fuse(infrared, scene.visible).image) for infrared in (counts, scene.infrared))
    assert float(fused[hot].mean()) > 0.8 * float(wanted[hot].mean())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_that_fill_their_depth_are_left_as_they_are(dtype: type) -> None:
    scene = render_scene(4)
    infrared = scene.infrared.astype(dtype) * (257 if dtype == np.uint16 else 1)
    pair = read_pair(infrared, scene.visible)
    assert np.array_equal(pair.infrared, infrared) and pair.notes == ()
    flat = 900 + np.random.default_rng(0).integers(0, 50, (40, 30)).astype(np.uint16)
    assert np.array_equal(read_pair(flat, flat).infrared, flat)


def _border(counts: NDArray[np.uint16], columns: int) -> NDArray[np.uint16]:
    counts = counts.copy()
    counts[:, :columns] = 0
    return counts


def _corner(counts: NDArray[np.uint16], value: int) -> NDArray[np.uint16]:
    counts = counts.copy()
    counts[:25, :25] = value
    return counts


def _warped(counts: NDArray[np.uint16]) -> NDArray[np.uint16]:
    height, width = counts.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 5, 1)
    return np.asarray(cv2.warpAffine(counts, turn, (width, height)), np.uint16)


@pytest.mark.parametrize("offset", [7000, 29000])
@pytest.mark.parametrize(
    "spoiled",
    [
        lambda counts: _border(counts, 1),
        lambda counts: _border(counts, 30),
        lambda counts: _corner(counts, 65535),
        lambda counts: _corner(_border(counts, 30), 65535),
        _warped,
    ],
    ids=["column", "border", "saturated", "both", "warped"],
)
def test_a_black_border_and_saturated_pixels_are_left_out_of_the_range_of_raw_counts(offset: int, spoiled: Any) -> None:
    scene = render_scene(4, time="night")
    counts = (offset + 1500 * (scene.infrared / 255)).astype(np.uint16)
    whole, pair = read_pair(counts, scene.visible), read_pair(spoiled(counts), scene.visible)
    assert len(pair.notes) == 1 and "raw counts" in pair.notes[0]
    assert np.abs(pair.infrared - spoiled(whole.infrared).astype(float)).mean() < 0.02 * 65535


@pytest.mark.parametrize(
    "spoiled", [lambda counts: _border(counts, 30), lambda counts: _corner(counts, 65535), _warped]
)
def test_a_picture_of_all_sixteen_bits_is_no_raw_one_whatever_its_border(spoiled: Any) -> None:
    scene = render_scene(4)
    infrared = spoiled(scene.infrared.astype(np.uint16) * 257)
    pair = read_pair(infrared, scene.visible)
    assert np.array_equal(pair.infrared, infrared) and pair.notes == ()


# ---- a range that was asked for ----


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        (lambda shades: (7000 + 1500 * shades).astype(np.uint16), (7000, 8500)),
        (lambda shades: (280 + 20 * shades).astype(np.float32), (280, 300)),
        (lambda shades: -5 + 35 * shades, (-5.0, 30.0)),
        (lambda shades: np.rint(-500 + 3500 * shades).astype(np.int16), (-500, 3000)),
        (lambda shades: np.rint(1e6 + 1e5 * shades).astype(np.int32), (1_000_000, 1_100_000)),
        (lambda shades: np.dstack([280 + 20 * shades] * 3), (280, 300)),
    ],
    ids=["counts", "kelvin", "celsius", "signed", "wide", "channels"],
)
def test_the_values_that_become_black_and_white_can_be_named(tmp_path: Path, values: Any, bounds: Any) -> None:
    shades = np.linspace(0, 1, 48 * 64).reshape(48, 64)
    infrared, visible = values(shades), picture((48, 64, 3))
    pair = read_pair(infrared, visible, infrared_range=bounds)
    assert pair.infrared.dtype == np.uint16 and pair.notes == ()
    assert np.abs(to_float(pair.infrared) - shades).max() < 1 / 1000
    if infrared.dtype != np.int32 and infrared.ndim == 2:
        assert cv2.imwrite(str(tmp_path / "ir.tif"), infrared)
        of_file = read_pair(tmp_path / "ir.tif", visible, infrared_range=bounds)
        assert np.array_equal(of_file.infrared, pair.infrared)
    low, high = bounds
    quarter = (high - low) / 4
    clipped = read_pair(infrared, visible, infrared_range=(low + quarter, high - quarter))
    assert np.abs(to_float(clipped.infrared) - np.clip(2 * shades - 0.5, 0, 1)).max() < 1 / 500


def test_a_range_that_holds_nothing_of_the_picture_is_told() -> None:
    kelvin = np.linspace(280, 300, 1200, dtype=np.float32).reshape(30, 40)
    pair = read_pair(kelvin, picture((30, 40, 3)), infrared_range=(-5, 30))
    assert pair.notes == ("the infrared picture holds values from 280 to 300, none of them in -5 to 30",)


@pytest.mark.parametrize("wrong", [(2, 1), (1, 1), (1,), (1, 2, 3), 3, "ab", (0, np.nan), (None, 1)])
def test_what_is_no_range_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"infrared_range takes two numbers.*such as \(7000, 8500\), not") as caught:
        read_pair(picture((4, 5)), picture((4, 5)), infrared_range=wrong)
    assert "\n" not in str(caught.value)


def test_the_range_is_named_where_it_is_the_mend(tmp_path: Path) -> None:
    good, kelvin = picture((5, 6)), np.full((5, 6), 290, np.float32)
    signed = np.full((5, 6), -445, np.int16)
    assert cv2.imwrite(str(tmp_path / "int16.tif"), signed)
    for infrared in (kelvin, signed, tmp_path / "int16.tif"):
        assert "(infrared_range in Python and over HTTP, --infrared-range LOW,HIGH)" in refusal(infrared, good)
        assert "infrared_range" not in refusal(good, infrared)
    assert "signed integers from -445 to -445" in refusal(tmp_path / "int16.tif", good)
    assert "infrared_range" not in refusal(np.full((5, 6), np.nan, np.float32), good)
    assert "NaN" in refusal(np.full((5, 6), np.nan, np.float32), good, infrared_range=(1, 2))


# ---- raw visible pictures ----


@pytest.mark.parametrize(("bits", "factor"), [(8, 256), (10, 64), (12, 16), (14, 4)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_visible_picture_that_may_be_raw_counts_is_told_and_left_alone(bits: int, factor: int, channels: Any) -> None:
    raw = np.random.default_rng(0).integers(0, 2**bits, (40, 50, *channels)).astype(np.uint16)
    pair = read_pair(picture((40, 50)), raw)
    assert np.array_equal(pair.visible, raw)
    (note,) = pair.notes
    assert f"nothing is above {raw.max()}" in note and note.endswith(
        f"counts of {bits} bits, multiply them by {factor}"
    )


@pytest.mark.parametrize(
    "visible", [picture((40, 50), "uint16"), np.zeros((40, 50), np.uint16), picture((40, 50)) // 16]
)
def test_other_visible_pictures_are_not_told_of_raw_counts(visible: NDArray[Any]) -> None:
    assert read_pair(picture((40, 50)), visible).notes == ()
