"""One detector, many kinds of pictures: every row is trained by the same protocol and seeds and measured alike."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from lexifuse.boxes import CLASSES, Detection
from lexifuse.datasets.annotated import AnnotatedPair, AnnotationList
from lexifuse.detect import Detector
from lexifuse.errors import InputError
from lexifuse.files import atomic_file
from lexifuse.language.plain_words import NOTHING_ASKED
from lexifuse.metrics import NINE, fusion_metrics, luma
from lexifuse.metrics.average_precision import LabelledPicture, require
from lexifuse.pixels import change_depth
from lexifuse.training.annotate import read_annotated
from lexifuse.training.bilevel_recipe import Prompts
from lexifuse.training.bilevel_trainer import train_bilevel
from lexifuse.training.comparison_recipe import ComparisonRecipe, ComparisonRow
from lexifuse.training.detection_export import export_detector
from lexifuse.training.looks import Look, Picture, look_at, look_through
from lexifuse.training.still_pictures import train_on

LEAST_SCORE = 0.02
"""Detections below this score are not kept."""

Detect = Callable[[Picture], list[Detection]]
"""A picture (H, W, 3) uint8 to people and vehicles."""

_RESULT = "result.json"
_METRIC_PAIRS = 18  # spread over the list: the metrics of a pair take longer than to fuse it


@dataclass(frozen=True)
class LabelledPair:
    """A labelled pair that is measured on."""

    name: str
    infrared: Picture
    visible: Picture
    truth: LabelledPicture
    words: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """One row under one seed.

    Attributes:
        found: per test pair, what the detector that was trained on such pictures finds.
        frozen: the same of the frozen detector; empty where there is none.
        metrics: the nine metrics, mean of some of the test pairs; NaN where undefined.
    """

    found: tuple[tuple[Detection, ...], ...]
    frozen: tuple[tuple[Detection, ...], ...]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Setting:
    """What all rows share.

    Attributes:
        recipe: the rows, the protocol, the seeds.
        annotations: pairs to train on.
        data: folder of the data sets.
        out: folder of the comparison.
        fusions: name to checkpoint of a From Text to Pixels.
        detector: checkpoint that every row starts from; None: from scratch.
        frozen: a detector that nobody tuned to any of the pictures.
        frozen_id: what tells that detector from others, such as its SHA-256.
    """

    recipe: ComparisonRecipe
    annotations: AnnotationList
    data: Path
    out: Path
    fusions: Mapping[str, Path]
    detector: Path | None = None
    frozen: Detect | None = None
    frozen_id: str = ""

    @property
    def windows(self) -> Path:
        """Where the windows that are trained on are kept."""
        return self.out / "windows"


def compare(
    setting: Setting, tests: Sequence[LabelledPair], tell: Callable[[str], None] = lambda _text: None
) -> dict[str, list[Measured]]:
    """Train and measure every row with every seed, or go on where an interrupted call stopped.

    Args:
        setting: what all rows share.
        tests: the pairs to measure on, none of them trained on.
        tell: called with what is being done.

    Returns:
        Name of a row to its results, one for each seed. Rows of fusions that ``setting`` has no checkpoint of are left
        out.

    Raises:
        MissingExtraError: faster-coco-eval is not installed.
        InputError: a picture or checkpoint cannot be used, or words are missing.
        ModelError: a checkpoint holds another network.
    """
    require()
    results: dict[str, list[Measured]] = {}
    for row in setting.recipe.rows:
        if row.fusion is not None and row.fusion not in setting.fusions:
            tell(f"{row.title}: left out, no --fusion {row.fusion}=CHECKPOINT was given")
            continue
        seen: dict[str, Any] = {}
        for seed in setting.recipe.seeds:
            tell(f"{row.title}, seed {seed}")
            facts = _facts(setting, row, seed, tests)
            # A folder for each set of facts: a run is gone on with only where nothing that it came from has changed.
            digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
            folder = setting.out / row.name / f"seed-{seed}-{digest}"
            measured = _stored(folder / _RESULT, facts)
            if measured is None:
                measured = _run(setting, row, seed, folder, tests, seen)
                _keep(folder / _RESULT, facts, measured)
            results.setdefault(row.name, []).append(measured)
    return results


def read_labelled(annotations: AnnotationList, data: Path) -> list[LabelledPair]:
    """The pairs of a list that have labels of a person, read whole.

    What would tell of their labels is not told: ``objects`` names all classes.

    Raises:
        InputError: a picture cannot be read, or no pair has labels.
    """
    labelled = [pair for pair in annotations.pairs if any(box.source == "label" for box in pair.boxes)]
    if not labelled:
        raise InputError("no pair of the test list has labels: make it with `lexifuse train annotate --split test`")
    return [_read(pair, data) for pair in labelled]


def _read(pair: AnnotatedPair, data: Path) -> LabelledPair:
    read = read_annotated(pair, data)
    visible = read.visible if read.visible.ndim == 3 else np.repeat(read.visible[..., None], 3, axis=2)
    truth = LabelledPicture(
        pair.width, pair.height, tuple((box.box, box.label) for box in pair.boxes), tuple(pair.labelled)
    )
    words = {**pair.prompts, "objects": ", ".join(CLASSES), "none": NOTHING_ASKED}
    infrared, colours = (np.ascontiguousarray(change_depth(one, np.uint8)) for one in (read.infrared, visible))
    return LabelledPair(f"{pair.dataset}/{pair.name}", infrared, colours, truth, words)


def _run(
    setting: Setting, row: ComparisonRow, seed: int, folder: Path, tests: Sequence[LabelledPair], seen: dict[str, Any]
) -> Measured:
    """Train one row with one seed, export its detector, measure. ``seen`` keeps what does not depend on the seed."""
    training = setting.recipe.training_of(row, seed)
    together = row.fusion is not None and row.strategy != "sequential"
    if together:
        run = train_bilevel(
            training,
            setting.annotations,
            setting.data,
            folder,
            fusion=setting.fusions[row.fusion or ""],
            detector=setting.detector,
            accelerator="cpu",
            cache=setting.windows,
        )
        look, checkpoint = look_through(run.fusion), run.detector
    else:
        look = look_at(row.pictures) if row.pictures else look_through(setting.fusions[row.fusion or ""])
        checkpoint = train_on(
            look, training, setting.annotations, setting.data, folder, detector=setting.detector, cache=setting.windows
        )
    if together or not seen:
        seen.update(_looked(look, row.prompts, tests, setting.frozen))
    judge = Detector(export_detector(checkpoint, folder / "detector"), threads=1)
    found = tuple(tuple(judge.detect(picture, LEAST_SCORE)) for picture in seen["pictures"])
    return Measured(found, seen["frozen"], seen["metrics"])


def _looked(look: Look, prompts: Prompts, tests: Sequence[LabelledPair], frozen: Detect | None) -> dict[str, Any]:
    """The pictures of all test pairs, what the frozen detector finds in them, and their metrics."""
    pictures, rows = [], []
    measured = set(np.linspace(0, len(tests) - 1, min(_METRIC_PAIRS, len(tests))).astype(int).tolist())
    for number, pair in enumerate(track(tests, description="pictures")):
        if prompts not in pair.words:
            raise InputError(f"{pair.name} has no '{prompts}' words: annotate the test list again")
        picture = look(pair.infrared, pair.visible, pair.words[prompts])
        if number in measured:
            rows.append(fusion_metrics(luma(pair.infrared), luma(pair.visible), luma(picture)))
        pictures.append(picture)
    return {
        "pictures": pictures,
        "frozen": tuple(tuple(frozen(picture)) for picture in pictures) if frozen else (),
        "metrics": {name: _mean([row[name] for row in rows]) for name in NINE},
    }


def _mean(values: Sequence[float]) -> float:
    """Of those that are defined; NaN where none is."""
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _facts(setting: Setting, row: ComparisonRow, seed: int, tests: Sequence[LabelledPair]) -> dict[str, Any]:
    """Everything that a result depends on; other seeds and rows may come and go."""
    fusion = setting.fusions[row.fusion] if row.fusion is not None else None
    return {
        "training": setting.recipe.training_of(row, seed).model_dump(mode="json"),
        "row": row.model_dump(mode="json", exclude={"title"}),
        "fusion": _digest(fusion),
        "detector": _digest(setting.detector),
        "annotations": hashlib.sha256(repr(setting.annotations.pairs).encode()).hexdigest(),
        "frozen": setting.frozen_id if setting.frozen else "",
        "pairs": [pair.name for pair in tests],
    }


def _digest(checkpoint: Path | None) -> str:
    if checkpoint is None:
        return ""
    if not checkpoint.is_file():
        raise InputError(f"there is no checkpoint {checkpoint}: check the path")
    return hashlib.sha256(checkpoint.read_bytes()).hexdigest()


def _stored(path: Path, facts: Mapping[str, Any]) -> Measured | None:
    try:
        kept = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if kept.get("facts") != facts:
        return None
    found, frozen = (
        tuple(
            tuple(Detection(tuple(row[:4]), CLASSES[int(row[4])], row[5]) for row in picture)  # type: ignore[arg-type]
            for picture in kept[name]
        )
        for name in ("found", "frozen")
    )
    return Measured(found, frozen, kept["metrics"])


def _keep(path: Path, facts: Mapping[str, Any], measured: Measured) -> None:
    def rows(pictures: Sequence[Sequence[Detection]]) -> list[list[list[float]]]:
        return [
            [[*map(float, one.box), CLASSES.index(one.label), float(one.score)] for one in some] for some in pictures
        ]

    kept = {
        "facts": facts,
        "found": rows(measured.found),
        "frozen": rows(measured.frozen),
        "metrics": measured.metrics,
    }
    with atomic_file(path) as file:
        file.write(json.dumps(kept).encode())
