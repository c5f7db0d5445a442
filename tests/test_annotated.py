"""Labels and annotation lists: read, checked, mapped to our classes, written as JSON that follows its schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexifuse.boxes import CLASSES, IGNORED, class_of
from lexifuse.datasets import Dataset, PairFiles, open_dataset
from lexifuse.datasets.annotated import (
    SCHEMA_FILE,
    AnnotatedBox,
    AnnotatedPair,
    AnnotationList,
    classes_labelled,
    labelled_boxes,
    read_annotations,
    write_annotations,
)
from lexifuse.datasets.labels import read_labels
from lexifuse.datasets.scene_words import light_of, measured_scene, prompts_by_hand, prompts_of
from lexifuse.datasets.synthetic import save_dataset
from lexifuse.errors import InputError

PAIR = AnnotatedPair(
    "street",
    "0001",
    "street/train/ir/0001.png",
    "street/train/vi/0001.png",
    64,
    48,
    (AnnotatedBox((1.0, 2.0, 9.0, 30.0), "person"), AnnotatedBox((5.0, 5.0, 6.0, 6.0), IGNORED, "pseudo", 0.2)),
    CLASSES,
    {"objects": "person", "scene": "a street by day with one person", "request": "make the people stand out"},
    {
        "place": "a street",
        "light": "day",
        "weather": "clear",
        "counts": {"person": 1, "vehicle": 0},
        "degradations": [],
    },
)


def test_yolo_labels_become_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1 0.5 0.5 0.25 0.5\n\n0 0.01 0.5 0.04 0.1\n")
    first, second = read_labels(path, ("person", "car"), 200, 100)
    assert (first.name, first.box) == ("car", (75.0, 25.0, 125.0, 75.0))
    assert second.box == pytest.approx((0.0, 45.0, 6.0, 55.0)), "cut off at the edge"


def test_a_box_may_reach_over_the_edge_by_a_twentieth_of_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("0 0.5 0.01 0.2 0.1\n")
    (found,) = read_labels(path, ("person",), 100, 200)
    assert found.box == pytest.approx((40, 0, 60, 12)), "4 % are cut off"
    path.write_text("0 0.5 0.99 0.2 0.14\n")
    with pytest.raises(InputError, match="outside the 100x200 picture"):
        read_labels(path, ("person",), 100, 200)


def test_voc_labels_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    box = "<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
    path.write_text(f"<annotation><object><name>person</name>{box}</object></annotation>")
    (found,) = read_labels(path, (), 64, 48)
    assert (found.name, found.box) == ("person", (3.0, 4.0, 30.0, 40.0))


def test_an_empty_file_says_that_nothing_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    assert read_labels(tmp_path / "a.txt", ("person",), 64, 48) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2 0.5 0.5 0.1 0.1", "line 1: class 2 is unknown"),
        ("-1 0.5 0.5 0.1 0.1", "class -1 is unknown"),
        ("0 1.5 0.5 0.1 0.1", "lies outside the 64x48 picture"),
        ("0 320 240 50 60", "lies outside the 64x48 picture"),
        ("0 0.5 0.5 0 0.1", "the box is empty"),
        ("0 0.5 0.5 nan 0.1", "the box is empty"),
        ("0 0.5 0.5", "is no YOLO label"),
        ("person 0.5 0.5 0.1 0.1", "is no YOLO label"),
    ],
)
def test_wrong_labels_are_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_labels(tmp_path / "a.txt", ("person", "car"), 64, 48)
    assert "\n" not in str(caught.value)


def test_damaged_voc_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotation><object>")
    with pytest.raises(InputError, match="no Pascal VOC file"):
        read_labels(tmp_path / "a.xml", (), 64, 48)


def test_classes_of_others_are_ours_nothing_or_unknown() -> None:
    assert class_of("People") == "person"
    assert class_of("Feright_Car") == class_of("Bus") == "vehicle"
    assert class_of("Lamp") == ""
    assert class_of("zeppelin") is None
    assert class_of("people", ("person", "people")) == IGNORED, "KAIST's people are a crowd"


def test_an_unknown_class_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.1 0.1")
    item = PairFiles("a", tmp_path, tmp_path, tmp_path / "a.txt")
    with pytest.raises(InputError, match="unknown class 'zeppelin'"):
        labelled_boxes(item, Dataset("sky", (item,), ("zeppelin",)), 64, 48)
    assert labelled_boxes(item, Dataset("sky", (item,), ("lamp",)), 64, 48) == ()


def test_what_a_data_set_does_not_label_is_not_taken_for_absent() -> None:
    assert classes_labelled(Dataset("a", (), ("person", "people", "cyclist", "person?"))) == ("person",)
    assert classes_labelled(Dataset("a", (), ("Car", "Truck"))) == ("vehicle",)
    assert classes_labelled(Dataset("a", ())) == CLASSES


def test_rendered_labels_survive(tmp_path: Path) -> None:
    save_dataset(tmp_path / "rendered" / "all", 1, seed=3, height=96, width=128)
    listing = (tmp_path / "rendered" / "all" / "classes.txt").read_text()
    (tmp_path / "rendered" / "classes.txt").write_text(listing)
    dataset = open_dataset(tmp_path, "rendered", "all")
    boxes = labelled_boxes(dataset.items[0], dataset, 128, 96)
    assert {box.label for box in boxes} <= set(CLASSES)
    assert boxes


def test_a_list_is_written_as_its_schema_says_and_read_back(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema_rs")
    path = tmp_path / "list.json"
    written = AnnotationList((PAIR,), {"detector": {"name": "yolox"}})
    write_annotations(path, written)
    jsonschema.validator_for(json.loads(SCHEMA_FILE.read_text())).validate(json.loads(path.read_text()))
    assert read_annotations(path) == written
    assert written.counts() == {"street": {"pairs": 1, "person": 1, IGNORED: 1}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": [{"box": [0, 0, 90, 10], "label": "person"}]}, "outside the 64x48 picture"),
        ({"boxes": [{"box": [5, 5, 5, 10], "label": "person"}]}, "is empty or outside"),
        ({"boxes": [{"box": [5, 5, 10], "label": "person"}]}, "four numbers"),
        ({"boxes": [{"box": [0, 0, 9, 9], "label": "dog"}]}, "unknown label 'dog'"),
        ({"boxes": [{"box": [0, 0, 9, 9], "label": "person", "score": 2}]}, "a score lies in 0..1"),
        ({"boxes": [{"box": [0, 0, 9, 9], "label": "person", "source": "guess"}]}, "unknown source 'guess'"),
        ({"labelled": ["dog"]}, "unknown class 'dog'"),
        ({"prompts": {"poem": "…"}}, "unknown kind of prompt 'poem'"),
        ({"width": None}, "lacks or has a field"),
        ({"colour": "red"}, "lacks or has a field"),
    ],
)
def test_a_wrong_list_names_the_pair_and_the_mistake(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "list.json"
    write_annotations(path, AnnotationList((PAIR,)))
    data = json.loads(path.read_text())
    data["pairs"][0] = {name: value for name, value in {**data["pairs"][0], **change}.items() if value is not None}
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=message) as caught:
        read_annotations(path)
    assert "pair 1" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompts": None}, "'prompts' must be an object, not null"),
        ({"scene": []}, "'scene' must be an object"),
        ({"width": "10"}, "'width' must be a whole number, not \"10\""),
        ({"name": 7}, "'name' must be text, not 7"),
        ({"boxes": [{"box": [0, 0, 9, 9], "label": "person", "score": "sure"}]}, "lacks or has a field"),
        ({"boxes": [None]}, "lacks or has a field"),
    ],
)
def test_a_list_of_wrong_kinds_is_told_in_one_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "list.json"
    write_annotations(path, AnnotationList((PAIR,)))
    data = json.loads(path.read_text())
    data["pairs"][0] |= change
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=message) as caught:
        read_annotations(path)
    assert "pair 1" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_file_is_no_list(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    for text in ("{", "[]", '{"version": 99, "pairs": []}'):
        path.write_text(text)
        with pytest.raises(InputError, match="lexifuse train annotate"):
            read_annotations(path)


def test_words_say_what_was_measured() -> None:
    dark = np.full((8, 8, 3), 20, np.uint8)
    assert [light_of(np.full((8, 8), level, np.uint8)) for level in (20, 80, 150)] == ["night", "dusk", "day"]
    scene = measured_scene("msrs", dark, ["person", "person", "vehicle", IGNORED], ["visible.rain", "infrared.noise"])
    words = prompts_of(scene)
    assert words["objects"] == "person, vehicle"
    assert words["scene"] == (
        "a street at night in rain with two people and one vehicle; "
        "there is rain in the visible image; the infrared image is noisy"
    )
    assert words["request"].endswith("make the people and the vehicles stand out")
    assert prompts_of(measured_scene("other", dark, [], []))["objects"] == ""


def test_the_words_are_understood_as_they_were_meant() -> None:
    from lexifuse.language import read_prompt

    scene = measured_scene("msrs", np.full((8, 8, 3), 20, np.uint8), ["person"], ["visible.low_light"])
    understood = read_prompt(prompts_of(scene)["request"]).instruction
    assert understood.asked_for() == ("visible.low_light",)
    assert understood.highlight == ("person",)


def test_prompts_by_hand_are_understood() -> None:
    from lexifuse.datasets import scene_words
    from lexifuse.language import read_prompt

    rows = scene_words._by_hand()
    assert len(rows) >= 57, "about as many as there are labelled test images"
    asked = {words["request"] for words in rows.values()}
    plain = [words for words in asked if read_prompt(words).instruction.is_plain]
    assert not plain
    assert prompts_by_hand("msrs", "00131D")["scene"].startswith("a red taxi")
    assert prompts_by_hand("msrs", "nothing") == {}
