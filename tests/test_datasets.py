"""Pairs on disk: paired by stem in every layout people have, and clear words where nothing pairs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexifuse.datasets import Dataset, open_dataset, pair_folders
from lexifuse.datasets.ems import open_ems
from lexifuse.errors import InputError
from lexifuse.pair import read_pair, write_image


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(dataset: Dataset) -> list[str]:
    return [item.name for item in dataset.items]


def refusal(*arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        (pair_folders if len(arguments) == 2 and isinstance(arguments[1], Path) else open_dataset)(*arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- two folders ----


def test_folders_pair_by_stem_whatever_the_suffix(tmp_path):
    touch(*(tmp_path / "ir" / name for name in ("b.png", "a.TIF", "10.bmp", "only.png", ".hidden.png", "notes.txt")))
    touch(*(tmp_path / "vi" / name for name in ("a.jpeg", "b.webp", "10.JPG", "other.jpg", ".hidden.png", "b.txt")))
    dataset = pair_folders(str(tmp_path / "ir"), tmp_path / "vi")
    assert names(dataset) == ["10", "a", "b"]
    for item in dataset.items:
        assert item.infrared.parent.name == "ir" and item.visible.parent.name == "vi"
        assert item.infrared.stem == item.visible.stem == item.name and item.labels is None
    assert [path.name for path in dataset.unpaired] == ["only.png", "other.jpg"]
    assert dataset.name == tmp_path.name


@settings(max_examples=20, deadline=None)
@given(
    infrared=st.sets(st.text("abc019_ .", min_size=1, max_size=4).filter(lambda s: s.strip(" ."))),
    visible=st.sets(st.text("abc019_ .", min_size=1, max_size=4).filter(lambda s: s.strip(" ."))),
)
def test_every_file_is_either_paired_with_its_namesake_or_unpaired(tmp_path_factory, infrared, visible):
    infrared = {stem for stem in infrared if not stem.startswith(".")}
    visible = {stem for stem in visible if not stem.startswith(".")}
    folder = tmp_path_factory.mktemp("pairs")
    touch(folder / "ir" / "x.png", *(folder / "ir" / f"{stem}.png" for stem in infrared))
    touch(folder / "vi" / "x.jpg", *(folder / "vi" / f"{stem}.jpg" for stem in visible))
    dataset = pair_folders(folder / "ir", folder / "vi")
    assert set(names(dataset)) == (infrared & visible) | {"x"}
    assert {path.stem for path in dataset.unpaired} == infrared ^ visible


def test_two_files_with_one_stem_are_refused_by_name(tmp_path):
    touch(tmp_path / "ir" / "a.png", tmp_path / "ir" / "a.jpg", tmp_path / "vi" / "a.png")
    message = refusal(tmp_path / "ir", tmp_path / "vi")
    assert "a.png" in message and "a.jpg" in message


def test_two_files_with_one_stem_can_be_left_out(tmp_path):
    ir, vi = tmp_path / "ir", tmp_path / "vi"
    touch(ir / "a.png", ir / "a.jpg", ir / "b.png", ir / "c.png", ir / "alone.png")
    touch(vi / "a.png", vi / "b.png", vi / "c.png", vi / "c.webp", vi / "d.png", vi / "d.tif")
    dataset = pair_folders(ir, vi, go_on=True)
    assert names(dataset) == ["b"]
    assert [path.name for path in dataset.unpaired] == ["alone.png"]
    assert [one.name for one in dataset.shared_stems] == ["a", "c", "d"]
    assert dataset.shared_stems[0].infrared == (ir / "a.jpg", ir / "a.png")
    assert str(dataset.shared_stems[2]) == f"'{vi / 'd.png'}' and '{vi / 'd.tif'}' have the same stem: " + (
        "move one of them away"
    )
    (ir / "b.png").unlink()
    assert pair_folders(ir, vi, go_on=True).items == ()


def test_nothing_that_pairs_is_refused_with_examples(tmp_path):
    touch(tmp_path / "ir" / "IR_1.png", tmp_path / "vi" / "VIS_1.png")
    message = refusal(tmp_path / "ir", tmp_path / "vi")
    assert "IR_1" in message and "VIS_1" in message and "same name" in message


def test_missing_empty_and_identical_folders_are_refused(tmp_path):
    touch(tmp_path / "ir" / "a.png", tmp_path / "empty" / "readme.txt")
    assert "not a folder" in refusal(tmp_path / "ir", tmp_path / "missing")
    assert "not a folder" in refusal(tmp_path / "ir" / "a.png", tmp_path / "ir")
    assert "no pictures" in refusal(tmp_path / "ir", tmp_path / "empty")
    assert "both spectra" in refusal(tmp_path / "ir", tmp_path / "ir")


# ---- layouts ----


def test_own_layout_with_labels_and_classes(tmp_path):
    base = tmp_path / "yard"
    touch(base / "train/ir/1.png", base / "train/vi/1.jpg", base / "test/ir/2.png", base / "test/vi/2.webp")
    touch(base / "test/ir/3.png", base / "test/vi/3.png", base / "test/labels/3.txt")
    (base / "classes.txt").write_text("person\nbig car\n\n")
    test = open_dataset(tmp_path, "yard")
    assert names(test) == ["2", "3"] and test.classes == ("person", "big car") and test.name == "yard"
    assert [item.labels for item in test.items] == [None, base / "test/labels/3.txt"]
    assert names(open_dataset(tmp_path, "yard", "train")) == ["1"]


@pytest.mark.parametrize("folder", ["MSRS", "msrs", "MSRS-main"])
def test_msrs(tmp_path, folder):
    base = tmp_path / folder
    for split, stem in (("train", "00001D"), ("test", "00004N"), ("detection", "14")):
        touch(base / split / "ir" / f"{stem}.png", base / split / "vi" / f"{stem}.png")
    touch(base / "detection/labels/14.txt")
    assert names(open_dataset(tmp_path, "msrs")) == ["00004N"]
    assert names(open_dataset(tmp_path, "MSRS", "train")) == ["00001D"]
    detection = open_dataset(tmp_path, "msrs", "detection")
    assert detection.items[0].labels == base / "detection/labels/14.txt"
    assert detection.classes == ("person", "bike", "car")
    assert names(open_dataset(base, "msrs")) == ["00004N"], "the data set's own folder may be given as root"


@pytest.mark.parametrize("base", ["LLVIP", "LLVIP/LLVIP"])
def test_llvip(tmp_path, base):
    base = tmp_path / base
    for split, stem in (("train", "010001"), ("test", "190001")):
        touch(base / "infrared" / split / f"{stem}.jpg", base / "visible" / split / f"{stem}.jpg")
        touch(base / "Annotations" / f"{stem}.xml")
    for split, stem in (("train", "010001"), ("test", "190001")):
        dataset = open_dataset(tmp_path, "llvip", split)
        assert names(dataset) == [stem] and dataset.classes == ("person",)
        assert dataset.items[0].infrared == base / "infrared" / split / f"{stem}.jpg"
        assert dataset.items[0].labels == base / "Annotations" / f"{stem}.xml"


@pytest.mark.parametrize("split", ["test", "all"])
@pytest.mark.parametrize("base", ["M3FD_Fusion", "M3FD_Detection", "M3FD/M3FD_Fusion", "M3FD"])
def test_m3fd(tmp_path, base, split):
    base = tmp_path / base
    touch(base / "Ir/00000.png", base / "Vis/00000.png", base / "Annotation/00000.xml")
    dataset = open_dataset(tmp_path, "m3fd", split)
    assert names(dataset) == ["00000"] and dataset.classes[0] == "People"
    assert dataset.items[0].infrared == base / "Ir/00000.png"
    assert dataset.items[0].labels == base / "Annotation/00000.xml"


def test_m3fd_part_can_be_named(tmp_path):
    for part, stem in (("M3FD_Fusion", "1"), ("M3FD_Detection", "2")):
        touch(tmp_path / part / "Ir" / f"{stem}.png", tmp_path / part / "Vis" / f"{stem}.png")
    assert names(open_dataset(tmp_path, "m3fd")) == ["1"]
    assert names(open_dataset(tmp_path, "M3FD_Detection", "all")) == ["2"]


@pytest.mark.parametrize("folder", ["RoadScene", "RoadScene-master", "road-scene-infrared-visible-images-master"])
def test_roadscene_takes_the_registered_folders(tmp_path, folder):
    for below in ("infrared", "visible", "cropinfrared", "crop_HR_visible", "crop_LR_visible"):
        touch(tmp_path / folder / below / "FLIR_00006.jpg")
    item = open_dataset(tmp_path, "roadscene").items[0]
    assert (item.infrared.parent.name, item.visible.parent.name) == ("cropinfrared", "crop_LR_visible")


def test_tno_as_two_folders(tmp_path):
    touch(tmp_path / "TNO/ir/01.png", tmp_path / "TNO/vi/01.png")
    assert names(open_dataset(tmp_path, "tno", "all")) == ["01"]


def test_tno_as_released(tmp_path):
    base = tmp_path / "TNO_Image_Fusion_Dataset"
    scenes = {
        "Athena_images/heather": ("IR_hei_vis_g.bmp", "VIS_hei_vis_r.bmp"),
        "Athena_images/APC_1/view_1": ("IR_fk_06_005.bmp", "VIS_fk_06_005.bmp"),
        "Athena_images/airplane_in_trees": ("ir.bmp", "vis.bmp"),
        "DHV_images/wall": ("IR_163rad.bmp", "VIS_163dhvR.BMP", "NIR_163dhvG.BMP"),
        "Triclobs_images/Farm": ("Farm_IR.bmp", "Farm_Vis.bmp", "Farm_II.bmp"),
        "Triclobs_images/barbed_wire_2": ("c_LWIR-x_1110.tif", "a_VIS-x_1110.tif", "b_NIR-x_1110.tif"),
        "Triclobs_images/Kaptein_01": ("IR01.bmp", "Vis01.bmp", "NIR01.bmp"),
        "tank": ("LWIR.tif", "Vis.tif"),
    }
    for scene, files in scenes.items():
        touch(*(base / scene / file for file in files))
    touch(base / "Triclobs_images/House/NIR.bmp", base / "Triclobs_images/House/VIS.bmp", base / "README.txt")
    dataset = open_dataset(tmp_path, "tno")
    found = {item.name: (item.infrared.name, item.visible.name) for item in dataset.items}
    assert found == {scene.replace("/", "-"): files[:2] for scene, files in scenes.items()}


def test_ems_is_found_in_upper_and_lower_case(tmp_path):
    base = tmp_path / "TRAIN" / "LOW_LIGHT"
    touch(*(base / folder / "1.PNG" for folder in ("INFRARED", "Infrared_GT", "visible", "Visible_gt")))
    (base / "Text.TXT").write_text("it is dark\n")
    (base / "TEXT").mkdir()
    (base / "TEXT" / "More.TXT").write_text("brighten it\n")
    dataset = open_ems(tmp_path)
    assert dataset.degradations == ("visible.low_light",)
    assert dataset.prompts == {"visible.low_light": ("it is dark", "brighten it")}


def test_unknown_data_sets_splits_and_layouts_are_refused_with_what_is_there(tmp_path):
    touch(tmp_path / "msrs/test/ir/1.png", tmp_path / "msrs/test/vi/1.png", tmp_path / "other/x/y.png")
    touch(tmp_path / "M3FD_Fusion/Ir/1.png", tmp_path / "M3FD_Fusion/Vis/1.png")
    assert "msrs" in refusal(tmp_path, "nothing")
    assert "it holds test" in refusal(tmp_path, "msrs", "train")
    assert "not divided into splits" in refusal(tmp_path, "m3fd", "train")
    assert "it holds x" in refusal(tmp_path, "other")
    assert "not a folder" in refusal(tmp_path / "missing", "msrs")
    assert "no folders" in refusal(tmp_path / "other" / "x", "msrs")


def test_pairs_found_can_be_read(tmp_path):
    write_image(tmp_path / "d/test/ir/a.png", np.zeros((4, 5), np.uint8))
    write_image(tmp_path / "d/test/vi/a.webp", np.ones((4, 5, 3), np.uint8))
    item = open_dataset(tmp_path, "d").items[0]
    assert read_pair(item.infrared, item.visible).name == "a"


@pytest.mark.skipif("LEXIFUSE_DATA" not in os.environ, reason="LEXIFUSE_DATA names no folder of real pairs")
@pytest.mark.parametrize("name", ["msrs", "llvip", "m3fd", "roadscene", "tno"])
def test_real_pairs_are_registered_and_not_taken_for_swapped(name):
    for item in open_dataset(os.environ["LEXIFUSE_DATA"], name).items[:5]:
        pair = read_pair(item.infrared, item.visible)
        assert pair.infrared.shape == pair.visible.shape[:2] and pair.notes == ()
