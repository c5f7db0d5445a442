"""What is asked for by name stands out: warm shapes are pulled away from their surroundings, the rest stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lexifuse
from lexifuse import ImagePair, Instruction
from lexifuse.highlight import bring_out
from lexifuse.outlines import outlines


def _street(dtype: str = "uint8") -> tuple[ImagePair, np.ndarray]:
    """A cold street with a warm person in it, and its fusion, in which the person can hardly be seen."""
    infrared, fused = np.full((240, 320), 40, np.uint8), np.full((240, 320, 3), 100, np.uint8)
    infrared[100:160, 150:172] = 220
    fused[100:160, 150:172] = 110
    if dtype == "uint16":
        infrared, fused = infrared.astype(np.uint16) * 257, fused.astype(np.uint16) * 257
    elif dtype == "float32":
        infrared, fused = infrared.astype(np.float32) / 255, fused.astype(np.float32) / 255
    return ImagePair(infrared, fused), fused


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_warm_person_stands_out_and_the_rest_stays(dtype: str) -> None:
    pair, fused = _street(dtype)
    before = fused.copy()
    image, notes = bring_out(pair, fused, ["person"])
    assert image.dtype == fused.dtype
    assert image.shape == fused.shape
    assert notes == ()
    assert np.array_equal(fused, before), "the fusion itself is not changed"
    top = 1.0 if dtype == "float32" else float(np.iinfo(fused.dtype).max)
    change = (image.astype(np.float64) - fused) / top
    assert change[110:150, 155:167].min() > 0.1
    outside = np.ones(fused.shape[:2], bool)
    outside[90:170, 140:182] = False
    assert np.abs(change[outside]).max() == 0


def test_a_dark_object_is_made_darker_not_lost() -> None:
    pair, fused = _street()
    fused[100:160, 150:172] = 60
    image, _ = bring_out(pair, fused, ["person"])
    assert image[130, 160, 0] < 60 - 20


def test_a_dark_object_in_the_dark_is_made_lighter() -> None:
    pair, fused = _street()
    fused[:] = 40
    fused[100:160, 150:172] = 25
    image, _ = bring_out(pair, fused, ["person"])
    assert image[130, 160, 0] > 40 + 15


@pytest.mark.parametrize(
    ("vehicles", "people", "stands_out"),
    [
        ([(60.0, 60.0, 260.0, 200.0)], [], False),
        ([(60.0, 60.0, 260.0, 200.0)], [(148.0, 98.0, 174.0, 162.0)], True),
        ([(60.0, 60.0, 260.0, 200.0)], [(10.0, 10.0, 40.0, 80.0)], False),
        # Beside it, or so large in its box that it is rather the rider.
        ([(10.0, 60.0, 145.0, 200.0)], [], True),
        ([(145.0, 98.0, 178.0, 164.0)], [], True),
    ],
)
def test_parts_of_vehicles_are_no_people(vehicles: list, people: list, stands_out: bool) -> None:
    pair, fused = _street()
    image, notes = bring_out(pair, fused, ["person"], vehicles, people)
    assert np.array_equal(image, fused) != stands_out
    assert bool(notes) != stands_out
    hot, _ = bring_out(pair, fused, ["hot spot"], vehicles, people)
    assert not np.array_equal(hot, fused), "a wheel is as hot as it is"


def test_boxes_are_those_of_the_picture_and_not_of_the_view() -> None:
    pair, fused = _street()
    large = ImagePair(np.kron(pair.infrared, np.ones((4, 4), np.uint8)), np.kron(fused, np.ones((4, 4, 1), np.uint8)))
    image, _ = bring_out(large, large.visible, ["person"], [(240.0, 240.0, 1040.0, 800.0)])
    assert np.array_equal(image, large.visible)


def test_people_are_told_from_vehicles_by_their_shape() -> None:
    pair, fused = _street()
    image, notes = bring_out(pair, fused, ["car"])
    assert np.array_equal(image, fused)
    assert notes == ("nothing to bring out: found nothing that could be a car",)


def test_a_tree_before_a_clear_sky_is_not_warm() -> None:
    """It is warmer than the sky around it, and no warmer than the street."""
    pair, fused = _street()
    infrared = pair.infrared.copy()
    infrared[:90] = 0
    infrared[100:] = np.maximum(infrared[100:], 90)
    infrared[20:80, 200:222] = 95
    image, _ = bring_out(ImagePair(infrared, fused), fused, ["person"])
    assert np.abs(image[110:150, 155:167].astype(int) - fused[110:150, 155:167]).min() > 25
    assert np.array_equal(image[:90], fused[:90])


def _cold_van() -> np.ndarray:
    """A grey street with a textured red van in it."""
    fused = np.full((240, 320, 3), 100, np.uint8)
    fused[100:150, 120:200] = (140, 60, 60)
    return fused + np.random.default_rng(0).integers(0, 6, fused.shape, np.uint8)


def test_a_vehicle_stands_out_where_a_detector_saw_it() -> None:
    fused = _cold_van()
    pair = ImagePair(np.full((240, 320), 40, np.uint8), fused)
    image, notes = bring_out(pair, fused, ["car"], [(118.0, 98.0, 202.0, 152.0)])
    assert notes == ()
    change = np.abs(image.astype(int) - fused).max(-1)
    assert change[110:140, 130:190].min() > 15
    assert change[:80].max() == change[:, :90].max() == 0
    _, notes = bring_out(pair, fused, ["car"], [])
    assert notes == ("nothing to bring out: found nothing that could be a car",)


def test_an_outline_follows_the_object_not_its_box() -> None:
    picture = np.full((120, 160, 3), 90, np.uint8)
    y, x = np.mgrid[:120, :160]
    disc = (x - 80) ** 2 + (y - 60) ** 2 < 30**2
    picture[disc] = (200, 40, 40)
    picture += np.random.default_rng(0).integers(0, 6, picture.shape, np.uint8)
    mask = outlines(picture, [(48.0, 28.0, 113.0, 93.0)]).astype(bool)
    assert (mask & disc).sum() > 0.9 * (mask | disc).sum()
    assert np.array_equal(mask, outlines(picture, [(48.0, 28.0, 113.0, 93.0)]))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.tuples(*[st.floats(-40, 100)] * 4), st.booleans())
def test_outlines_of_any_box_in_any_picture(height: int, width: int, box: tuple, flat: bool) -> None:
    picture = np.full((height, width, 3), 9, np.uint8)
    if not flat:
        picture += np.random.default_rng(0).integers(0, 200, picture.shape, np.uint8)
    mask = outlines(picture, [box])
    assert mask.shape == (height, width)
    x0, y0, x1, y1 = box
    outside = np.ones((height, width), bool)
    outside[max(0, int(y0) - 2) : max(0, int(y1) + 3), max(0, int(x0) - 2) : max(0, int(x1) + 3)] = False
    assert not mask[outside].any()


def test_what_cannot_be_told_apart_is_said() -> None:
    pair, fused = _street()
    image, notes = bring_out(pair, fused, ["building"])
    assert np.array_equal(image, fused)
    assert notes == ("left out: bring out building (nothing here can tell it apart)",)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.booleans(), st.integers(0, 2**31))
def test_any_size_keeps_its_shape(height: int, width: int, grey: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    infrared = rng.integers(0, 256, (height, width), np.uint8)
    fused = rng.integers(0, 256, (height, width) if grey else (height, width, 3), np.uint8)
    image, _ = bring_out(ImagePair(infrared, fused), fused, ["person", "car", "hot spot"])
    assert image.shape == fused.shape
    assert image.dtype == fused.dtype


def test_a_large_picture_is_changed_at_its_own_size() -> None:
    pair, fused = _street()
    large = ImagePair(np.kron(pair.infrared, np.ones((6, 6), np.uint8)), np.kron(fused, np.ones((6, 6, 1), np.uint8)))
    image, _ = bring_out(large, large.visible, ["person"])
    small, _ = bring_out(pair, fused, ["person"])
    assert image.shape == large.visible.shape
    assert abs(int(image[780, 966, 0]) - int(small[130, 161, 0])) <= 3


def test_a_panorama_wider_than_opencv_maps_is_changed_too() -> None:
    infrared, fused = np.full((32, 33_000), 40, np.uint8), np.full((32, 33_000, 3), 100, np.uint8)
    infrared[:, 32_600:32_900], fused[:, 32_600:32_900] = 220, 110
    image, notes = bring_out(ImagePair(infrared, fused), fused, ["fire"])
    assert notes == ()
    change = np.abs(image.astype(int) - fused)
    assert change[:, 32_700:32_800].min() > 15
    assert change[:, :31_000].max() == 0


def test_words_bring_people_out_of_a_fusion(fuser: lexifuse.Fuser) -> None:
    pair, _ = _street()
    plain = fuser.fuse_pair(pair).image.astype(int)
    result = fuser.fuse_pair(pair, "make people stand out")
    assert result.instruction == Instruction(highlight=("person",))
    person, street = np.s_[110:150, 155:167], np.s_[:60]
    before = plain[person].mean() - plain[street].mean()
    after = result.image[person].mean() - result.image[street].mean()
    assert after > max(before * 1.1, before + 5) or result.image[person].mean() > 245
