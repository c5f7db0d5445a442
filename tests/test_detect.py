"""Detection as users meet it: detectors from a folder, boxes on the screen and in files, over HTTP, and measured."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import lexifuse
from lexifuse.boxes import CLASSES, Detection, draw, overlaps, suppress, to_coco, to_yolo
from lexifuse.cli import app
from lexifuse.datasets import open_dataset
from lexifuse.datasets.synthetic import Scene
from lexifuse.detect import TASK, Detector, find_detector
from lexifuse.errors import InputError, LexifuseError, ModelError, UsageError
from lexifuse.evaluation.detection import detect_all, labelled_items, rows_of, source_methods, words_rows
from lexifuse.evaluation.methods import Method
from lexifuse.images import read_image, write_image
from lexifuse.models import Model, ModelCard, write_card
from lexifuse.yolox import YoloxDetector, load_any_detector

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper, numpy_helper

BOXES = np.array([[[4, 4, 12, 28], [5, 4, 12, 28], [20, 10, 44, 24]]], np.float32)
SCORES = np.array([[[0.9, 0.0], [0.6, 0.0], [0.1, 0.7]]], np.float32)
PERSON, CAR = Detection((4, 4, 12, 28), "person", 0.9), Detection((20, 10, 44, 24), "vehicle", 0.7)


def constant_network(path: Path, name: str, shape: list[Any], answers: dict[str, np.ndarray]) -> None:
    """An ONNX network that says the same of every picture."""
    nodes = [
        helper.make_node("ReduceMean", [name], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nought"], ["nothing"]),
    ]
    stored = [numpy_helper.from_array(np.array(0, np.float32), "nought")]
    for answer, value in answers.items():
        stored.append(numpy_helper.from_array(value, f"{answer}_value"))
        nodes.append(helper.make_node("Add", [f"{answer}_value", "nothing"], [answer]))
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
    outputs = [
        helper.make_tensor_value_info(answer, TensorProto.FLOAT, list(value.shape)) for answer, value in answers.items()
    ]
    graph = helper.make_graph(nodes, "constant", inputs, outputs, stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    folder = tmp_path / "detector"
    folder.mkdir()
    path = folder / "d.onnx"
    constant_network(path, "image", [1, 3, None, None], {"boxes": BOXES, "scores": SCORES})
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    facts = {"threshold": 0.3}
    return write_card(
        ModelCard("d", TASK, "d.onnx", sha256, "none", (), 32, 0, 1, 0.1, "Apache-2.0", facts, {}), folder
    )


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    write_image(tmp_path / "street.png", np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8))
    return tmp_path / "street.png"


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["detect", *arguments])
    if isinstance(result.exception, LexifuseError):
        raise result.exception
    assert result.exit_code in (0, 1), result.output
    return result


def test_a_detector_finds_what_its_network_says(model: Model, picture: Path) -> None:
    detector = Detector(model, threads=1)
    found = detector.detect(picture)
    assert [(item.label, item.box) for item in found] == [("person", PERSON.box), ("vehicle", CAR.box)]
    assert [item.score for item in found] == pytest.approx([0.9, 0.7])
    assert detector.detect(read_image(picture), 0.8) == found[:1]


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 80), st.integers(1, 80), st.sampled_from([np.uint8, np.uint16, np.float32]), st.sampled_from([0, 3])
)
def test_any_picture_is_taken(height: int, width: int, dtype: Any, channels: int) -> None:
    shape = (height, width, 3) if channels else (height, width)
    image = np.full(shape, 0.5 if dtype is np.float32 else 99, dtype)
    for item in DETECTOR.detect(image, 0.0):
        assert 0 <= item.box[0] < item.box[2] <= width
        assert 0 <= item.box[1] < item.box[3] <= height


@pytest.fixture(scope="module", autouse=True)
def _detector(tmp_path_factory: pytest.TempPathFactory) -> None:
    global DETECTOR
    folder = tmp_path_factory.mktemp("shared")
    constant_network(folder / "d.onnx", "image", [1, 3, None, None], {"boxes": BOXES, "scores": SCORES})
    sha256 = hashlib.sha256((folder / "d.onnx").read_bytes()).hexdigest()
    card = ModelCard("d", TASK, "d.onnx", sha256, "none", (), 32, 0, 1, 0.1, "Apache-2.0", {"longest": 40}, {})
    DETECTOR = Detector(write_card(card, folder), threads=1)


DETECTOR: Detector


def test_large_pictures_are_looked_at_smaller_and_told_in_their_own_pixels() -> None:
    (first, _) = DETECTOR.detect(np.zeros((60, 80), np.uint8))
    assert first.box == (8, 8, 24, 56), "40 pixels at most, so half the size"


def test_damaged_and_other_models_are_refused(model: Model) -> None:
    with pytest.raises(ModelError, match="made for fusion, not for detection"):
        Detector(replace(model, card=replace(model.card, task="fusion")))
    with pytest.raises(ModelError, match="provider 'abacus'"):
        Detector(model, provider="abacus")
    model.path.write_bytes(b"else")
    with pytest.raises(ModelError, match="damaged or was changed"):
        Detector(model)
    with pytest.raises(ModelError, match="there is no model 'none'"):
        find_detector("none")


def test_doubles_go_and_the_surest_stay() -> None:
    double = Detection((5, 4, 12, 28), "person", 0.6)
    other = Detection((5, 4, 12, 28), "vehicle", 0.5)
    assert suppress([double, PERSON, CAR, other]) == [PERSON, CAR, other]
    assert suppress([]) == []
    assert overlaps(np.array([[0, 0, 10, 10]]), np.array([[5, 0, 15, 10], [20, 20, 30, 30]])).tolist() == [[1 / 3, 0]]


def test_formats() -> None:
    assert to_coco([PERSON], 7) == [{"image_id": 7, "category_id": 1, "bbox": [4, 4, 8, 24], "score": 0.9}]
    assert to_yolo([CAR], 64, 32) == "1 0.500000 0.531250 0.375000 0.437500 0.700000\n"
    drawn = draw(np.zeros((60, 60), np.uint16), [PERSON])
    assert drawn.shape == (60, 60, 3)
    assert tuple(drawn[20, 4]) == (255, 196, 0)


def test_the_command_prints_json_coco_and_yolo(model: Model, picture: Path) -> None:
    told = json.loads(run(str(picture), "-m", str(model.folder)).stdout)
    assert told[0]["found"][0] == {"box": [4, 4, 12, 28], "label": "person", "score": 0.9}
    assert (told[0]["width"], told[0]["height"]) == (48, 32)
    coco = json.loads(run(str(picture), "-m", str(model.folder), "--format", "coco").stdout)
    assert [row["category_id"] for row in coco] == [1, 2]
    raised = picture.with_name("².png")  # a digit, of which int makes no number
    raised.write_bytes(picture.read_bytes())
    (first, *_) = json.loads(run(str(raised), "-m", str(model.folder), "--format", "coco").stdout)
    assert first["image_id"] == "²"
    yolo = run(str(picture), "-m", str(model.folder), "--format", "yolo", "--threshold", "0.8").stdout
    assert yolo.startswith("0 0.166667")
    assert yolo.count("\n") == 1


def test_the_command_writes_and_draws_many(model: Model, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / f"{name}.png").write_bytes(picture.read_bytes())
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    out, drawn = tmp_path / "labels", tmp_path / "drawn"
    command = [str(tmp_path / "in"), "-m", str(model.folder), "--format", "yolo", "-o", str(out), "--draw", str(drawn)]
    result = run(*command)
    assert result.exit_code == 1
    assert "failed" in result.stderr
    assert "1 person, 1 vehicle" in result.stdout
    assert sorted(path.name for path in out.iterdir()) == ["a.txt", "b.txt"]
    assert read_image(drawn / "a.png").shape == (32, 48, 3)


def test_a_folder_is_its_pictures(model: Model, picture: Path) -> None:
    folder = picture.parent / "in"
    (folder / "crops.png").mkdir(parents=True)
    for name in ("b.PNG", "a.webp", "._a.png", "notes.txt"):
        (folder / name).write_bytes(picture.read_bytes())
    result = run(str(folder), "-m", str(model.folder))
    assert [Path(one["image"]).name for one in json.loads(result.stdout)] == ["a.webp", "b.PNG"]
    assert result.exit_code == 0
    for path in folder.glob("[ab].*"):
        path.unlink()
    with pytest.raises(InputError, match="holds no pictures"):
        run(str(folder), "-m", str(model.folder))


def test_raw_infrared_is_looked_at_as_it_is_fused(tmp_path: Path, day: Scene) -> None:
    for name, shades in (("shades.png", day.infrared), ("counts.tif", 7000 + 6 * day.infrared.astype(np.uint16))):
        write_image(tmp_path / name, shades)
    found = []
    for name in ("shades.png", "counts.tif"):
        result = CliRunner().invoke(app, ["detect", str(tmp_path / name), "--threshold", "0.05"])
        assert result.exit_code == 0, result.output
        assert ("stretched" in result.stderr) == (name == "counts.tif")
        found.append(json.loads(result.stdout)[0]["found"][0])
    assert found[0]["label"] == found[1]["label"] and abs(found[0]["score"] - found[1]["score"]) < 0.1
    assert np.abs(np.subtract(found[0]["box"], found[1]["box"])).max() < 5


def test_a_pair_is_fused_first(model: Model, pair_files: tuple[Path, Path], tmp_path: Path) -> None:
    infrared, visible = map(str, pair_files)
    drawn = tmp_path / "found.png"
    told = json.loads(
        run(infrared, visible, "make people stand out", "-m", str(model.folder), "--draw", str(drawn)).stdout
    )
    assert [one["image"] for one in told] == [visible]
    assert read_image(drawn).shape == read_image(visible).shape
    assert len(json.loads(run(infrared, visible, "-m", str(model.folder)).stdout)) == 2, "two pictures, each by itself"
    assert len(json.loads(run(infrared, visible, "--fuse", "-m", str(model.folder)).stdout)) == 1


def test_wrong_calls_are_told(model: Model, picture: Path, tmp_path: Path) -> None:
    folder = str(model.folder)
    with pytest.raises(UsageError, match="--format takes json, coco, yolo"):
        run(str(picture), "-m", folder, "--format", "xml")
    with pytest.raises(UsageError, match="--fuse takes one infrared"):
        run(str(picture), "-m", folder, "--fuse")
    with pytest.raises(UsageError, match="would overwrite the picture"):
        run(str(picture), "-m", folder, "--draw", str(picture))
    with pytest.raises(InputError, match=r"nowhere\.png"):
        run(str(tmp_path / "nowhere.png"), "-m", folder)
    with pytest.raises(ModelError, match="there is no detector"):
        run(str(picture), "-m", str(tmp_path / "yolox.onnx"))


def test_a_yolox_network_is_decoded(tmp_path: Path) -> None:
    answer = np.full((1, 21, 85), -9.0, np.float32)
    answer[..., 4:] = 0
    cell = 1 * 4 + 2  # row 1, column 2 of the level with 8 pixels to a cell
    answer[0, cell, :5] = (0.5, 0.5, np.log(1.0), np.log(2.0), 0.9)
    answer[0, cell, 5 + 2] = 0.8  # a car
    constant_network(tmp_path / "yolox.onnx", "images", [1, 3, 32, 32], {"output": answer})
    detector = load_any_detector(str(tmp_path / "yolox.onnx"), threads=1)
    (found,) = detector.detect(np.zeros((64, 48), np.uint16))
    assert found.label == "vehicle"
    assert found.score == pytest.approx(0.72)
    assert found.box == pytest.approx((32, 8, 48, 40)), "the picture is shrunk by half"
    constant_network(tmp_path / "other.onnx", "images", [1, 3, 32, 32], {"output": answer[..., :6]})
    with pytest.raises(ModelError, match="not a YOLOX network"):
        YoloxDetector(tmp_path / "other.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"else")
    with pytest.raises(ModelError, match="cannot be run"):
        YoloxDetector(tmp_path / "bad.onnx")


def test_a_card_can_ask_for_a_second_look_at_half_the_size(model: Model, picture: Path) -> None:
    once = Detector(model, threads=1).detect(picture, 0.5)
    card = replace(model.card, training={**model.card.training, "scales": [1.0, 0.5]})
    twice = Detector(Model(card, model.folder), threads=1).detect(picture, 0.5)
    # The network of these tests gives the same boxes whatever it sees: twice as large in the whole picture.
    sides = np.array([48, 32, 48, 32])
    doubled = {tuple(np.minimum(2 * np.array(item.box), sides).tolist()) for item in once}
    assert {item.box for item in once} | doubled == {item.box for item in twice}


def test_the_service_detects(model: Model, pair_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi", reason="the service needs lexifuse[service]")
    from lexifuse.service import ServiceSettings, create_api
    from lexifuse.service.server import serve_in_background

    with serve_in_background(create_api(ServiceSettings(threads=1, detector=str(model.folder)))) as url:
        status, told = _post(f"{url}/v1/detect", pair_files, threshold="0.8", prompt="make people stand out")
        assert status == 200
        assert told["found"] == [{"box": [4, 4, 12, 28], "label": "person", "score": 0.9}]
        assert told["instruction"]["highlight"] == ["person"]
        assert (told["detector"], told["threshold"]) == ("d", 0.8)
        status, told = _post(f"{url}/v1/detect", pair_files, threshold="7")
        assert (status, told["type"]) == (422, "urn:lexifuse:problem:invalid")
    with serve_in_background(create_api(ServiceSettings(threads=1))) as url:
        status, told = _post(f"{url}/v1/detect", pair_files)
        assert (status, told["detector"]) == (200, "detector")
    monkeypatch.setattr("lexifuse.service.engine.detectors", list)
    with serve_in_background(create_api(ServiceSettings(threads=1))) as url:
        status, told = _post(f"{url}/v1/detect", pair_files)
        assert (status, told["type"]) == (501, "urn:lexifuse:problem:not-available")


def _post(url: str, pair: tuple[Path, Path], **values: str) -> tuple[int, dict[str, Any]]:
    parts = [f'name="{name}"\r\n\r\n'.encode() + value.encode() for name, value in values.items()]
    for name, path in zip(("infrared", "visible"), pair, strict=True):
        parts.append(f'name="{name}"; filename="{path.name}"\r\n\r\n'.encode() + path.read_bytes())
    body = b"".join(b"--edge\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--edge--\r\n"
    request = urllib.request.Request(url, body, {"Content-Type": "multipart/form-data; boundary=edge"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    rng = np.random.default_rng(0)
    for name in "abc":
        write_image(root / "made" / "test" / "ir" / f"{name}.png", rng.integers(0, 256, (32, 48), np.uint8))
        write_image(root / "made" / "test" / "vi" / f"{name}.png", rng.integers(0, 256, (32, 48, 3), np.uint8))
    (root / "made" / "test" / "labels").mkdir()
    for name in "ab":
        text = "0 0.166667 0.5 0.166667 0.75\n1 0.666667 0.53125 0.5 0.4375\n"
        (root / "made" / "test" / "labels" / f"{name}.txt").write_text(text)
    (root / "made" / "classes.txt").write_text("person\ncar\n")
    return root


def test_detection_is_measured_on_labelled_pairs(labelled: Path, model: Model) -> None:
    pytest.importorskip("faster_coco_eval")
    items, without = labelled_items([open_dataset(labelled, "made")])
    assert (len(items), without) == (2, 1)
    detector = Detector(model, threads=1)
    found = detect_all(items, source_methods()[1], detector)
    (row,) = rows_of("infrared", items, found, resamples=5)
    assert row.values["AP50"]["mean"] == pytest.approx(1, abs=1e-3)
    assert row.intervals["AP50"] == pytest.approx((1, 1), abs=1e-3)
    assert row.objects == {"person": 2, "vehicle": 2}
    blind = [[] for _ in items]
    rows = words_rows(items, blind, {"person": found}, resamples=5)
    assert {(one.measured, one.without, one.with_words) for one in rows} == {(name, 0.0, 1.0) for name in CLASSES}
    assert rows[0].interval == (1.0, 1.0)
    small = Method("small", lambda sources: sources.infrared[:5], lambda _item: "")
    with pytest.raises(InputError, match="another size"):
        detect_all(items, small, detector)
    lacking = Method("lacking", lambda sources: sources.infrared, lambda _item: "", has=lambda _item: False)
    with pytest.raises(InputError, match="no output for made/a"):
        detect_all(items, lacking, detector)


def test_the_eval_command_prints_and_writes(labelled: Path, model: Model, tmp_path: Path) -> None:
    pytest.importorskip("faster_coco_eval")
    command = ["eval", "--data", str(labelled), "--dataset", "made", "--detector", str(model.folder), "--words"]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "compact" in result.stdout
    assert "make the people stand out" in result.stdout
    written = json.loads((tmp_path / "out" / "detection.json").read_text())
    labels = {row["label"] for row in written["rows"]}
    assert {"visible", "infrared", "max", "compact"} <= labels
    assert written["pairs_without_labels_left_out"] == 1
    assert lexifuse.__version__
