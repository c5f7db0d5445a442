"""The main path through its public surface: any size, any depth, tiles, words, notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import lexifuse
from lexifuse import Fuser, Instruction
from lexifuse.datasets.synthetic import Scene, render_scene
from lexifuse.degradations import degrade_pair
from lexifuse.errors import InputError, ModelError, UsageError
from lexifuse.instruction import DEGRADATIONS
from lexifuse.runtime import split


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    infrared_dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    colour=st.booleans(),
    low_light=st.floats(0, 1),
)
def test_output_has_the_size_depth_and_colour_of_the_visible_image(
    fuser: Fuser, height: int, width: int, dtype: type, infrared_dtype: type, colour: bool, low_light: float
) -> None:
    rng = np.random.default_rng(height * 100 + width)
    infrared = _random(rng, (height, width), infrared_dtype)
    visible = _random(rng, (height, width, 3) if colour else (height, width), dtype)
    copies = infrared.copy(), visible.copy()
    result = fuser.fuse(infrared, visible, Instruction.from_dict({"visible": {"low_light": low_light}}))
    assert result.image.shape == visible.shape
    assert result.image.dtype == visible.dtype
    assert np.isfinite(result.image).all()
    np.testing.assert_array_equal(infrared, copies[0])
    np.testing.assert_array_equal(visible, copies[1])


def _random(rng: np.random.Generator, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    if dtype == np.float32:
        return rng.random(shape, dtype=np.float32)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def test_depths_agree(fuser: Fuser, day: Scene) -> None:
    eight = fuser.fuse(day.infrared, day.visible).image.astype(float) / 255
    sixteen = fuser.fuse(day.infrared.astype(np.uint16) * 257, day.visible.astype(np.uint16) * 257).image / 65535
    floats = fuser.fuse(day.infrared / np.float32(255), day.visible / np.float32(255)).image
    assert np.abs(eight - sixteen).max() <= 0.6 / 255
    assert np.abs(sixteen - floats).max() <= 1 / 65535


def test_a_plain_fusion_shows_both_sources(fuser: Fuser, night: Scene) -> None:
    fused = fuser.fuse(night.infrared, night.visible).image.astype(float) @ [0.299, 0.587, 0.114]
    visible = night.visible.astype(float) @ [0.299, 0.587, 0.114]
    assert np.corrcoef(fused.ravel(), visible.ravel())[0, 1] > 0.5
    assert np.corrcoef(fused.ravel(), night.infrared.ravel())[0, 1] > 0.3


def test_words_change_the_picture_as_they_say(fuser: Fuser, night: Scene) -> None:
    plain = fuser.fuse(night.infrared, night.visible)
    brighter = fuser.fuse(night.infrared, night.visible, "the visible image is very dark")
    assert brighter.instruction.visible.low_light == 0.9
    assert brighter.reading is not None
    assert brighter.image.mean() > 1.15 * plain.image.mean()
    assert brighter.carried_out.visible.low_light >= 0.75
    same = fuser.fuse(night.infrared, night.visible, brighter.carried_out)
    np.testing.assert_array_equal(same.image, brighter.image)


def test_balance_leans(fuser: Fuser, day: Scene) -> None:
    def distance(balance: float, source: np.ndarray) -> float:
        fused = fuser.fuse(day.infrared, day.visible, Instruction(balance=balance)).image @ [0.299, 0.587, 0.114]
        return float(np.abs(fused - source).mean())

    luma = day.visible @ np.array([0.299, 0.587, 0.114])
    assert distance(-1, luma) < distance(0, luma) < distance(1, luma)
    assert distance(1, day.infrared) < distance(0, day.infrared)


@pytest.mark.parametrize("tile", [640, 768])
@pytest.mark.parametrize(
    ("time", "damage"),
    [("night", {"low_light": 0.8, "noise": 0.5}), ("day", {"haze": 0.9})],  # a haze is judged by what lies far around
)
def test_tiles_leave_no_trace(fuser: Fuser, tile: int, time: str, damage: dict[str, float]) -> None:
    scene = render_scene(8, height=900, width=1100, time=time)
    severities = {f"visible.{name}": severity for name, severity in damage.items()}
    pair = lexifuse.read_pair(*degrade_pair(scene.infrared, scene.visible, severities, depth=scene.depth))
    conditioning = fuser.conditioning(pair, Instruction.from_dict({"visible": damage}))
    network = fuser.network
    whole = network.run(pair.infrared, pair.visible, conditioning).astype(int)
    tiled = network.run(pair.infrared, pair.visible, conditioning, tile=tile).astype(int)
    assert np.abs(whole - tiled).max() <= 1


@given(
    length=st.integers(1, 300).map(lambda n: 16 * n),
    tile=st.integers(20, 80).map(lambda n: 16 * n),
    overlap=st.integers(0, 120),
)
def test_tiles_cover_an_axis_with_weights_that_add_up_to_one(length: int, tile: int, overlap: int) -> None:
    total = np.zeros(length, np.float32)
    for piece in split(length, tile, overlap, 16):
        assert piece.start % 16 == 0
        assert piece.stop - piece.start <= max(tile, 0)
        total[piece.start : piece.stop] += piece.weights
    np.testing.assert_allclose(total, 1.0, atol=1e-6)


def test_paths_pillow_images_and_arrays_give_the_same(fuser: Fuser, pair_files: tuple[Path, Path], day: Scene) -> None:
    from_paths = fuser.fuse(*pair_files).image
    from_pillow = fuser.fuse(Image.fromarray(day.infrared), Image.fromarray(day.visible)).image
    np.testing.assert_array_equal(from_paths, from_pillow)
    np.testing.assert_array_equal(from_paths, fuser.fuse(day.infrared, day.visible).image)


def test_alpha_is_put_back(fuser: Fuser, tmp_path: Path, day: Scene) -> None:
    alpha = np.linspace(0, 255, day.infrared.size).reshape(day.infrared.shape).astype(np.uint8)
    result = fuser.fuse(day.infrared, Image.fromarray(np.dstack([day.visible, alpha])))
    np.testing.assert_array_equal(result.image, fuser.fuse(day.infrared, day.visible).image)
    result.save(tmp_path / "fused.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "fused.png"))[..., 3], alpha)


def test_one_line_use(pair_files: tuple[Path, Path], tmp_path: Path) -> None:
    lexifuse.fuse(*pair_files, "the visible image is hazy").save(tmp_path / "fused.png")
    assert lexifuse.read_image(tmp_path / "fused.png").shape == lexifuse.read_image(pair_files[1]).shape


def test_what_a_model_cannot_do_is_said(fuser: Fuser, day: Scene) -> None:
    result = fuser.fuse(day.infrared, day.visible, Instruction(highlight=("building",)))
    assert result.notes == ("left out: bring out building (nothing here can tell it apart)",)


def test_sizes_that_differ_are_named(fuser: Fuser, day: Scene) -> None:
    with pytest.raises(InputError, match=r"infrared 96x144, visible 192x144.*--resize"):
        fuser.fuse(day.infrared[:, :96], day.visible)
    resized = fuser.fuse(day.infrared[:, :96], day.visible, resize=True)
    assert resized.image.shape == day.visible.shape
    assert "resized from 96x144 to 192x144" in resized.notes[0]


def test_wrong_requests_are_refused(fuser: Fuser, day: Scene) -> None:
    with pytest.raises(UsageError, match="not int"):
        fuser.fuse(day.infrared, day.visible, 3)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"provider 'abacus' is not installed: choose from cpu"):
        lexifuse.load("compact", provider="abacus")


def test_what_is_no_pair_no_model_and_no_range_is_refused(fuser: Fuser, day: Scene) -> None:
    with pytest.raises(UsageError, match=r"a pair is what lexifuse.read_pair gives, not a tuple"):
        fuser.fuse_pair((day.infrared, day.visible))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="a model is a name or a folder, not list"):
        lexifuse.fuse(day.infrared, day.visible, model=["x"])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="infrared_range takes two numbers"):
        lexifuse.fuse(day.infrared, day.visible, infrared_range=(2, 1))


def test_one_range_holds_for_every_picture_of_a_film(fuser: Fuser, day: Scene) -> None:
    kelvin = 280 + 20 * (day.infrared / np.float32(255))
    plain = fuser.fuse(day.infrared, day.visible).image.astype(int)
    for result in (
        fuser.fuse(kelvin, day.visible, infrared_range=(280, 300)),
        fuser.session(kelvin, day.visible, infrared_range=(280, 300)).fuse(),
        lexifuse.fuse(kelvin, day.visible, infrared_range=(280, 300)),
    ):
        assert np.abs(result.image - plain).max() <= 1


@pytest.mark.parametrize("automatic", [True, False])
def test_every_number_of_an_instruction_stands(fuser: Fuser, night: Scene, automatic: bool) -> None:
    asked = Instruction().with_values(dict.fromkeys(DEGRADATIONS, 0.1))
    result = fuser.fuse(night.infrared, night.visible, asked, automatic=automatic)
    assert result.instruction == result.carried_out == asked
    if automatic:
        result = fuser.fuse(night.infrared, night.visible, Instruction.from_dict({"haze": 0.1}), automatic=True)
        assert result.instruction.visible.low_light > 0.2, "of what it does not name, the pixels speak"


def test_threads_do_not_change_the_picture(fuser: Fuser, day: Scene) -> None:
    one = lexifuse.load("compact", threads=1).fuse(day.infrared, day.visible).image.astype(int)
    assert np.abs(one - fuser.fuse(day.infrared, day.visible).image).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((None,), {}, "a model is a name or a folder, not NoneType"),
        ((), {"threads": -1}, "threads must be a whole number from 0"),
        ((), {"threads": 1.5}, "threads must be a whole number from 0"),
        ((), {"threads": "2"}, r"threads must be a whole number from 0 \(all cores\), not '2'"),
    ],
)
def test_what_is_no_model_and_no_number_of_threads_is_refused(arguments: tuple, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        lexifuse.load(*arguments, **options)
