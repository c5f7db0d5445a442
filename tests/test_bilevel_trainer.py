"""Fusion and detection trained together: what moves, exact resumption, what comes out, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("faster_coco_eval")

import torch
from safetensors.torch import load_file
from torch import Tensor
from typer.testing import CliRunner

import lexifuse
from lexifuse.boxes import CLASSES, Detection, class_of
from lexifuse.cli import app
from lexifuse.datasets.annotated import AnnotatedBox, AnnotatedPair, AnnotationList, write_annotations
from lexifuse.datasets.synthetic import CLASSES as SCENE_CLASSES
from lexifuse.datasets.synthetic import render_scene
from lexifuse.detect import load_detector
from lexifuse.errors import InputError, LexifuseError, ModelError, UsageError
from lexifuse.images import write_image
from lexifuse.language.plain_words import NOTHING_ASKED
from lexifuse.metrics import NINE
from lexifuse.metrics.average_precision import LabelledPicture
from lexifuse.training import comparison
from lexifuse.training.bilevel_recipe import BilevelRecipe, load_bilevel_recipe
from lexifuse.training.bilevel_samples import BilevelSamples, both_levels
from lexifuse.training.bilevel_trainer import train_bilevel
from lexifuse.training.checkpoint import save_checkpoint
from lexifuse.training.comparison import Measured, Setting, compare, read_labelled
from lexifuse.training.comparison_recipe import ComparisonRecipe, ComparisonRow, load_comparison_recipe
from lexifuse.training.comparison_table import table_rows, to_json, to_markdown
from lexifuse.training.detection_export import export_detector
from lexifuse.training.detection_recipe import DetectorRecipe
from lexifuse.training.detection_store import WindowStore
from lexifuse.training.detection_trainer import network_of
from lexifuse.training.export import export_model
from lexifuse.training.families import family_of
from lexifuse.training.looks import look_at, look_through
from lexifuse.training.recipe import CodebookShape, DataSource, Recipe, TextConditioning, TextToPixelsShape
from lexifuse.training.still_pictures import train_on
from lexifuse.training.text_encoders import EmbeddedEncoder

FUSION = Recipe(
    network="text-to-pixels",
    sources=(DataSource(name="synthetic", crops=1),),
    steps=1,
    text=TextConditioning(encoder="embedded", width=384, features="tokens"),
    text_to_pixels=TextToPixelsShape(
        width=4,
        blocks=(1, 0, 0),
        layers=1,
        heads=(1, 2, 2),
        expansion=1,
        text_width=4,
        window=2,
        codebook=CodebookShape(size=8, width=4),
        from_brighter=True,
        patch=2,
    ),
)
DETECTOR = DetectorRecipe(widths=(4, 8, 8, 8, 8), neck=8, window=(96, 64), crop=(64, 64), held_out=3, steps=1)
RECIPE = BilevelRecipe(steps=2, batch=2, crop=(64, 64), warm_up=0, fusion_rate=1e-2, detector_rate=1e-2)
STRATEGIES: list[Any] = ["joint", "alternating", "implicit", "sequential"]


def checkpoint(path: Path, network: torch.nn.Module, recipe: Recipe | DetectorRecipe) -> Path:
    average = torch.optim.swa_utils.AveragedModel(network, use_buffers=True)
    save_checkpoint(path, network, average, torch.optim.AdamW(network.parameters()), 1, recipe)
    return path


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Six rendered pairs with their boxes and words, and two networks to start from; the arguments of the trainer."""
    root = tmp_path_factory.mktemp("start")
    pairs = []
    for number in range(6):
        scene = render_scene(number, height=64, width=96)
        boxes = [(thing.box, class_of(thing.name, SCENE_CLASSES)) for thing in scene.objects]
        found = tuple(AnnotatedBox(tuple(map(float, box)), label) for box, label in boxes if label)  # type: ignore[arg-type]
        for kind, picture in (("ir", scene.infrared), ("vi", scene.visible)):
            write_image(root / kind / f"{number}.png", picture)
        files = f"ir/{number}.png", f"vi/{number}.png"
        prompts = {"objects": "person, vehicle" if found else "", "scene": "a street"}
        pairs.append(AnnotatedPair("rendered", str(number), *files, 96, 64, found, CLASSES, prompts))
    torch.manual_seed(0)
    return {
        "annotations": AnnotationList(tuple(pairs)),
        "data": root,
        "fusion": checkpoint(root / "fusion.safetensors", family_of(FUSION).network(), FUSION),
        "detector": checkpoint(root / "detector.safetensors", network_of(DETECTOR), DETECTOR),
        "cache": root / "windows",
        "text_encoder": EmbeddedEncoder(),
        "accelerator": "cpu",
    }


def averages(path: Path) -> dict[str, Tensor]:
    return {name: value for name, value in load_file(path).items() if name.startswith("average.module.")}


def changed(first: Path, second: Path) -> set[str]:
    before, after = averages(first), averages(second)
    assert before.keys() == after.keys()
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_moves_what_it_should_and_resumes_exactly(
    strategy: Any, start: dict[str, Any], tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"strategy": strategy})
    whole = train_bilevel(recipe, out=tmp_path / "whole", **start)
    assert whole.steps == 2
    assert set(whole.validation) >= {"AP50", "AP50-95"}
    moved = changed(start["fusion"], whole.fusion)
    if strategy == "sequential":
        assert not moved
    else:
        assert {name for name in moved if "infrared_extractor" in name}
        assert {name for name in moved if "transformer" in name}
        # The codes follow the upper level alone: once a step, whatever the lower one looks at.
        assert int(load_file(whole.fusion)["network.quantiser.codebook.updates"]) == 2
    assert {name for name in changed(start["detector"], whole.detector) if "stages.0" in name}

    assert train_bilevel(recipe, out=tmp_path / "halves", stop_after=1, **start).steps == 1
    halves = train_bilevel(recipe, out=tmp_path / "halves", **start)
    for first, second in zip((whole.checkpoint, whole.fusion), (halves.checkpoint, halves.fusion), strict=True):
        torch.testing.assert_close(load_file(first), load_file(second), rtol=0, atol=0)
    with pytest.raises(ModelError, match="another recipe"):
        train_bilevel(recipe.model_copy(update={"prompts": "scene"}), out=tmp_path / "halves", **start)


def test_one_command_makes_two_models_that_run(start: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE.model_dump_json())
    write_annotations(tmp_path / "list.json", start["annotations"])
    out = tmp_path / "run"
    command = ["train", "bilevel", "--data", start["data"], "--annotations", tmp_path / "list.json", "-o", out]
    command += ["--fusion", start["fusion"], "--detector", start["detector"], "--recipe", tmp_path / "r.yaml"]
    command += ["--strategy", "joint", "--prompts", "none", "--steps", 1, "--windows", start["cache"]]
    done = CliRunner().invoke(app, [*map(str, command), "--accelerator", "cpu"])
    assert done.exit_code == 0, done.output
    assert str(out / "fusion.safetensors") in done.output

    fusion = export_model(out / "fusion.safetensors", tmp_path / "fusion")
    detector = export_detector(out / "detector.safetensors", tmp_path / "detector", threshold=0.001)
    for model in (fusion, detector):
        together = model.card.training["together"]
        assert (together["steps"], together["recipe"]["strategy"], together["recipe"]["prompts"]) == (
            1,
            "joint",
            "none",
        )
    assert detector.card.training["pictures"] == "text-to-pixels"
    scene = render_scene(0, height=50, width=71)
    fused = lexifuse.load(fusion.folder).fuse(scene.infrared, scene.visible).image
    assert fused.shape == (50, 71, 3)
    assert load_detector(detector.folder).detect(fused)
    with pytest.raises(ModelError, match="holds two networks: take fusion"):
        export_model(out / "checkpoint.safetensors", tmp_path / "neither")

    wider = DETECTOR.model_copy(update={"neck": 12})
    other = checkpoint(tmp_path / "wider.safetensors", network_of(wider), wider)
    again = load_bilevel_recipe(tmp_path / "r.yaml", strategy="joint", prompts="none", steps=1)
    with pytest.raises(ModelError, match="made with another detector network"):
        train_bilevel(again, out=out, **{**start, "detector": other})


def store(prompts: tuple[dict[str, str], ...]) -> WindowStore:
    """Windows whose spectra are alike, with a bright object in a box."""
    count = len(prompts)
    grey = np.random.default_rng(0).integers(0, 90, (count, 64, 96), np.uint8)
    grey[:, 20:44, 30:60] = 255
    boxes = np.array([(number, 30, 20, 60, 44, 0) for number in range(count)], np.float32)
    colour = np.repeat(grey[..., None], 3, 3)
    numbers = np.arange(count, dtype=np.int32)
    return WindowStore(grey, colour, colour, boxes, numbers, numbers < 0, prompts)


def test_samples_are_cut_alike_and_told_the_chosen_words() -> None:
    recipe = DETECTOR.model_copy(update={"crop": (64, 64), "batch": 2})
    windows = store(({"objects": "person", "scene": "a street"},) * 3 + ({"objects": "", "scene": "a street"},))
    samples = BilevelSamples(recipe, windows, "objects")
    for number in range(4):
        sample = samples[number]
        assert all(torch.equal(sample["infrared"][0], plane) for plane in sample["visible"])
        for (x0, y0, x1, y1), label in zip(sample["target"][0].tolist(), sample["target"][1], strict=True):
            assert label or sample["visible"][:, round(y0) : round(y1), round(x0) : round(x1)].mean() > 0.7
    assert sorted(samples[number]["prompt"] for number in range(4)) == [NOTHING_ASKED, "person", "person", "person"]
    assert {BilevelSamples(recipe, windows, "none")[number]["prompt"] for number in range(4)} == {NOTHING_ASKED}
    batch = both_levels([samples[number] for number in range(4)])
    assert batch["upper"]["prompt"] + batch["lower"]["prompt"] == [samples[number]["prompt"] for number in range(4)]
    assert batch["upper"]["visible_target"].shape == (2, 3, 64, 64)
    with pytest.raises(InputError, match="pairs without 'request' prompts"):
        BilevelSamples(recipe, windows, "request")


def test_what_cannot_be_trained_is_told_in_one_line(start: dict[str, Any], tmp_path: Path) -> None:
    pairs = tuple(replace(pair, boxes=()) for pair in start["annotations"].pairs)
    compact = Recipe(sources=FUSION.sources, steps=1, widths=(4, 4, 4, 4))
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    wrong: list[tuple[dict[str, Any], type[LexifuseError], str]] = [
        ({"annotations": AnnotationList(pairs)}, InputError, "no person in any pair"),
        ({"fusion": tmp_path / "none.safetensors"}, InputError, "there is no checkpoint"),
        ({"fusion": tmp_path / "junk.safetensors"}, ModelError, "is not a checkpoint"),
        ({"fusion": start["detector"]}, ModelError, "holds the network 'detector'"),
        (
            {"fusion": checkpoint(tmp_path / "c.safetensors", family_of(compact).network(), compact)},
            ModelError,
            "holds the network 'compact'.*from a text-to-pixels",
        ),
        ({"detector": start["fusion"]}, ModelError, "not a detector"),
    ]
    for change, kind, message in wrong:
        with pytest.raises(kind, match=message) as caught:
            train_bilevel(RECIPE, out=tmp_path / "run", **{**start, **change})
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="larger than window"):
        train_bilevel(RECIPE.model_copy(update={"crop": (128, 128)}), out=tmp_path / "run", **start)
    with pytest.raises(UsageError, match="recipe bilevel: strategy: Input should be 'joint', 'alternating'"):
        load_bilevel_recipe("bilevel", strategy="sideways")
    assert load_bilevel_recipe("bilevel", prompts="scene", steps=None).prompts == "scene"


# ---- the comparison ----

ROWS = (
    ComparisonRow(name="visible", title="visible", pictures="visible"),
    ComparisonRow(name="max", title="brighter of both", pictures="max"),
    ComparisonRow(name="told", title="told the classes", fusion="small", prompts="objects"),
    ComparisonRow(name="joint", title="jointly", fusion="small", strategy="joint", prompts="objects"),
    ComparisonRow(name="absent", title="no checkpoint", fusion="another"),
)
COMPARISON = ComparisonRecipe(seeds=(0, 1), training=RECIPE, rows=ROWS)


def test_a_detector_alone_is_trained_as_under_training_together(start: dict[str, Any], tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"strategy": "sequential", "prompts": "objects", "detector_rate": 1e-3})
    together = train_bilevel(recipe, out=tmp_path / "together", **start)
    common = {"detector": start["detector"], "cache": start["cache"]}
    pair = start["annotations"], start["data"]
    alone = train_on(look_through(start["fusion"]), recipe, *pair, tmp_path / "alone", **common)
    other = train_on(look_at("infrared"), recipe, *pair, tmp_path / "other", **common)

    def apart(first: Path, second: Path) -> float:
        before, after = averages(first), averages(second)
        return sum(float((before[name].float() - after[name].float()).abs().sum()) for name in before)

    moved = apart(start["detector"], together.detector)
    rounding = apart(alone, together.detector)  # Pictures are rounded to 8 bits on the way.
    assert rounding < 0.1 * moved and rounding < 0.5 * apart(other, together.detector)


def test_what_a_look_makes_of_a_pair(start: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    infrared, visible = rng.integers(0, 256, (41, 60), np.uint8), rng.integers(0, 256, (41, 60, 3), np.uint8)
    looks = [look_at(name) for name in ("visible", "infrared", "max", "compact")] + [look_through(start["fusion"])]
    pictures = [look(infrared, visible, "a street") for look in looks]
    assert all(picture.shape == visible.shape and picture.dtype == np.uint8 for picture in pictures)
    assert (pictures[0] == visible).all() and (pictures[1][..., 2] == infrared).all()
    assert (pictures[2] >= pictures[1]).all()
    with pytest.raises(LexifuseError):
        look_at("nothing-of-that-name")


def test_a_comparison_measures_every_row_and_goes_on_where_it_stopped(
    start: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = read_labelled(start["annotations"], start["data"])
    frozen = load_detector(threads=1)
    fusions = {"small": start["fusion"]}
    said: list[str] = []
    setting = Setting(
        COMPARISON, start["annotations"], start["data"], tmp_path, fusions, start["detector"], frozen.detect
    )
    results = compare(setting, tests, said.append)
    assert list(results) == ["visible", "max", "told", "joint"]
    assert "no --fusion another=CHECKPOINT" in said[-1]
    for name, measured in results.items():
        assert len(measured) == 2 and all(len(one.found) == len(tests) for one in measured)
        # Pictures depend on the seed where the fusion is trained, and only there.
        assert (measured[0].metrics == measured[1].metrics) == (name != "joint")
    assert results["told"][0].metrics != results["visible"][0].metrics

    monkeypatch.setattr(comparison, "_run", lambda *_: pytest.fail("run again"))
    again = compare(setting, tests)
    assert {name: [one.found for one in some] for name, some in again.items()} == {
        name: [one.found for one in some] for name, some in results.items()
    }
    longer = COMPARISON.model_copy(update={"training": RECIPE.model_copy(update={"steps": 3})})
    with pytest.raises(pytest.fail.Exception, match="run again"):
        compare(replace(setting, recipe=longer), tests)
    with pytest.raises(pytest.fail.Exception, match="run again"):
        compare(replace(setting, detector=None), tests)


def test_the_table_has_paired_intervals() -> None:
    truth = [LabelledPicture(96, 64, (((10.0, 10.0, 30.0, 40.0), "person"),)) for _ in range(6)]
    hit = Detection((10.0, 10.0, 30.0, 40.0), "person", 0.9)
    miss = Detection((60.0, 10.0, 80.0, 40.0), "person", 0.95)

    def measured(hits: int) -> Measured:
        found = tuple((hit,) if number < hits else (miss,) for number in range(6))
        return Measured(found, found, dict.fromkeys(NINE, math.nan))

    results = {
        "visible": [measured(2), measured(2)],
        "max": [measured(4)] * 2,
        "told": [measured(2)] * 2,
        "joint": [measured(6)] * 2,
    }
    rows = {row.name: row for row in table_rows(COMPARISON, truth, results, resamples=50)}
    assert rows["joint"].ap50.value == pytest.approx(1.0) == rows["joint"].ap50.interval[0]
    assert rows["visible"].over_source is None and rows["visible"].over_sequential is None
    gained, alone = rows["max"].over_source, rows["joint"].over_sequential
    assert gained is not None and alone is not None
    assert gained.value == pytest.approx(rows["max"].ap50.value - rows["visible"].ap50.value)
    assert gained.interval[0] <= gained.value <= gained.interval[1]
    assert alone.value == pytest.approx(1 - rows["told"].ap50.value)
    frozen = rows["max"].frozen_over_source
    assert frozen is not None and frozen.value == pytest.approx(gained.value)
    text = to_markdown(list(rows.values()), COMPARISON, 6)
    assert "| jointly | 100.0 (100.0 to 100.0) |" in text and "| visible | - | - |" in text and "nan" not in text
    assert json.loads(json.dumps(to_json(list(rows.values()), COMPARISON, 6)))["pictures"] == 6


def test_the_comparison_is_one_command(start: dict[str, Any], tmp_path: Path) -> None:
    recipe = COMPARISON.model_copy(update={"rows": ROWS[:1], "seeds": (0,)})
    (tmp_path / "r.yaml").write_text(recipe.model_dump_json())
    write_annotations(tmp_path / "list.json", start["annotations"])
    command = ["train", "compare", "--data", start["data"], "--recipe", tmp_path / "r.yaml", "-o", tmp_path / "out"]
    command += ["--annotations", tmp_path / "list.json", "--detector", start["detector"]]
    done = CliRunner().invoke(app, [*map(str, command), "--test", str(tmp_path / "list.json")])
    assert done.exit_code == 0, done.output
    assert "| visible | " in done.output
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["rows"][0]["name"] == "visible"
    wrong = CliRunner().invoke(app, [*map(str, command), "--test", str(tmp_path / "list.json"), "--fusion", "x"])
    assert isinstance(wrong.exception, UsageError) or "NAME=CHECKPOINT" in wrong.output


def test_the_shipped_comparison_has_the_rows_of_the_paper() -> None:
    recipe = load_comparison_recipe("comparison")
    assert {row.strategy for row in recipe.rows} == set(STRATEGIES)
    assert {row.pictures for row in recipe.rows if row.pictures} >= {"visible", "infrared", "max", "compact"}
    assert {row.prompts for row in recipe.rows} >= {"none", "objects", "scene"}
    with pytest.raises(ValueError, match="either pictures or fusion"):
        ComparisonRow(name="x", title="x")
    with pytest.raises(ValueError, match="are for a fusion network"):
        ComparisonRow(name="x", title="x", pictures="max", strategy="joint")
    with pytest.raises(ValueError, match="two rows are named alike: visible"):
        ComparisonRecipe(training=RECIPE, rows=(ROWS[0], ROWS[0]))
