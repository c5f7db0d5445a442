"""The detector, its training: assignment and losses, samples, exact resumption, adapters, pseudo-labels, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("faster_coco_eval")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

from lexifuse.boxes import CLASSES, IGNORED, Detection
from lexifuse.datasets.annotated import AnnotatedBox, AnnotatedPair, AnnotationList, read_annotations
from lexifuse.detect import Detector, sort_out
from lexifuse.errors import InputError, LexifuseError, ModelError, UsageError
from lexifuse.images import write_image
from lexifuse.training.annotate import annotate
from lexifuse.training.detection_adapter import DetectorAdapter
from lexifuse.training.detection_export import export_detector, is_detector, load_detector_checkpoint
from lexifuse.training.detection_losses import IGNORE, assign, box_losses, detection_loss, quality_focal_loss
from lexifuse.training.detection_recipe import DetectorRecipe, load_detector_recipe
from lexifuse.training.detection_samples import DetectionSamples, crop
from lexifuse.training.detection_store import clip_boxes, open_windows
from lexifuse.training.detection_trainer import train_detector
from lexifuse.training.detector import CompactDetector, TrainableDetector
from lexifuse.training.pseudo_labels import PseudoThresholds, pseudo_labels

RECIPE = DetectorRecipe(
    widths=(4, 8, 8, 8, 8),
    neck=8,
    pictures="max",
    window=(96, 64),
    crop=(64, 64),
    batch=2,
    steps=6,
    warm_up=2,
    held_out=4,
)
NOTHING = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)


def small() -> CompactDetector:
    torch.manual_seed(0)
    return CompactDetector((4, 8, 8, 8, 8), 8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AnnotationList]:
    """Eight pairs with a bright upright box (a person) and a broad one (a vehicle)."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    pairs = []
    for number in range(8):
        infrared = rng.integers(0, 60, (64, 96), np.uint8)
        visible = rng.integers(0, 60, (64, 96, 3), np.uint8)
        infrared[20:44, 10:20], visible[30:46, 50:84] = 250, 220
        for kind, picture in (("ir", infrared), ("vi", visible)):
            write_image(root / kind / f"{number}.png", picture)
        boxes = AnnotatedBox((10, 20, 20, 44), "person"), AnnotatedBox((50, 30, 84, 46), "vehicle")
        pairs.append(AnnotatedPair("made", str(number), f"ir/{number}.png", f"vi/{number}.png", 96, 64, boxes, CLASSES))
    return root, AnnotationList(tuple(pairs))


def test_the_size_of_the_network_is_what_the_docs_say() -> None:
    assert 0.5e6 <= sum(weight.numel() for weight in CompactDetector().parameters()) <= 1.5e6


def test_the_loss_reaches_the_pictures() -> None:
    network = small()
    images = torch.rand(2, 3, 64, 96, requires_grad=True)
    targets = [(torch.tensor([[10.0, 20, 20, 44]]), torch.tensor([0])), NOTHING]
    loss = network.loss(images, targets)
    assert loss.ndim == 0
    loss.backward()
    assert images.grad is not None
    assert float(images.grad[0].abs().sum()) > 0
    assert isinstance(network, TrainableDetector)


def test_the_loss_can_be_taken_in_bfloat16() -> None:
    targets = [(torch.tensor([[10.0, 20, 20, 44]]), torch.tensor([0]))]
    with torch.autocast("cpu", torch.bfloat16):
        loss = small().loss(torch.rand(1, 3, 64, 96), targets)
    loss.backward()
    assert torch.isfinite(loss)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70))
def test_pictures_of_any_size_have_a_loss_and_detections_inside(height: int, width: int) -> None:
    network = small().eval()
    images = torch.rand(1, 3, height, width)
    box = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    assert torch.isfinite(network.loss(images, [(box, torch.tensor([1]))]))
    for item in network.detect(images, threshold=0.0)[0]:
        x0, y0, x1, y1 = item.box
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height


@pytest.mark.parametrize("kind", ["giou", "ciou"])
def test_losses_are_finite_without_boxes_for_one_pixel_and_for_nothing_but_doubt(kind: Any) -> None:
    found = small()(torch.rand(3, 3, 64, 64))
    pixel = torch.tensor([[5.0, 5.0, 6.0, 6.0]])
    targets = [NOTHING, (pixel, torch.tensor([0])), (pixel, torch.tensor([IGNORE]))]
    classification, boxes = detection_loss(found, targets, box_loss=kind)
    assert torch.isfinite(classification + boxes)
    assert float(boxes.detach()) > 0, "the one-pixel box is answered for"
    assert float(detection_loss(found, [NOTHING] * 3, box_loss=kind)[1].detach()) == 0


@pytest.mark.parametrize("kind", ["giou", "ciou"])
def test_box_losses_know_near_from_far(kind: Any) -> None:
    wanted = torch.tensor([[10.0, 10, 20, 30]])
    offsets = [torch.tensor([[shift, 0.0, shift, 0.0]]) for shift in (0, 2, 8, 40)]
    losses = [float(box_losses(wanted + offset, wanted, kind)) for offset in offsets]
    assert losses[0] == pytest.approx(0, abs=1e-4)
    assert losses == sorted(losses)


def test_quality_focal_loss_is_nought_where_the_answer_is_right() -> None:
    quality = torch.tensor([0.0, 0.4, 1.0])
    right = torch.tensor([-30.0, float(torch.logit(torch.tensor(0.4))), 30.0])
    assert float(quality_focal_loss(right, quality).sum()) == pytest.approx(0, abs=1e-6)
    assert float(quality_focal_loss(-right, quality).min()) > 0 or float(quality_focal_loss(-right, quality)[2]) > 1


def test_every_box_gets_a_cell_near_its_middle_however_small() -> None:
    found = small()(torch.rand(1, 3, 64, 96))
    boxes = torch.tensor([[4.0, 4, 5, 5], [40, 20, 80, 60], [70, 4, 74, 20]])
    cells, match = assign(
        found.logits[0].detach(),
        found.boxes[0].detach(),
        found.centres,
        found.strides,
        boxes,
        torch.tensor([0, 1, 0]),
    )
    assert set(match.tolist()) == {0, 1, 2}
    assert len(set(cells.tolist())) == len(cells), "a cell answers for one box"
    middle = (boxes[match, :2] + boxes[match, 2:]) / 2
    apart = (found.centres[cells] - middle).abs().max(1).values
    assert bool((apart < 2 * found.strides[cells]).all())


def test_cells_in_a_region_to_be_ignored_learn_nothing() -> None:
    found = small()(torch.rand(1, 3, 64, 64))
    everywhere = torch.tensor([[0.0, 0.0, 64.0, 64.0]])
    assert float(detection_loss(found, [(everywhere, torch.tensor([IGNORE]))])[0].detach()) == 0
    assert float(detection_loss(found, [NOTHING])[0].detach()) > 0


def test_a_detector_learns_a_picture_by_heart() -> None:
    network = small()
    images = torch.zeros(1, 3, 64, 96)
    images[:, :, 20:44, 30:42] = 1.0
    targets = [(torch.tensor([[30.0, 20, 42, 44]]), torch.tensor([0]))]
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(80):
        optimiser.zero_grad()
        network.loss(images, targets).backward()
        optimiser.step()
    (found,) = network.detect(images, 0.3)  # in training mode: the batch's own statistics
    assert [item.label for item in found] == ["person"]
    assert np.abs(np.array(found[0].box) - [30, 20, 42, 44]).max() < 4


def test_crops_keep_boxes_on_their_objects() -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[20:40, 30:50] = 255
    boxes = np.array([[30, 20, 50, 40, 0]], np.float32)
    for seed in range(12):
        cut, moved = crop(picture, boxes, RECIPE, np.random.default_rng(seed))
        assert cut.shape == (64, 64, 3)
        for x0, y0, x1, y1, label in moved:
            if label != IGNORE:
                inside = cut[round(float(y0)) : round(float(y1)), round(float(x0)) : round(float(x1))]
                assert inside.mean() > 200


def test_what_is_cut_off_is_ignored_or_gone() -> None:
    boxes = np.array([[-18, 0, 2, 10, 0], [-30, 0, -5, 10, 0], [5, 5, 15, 25, 1], [3, 3, 4, 4, 1]], np.float32)
    cut = clip_boxes(boxes, 64, 64)
    assert cut[:, 4].tolist() == [IGNORE, 1, IGNORE]


def test_samples_are_a_function_of_their_number(data: tuple[Path, AnnotationList], tmp_path: Path) -> None:
    store = open_windows(RECIPE, data[1], data[0], tmp_path)
    samples = DetectionSamples(RECIPE, store)
    for number in (0, 7):
        for first, second in zip(samples[number], samples[number], strict=True):
            torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert store.held_out.sum() == 2
    assert store.picture(0, "infrared").shape == store.picture(0, "visible").shape == (64, 96, 3)


def test_a_run_that_was_cut_short_goes_on_exactly(data: tuple[Path, AnnotationList], tmp_path: Path) -> None:
    root, annotations = data
    options: dict[str, Any] = {"accelerator": "cpu", "cache": tmp_path / "windows"}
    whole = train_detector(RECIPE, annotations, root, tmp_path / "whole", **options)
    train_detector(RECIPE, annotations, root, tmp_path / "halves", stop_after=3, **options)
    halves = train_detector(RECIPE, annotations, root, tmp_path / "halves", **options)
    first, second = load_file(whole.checkpoint), load_file(halves.checkpoint)
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=0, atol=0)
    assert set(halves.validation) >= {"AP50", "AP50-95", "best threshold"}
    with pytest.raises(ModelError, match="another recipe"):
        train_detector(RECIPE.model_copy(update={"seed": 1}), annotations, root, tmp_path / "halves", **options)


def test_an_exported_detector_says_what_the_network_says(data: tuple[Path, AnnotationList], tmp_path: Path) -> None:
    root, annotations = data
    result = train_detector(RECIPE, annotations, root, tmp_path / "run", accelerator="cpu", stop_after=1)
    assert is_detector(result.checkpoint)
    model = export_detector(result.checkpoint, tmp_path / "out", threshold=0.001, facts=annotations.facts)
    network, _, steps = load_detector_checkpoint(result.checkpoint)
    assert steps == model.card.training["steps"] == 1
    picture = np.random.default_rng(0).random((64, 96, 3), np.float32)
    boxes, scores = Detector(model, threads=1)._look(picture)
    with torch.no_grad():
        found = network(torch.from_numpy(picture).permute(2, 0, 1)[None])
    np.testing.assert_allclose(boxes * [96, 64, 96, 64], found.boxes[0].numpy(), atol=1e-2)
    np.testing.assert_allclose(scores, found.logits[0].sigmoid().numpy(), atol=1e-5)
    odd = Detector(model, threads=1).detect(picture[:50, :71])
    assert odd
    assert all(item.box[2] <= 71 and item.box[3] <= 50 for item in odd)


def test_a_class_without_objects_is_told(data: tuple[Path, AnnotationList], tmp_path: Path) -> None:
    pairs = tuple(
        AnnotatedPair(**{**vars_of(pair), "boxes": tuple(box for box in pair.boxes if box.label == "person")})
        for pair in data[1].pairs
    )
    with pytest.raises(InputError, match="no vehicle in any pair"):
        open_windows(RECIPE, AnnotationList(pairs), data[0], tmp_path)


def vars_of(pair: AnnotatedPair) -> dict[str, Any]:
    return {name: getattr(pair, name) for name in pair.__dataclass_fields__}


def test_a_class_that_is_not_labelled_is_not_learned_as_background(
    data: tuple[Path, AnnotationList], tmp_path: Path
) -> None:
    pair = AnnotatedPair(**{**vars_of(data[1].pairs[0]), "labelled": ("person",)})
    with pytest.raises(InputError, match=r"only person"):
        open_windows(RECIPE, AnnotationList((pair,)), data[0], tmp_path)


def test_pictures_of_another_size_than_their_boxes_are_told(data: tuple[Path, AnnotationList], tmp_path: Path) -> None:
    pair = AnnotatedPair(**{**vars_of(data[1].pairs[0]), "width": 200})
    with pytest.raises(InputError, match="boxes were drawn for 200x64"):
        open_windows(RECIPE, AnnotationList((pair,)), data[0], tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("steps: 5\ncrop: [100, 64]", "no multiple of 32"), ("steps: 5\ncolour: red", "colour"), ("steps: 0", "steps")],
)
def test_wrong_recipes_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_detector_recipe(tmp_path / "r.yaml")
    assert load_detector_recipe("detector").pictures == "compact"


class Foreign(nn.Module):
    """A detection model by torchvision's convention."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 1, 1)
        self.seen: list[dict[str, Tensor]] = []

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None) -> Any:
        if self.training:
            assert targets is not None
            self.seen = targets
            return {"a": torch.stack([self.layer(image).mean() for image in images]).sum(), "b": images[0].sum() * 0}
        boxes = torch.tensor([[0.0, 0, 5, 5], [0, 0, 5, 6], [1, 1, 9, 9]])
        one = {"boxes": boxes, "labels": torch.tensor([3, 3, 7]), "scores": torch.tensor([0.9, 0.8, 0.7])}
        return [one for _ in images]


def test_detectors_of_others_fit_in() -> None:
    model = Foreign()
    adapter = DetectorAdapter(model, {1: "person", 3: "vehicle"})
    assert isinstance(adapter, TrainableDetector)
    images = torch.rand(1, 3, 8, 8, requires_grad=True)
    boxes = torch.tensor([[0.0, 0, 4, 4], [1, 1, 3, 3], [2, 2, 8, 8]])
    adapter.loss(images, [(boxes, torch.tensor([1, IGNORE, 0]))]).backward()
    assert images.grad is not None
    assert float(images.grad.abs().sum()) > 0
    assert model.seen[0]["labels"].tolist() == [3, 1]
    ((found,),) = adapter.detect(images)
    assert (found.label, found.box) == ("vehicle", (0.0, 0.0, 5.0, 5.0))
    assert found.score == pytest.approx(0.9)


def test_pseudo_labels_join_both_spectra_and_leave_doubt_aside() -> None:
    infrared, visible = np.full((60, 80), 30, np.uint8), np.full((60, 80, 3), 120, np.uint8)
    infrared[40:56, 60:76] = 250  # warm, and nobody finds it

    def detect(view: np.ndarray, threshold: float) -> list[Detection]:
        assert threshold == 0.15
        if view.ndim == 2:
            return [Detection((10, 10, 20, 40), "person", 0.9), Detection((30, 5, 40, 20), "person", 0.2)]
        return [Detection((10, 11, 20, 41), "person", 0.5), Detection((0, 0, 80, 60), "vehicle", 0.9)]

    boxes = pseudo_labels(infrared, visible, detect, PseudoThresholds())
    assert [(box.label, box.box, box.source) for box in boxes if box.label != IGNORED] == [
        ("person", (10.0, 10.0, 20.0, 40.0), "pseudo")
    ]
    doubtful = [box.box for box in boxes if box.label == IGNORED]
    assert (30.0, 5.0, 40.0, 20.0) in doubtful
    assert any(x0 >= 55 and y0 >= 35 for x0, y0, _, _ in doubtful)


def test_pairs_without_labels_are_left_out_or_told(tmp_path: Path) -> None:
    for name in "ab":
        for kind, shape in (("ir", (32, 48)), ("vi", (32, 48, 3))):
            write_image(tmp_path / "made" / "train" / kind / f"{name}.png", np.full(shape, 100, np.uint8))
    with pytest.raises(InputError, match="has labels"):
        annotate(tmp_path, ["made"])
    (tmp_path / "made" / "train" / "labels").mkdir()
    (tmp_path / "made" / "train" / "labels" / "b.txt").write_text("0 0.5 0.5 0.1 0.2\n")
    (tmp_path / "made" / "classes.txt").write_text("person\n")
    found = annotate(tmp_path, ["made"])
    assert [pair.name for pair in found.pairs] == ["b"]
    assert found.facts["without_labels_left_out"] == 1
    assert found.pairs[0].labelled == ("person",)
    assert found.pairs[0].infrared == "made/train/ir/b.png"
    assert set(found.pairs[0].prompts) == {"objects", "scene", "request"}


def test_the_commands_make_a_list_and_a_detector(tmp_path: Path, data: tuple[Path, AnnotationList]) -> None:
    from typer.testing import CliRunner

    from lexifuse.cli import app
    from lexifuse.datasets.annotated import write_annotations

    run = CliRunner().invoke
    write_annotations(tmp_path / "list.json", data[1])
    (tmp_path / "r.yaml").write_text(RECIPE.model_dump_json())
    command = ["train", "detector", "--data", str(data[0]), "--annotations", str(tmp_path / "list.json")]
    command += ["--recipe", str(tmp_path / "r.yaml"), "--on", "visible", "-o", str(tmp_path / "run"), "--steps", "2"]
    done = run(app, [*command, "--accelerator", "cpu"])
    assert done.exit_code == 0, done.output
    checkpoint = str(tmp_path / "run" / "checkpoint.safetensors")
    made = run(app, ["export", checkpoint, "-o", str(tmp_path / "model"), "--threshold", "0.25"])
    assert made.exit_code == 0, made.output
    wrong = run(app, [*command[:-4], "--on", "sonar"])
    assert isinstance(wrong.exception, UsageError)
    nothing = run(app, ["train", "annotate", "--data", str(tmp_path), "--dataset", "none"])
    assert isinstance(nothing.exception, LexifuseError)
    assert read_annotations(tmp_path / "list.json") == data[1]


def test_detections_are_sorted_out() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [50, 50, 80, 80], [-5, -5, 0, 0]], np.float32)
    scores = np.array([[0.9, 0.0], [0.8, 0.7], [0.2, 0.1], [0.9, 0.9]], np.float32)
    found = sort_out(boxes, scores, 64, 64, 0.15)
    assert [(item.label, round(item.score, 1)) for item in found] == [
        ("person", 0.9),
        ("vehicle", 0.7),
        ("person", 0.2),
    ]
    assert found[2].box == (50.0, 50.0, 64.0, 64.0)
