"""The builder of annotation lists: pairs, boxes (labelled, rendered, pseudo) and prompts from measured properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.progress import track

from lexifuse.automatic import read_pixels
from lexifuse.boxes import CLASSES, IGNORED
from lexifuse.datasets import Dataset, PairFiles, open_dataset
from lexifuse.datasets.annotated import (
    AnnotatedBox,
    AnnotatedPair,
    AnnotationList,
    classes_labelled,
    labelled_boxes,
)
from lexifuse.datasets.scene_words import measured_scene, prompts_by_hand, prompts_of
from lexifuse.datasets.selection import spread
from lexifuse.datasets.synthetic import CLASSES as SCENE_CLASSES
from lexifuse.datasets.synthetic import save_dataset
from lexifuse.errors import InputError
from lexifuse.pair import ImagePair, read_pair
from lexifuse.training.pseudo_labels import Detect, PseudoThresholds, pseudo_labels

RENDERED = "synthetic"
_HEIGHT, _WIDTH = 320, 416
_SEED = 2_000_000
_PARTS = (("ir", "png"), ("vi", "png"), ("labels", "txt"))


def annotate(
    data: Path,
    datasets: Sequence[str],
    split: str = "train",
    *,
    detect: Detect | None = None,
    judged_by: Mapping[str, str] | None = None,
    thresholds: PseudoThresholds | None = None,
    limit: int = 0,
    rendered: Path | None = None,
    scenes: int = 0,
) -> AnnotationList:
    """Collect pairs with boxes and prompts.

    A pair with a label file gets its boxes from there; every other pair gets pseudo-labels, or is left out where there
    is no detector to make them.

    Args:
        data: folder of the data sets.
        datasets: their names.
        split: of the data sets.
        detect: makes pseudo-labels; see :func:`lexifuse.training.pseudo_labels.pseudo_labels`.
        judged_by: what is recorded of that detector: name, sha256.
        thresholds: of the pseudo-labels.
        limit: at most this many pairs of a data set, spread evenly; 0 takes all.
        rendered: folder of rendered scenes; those that are missing are rendered.
        scenes: how many of them.

    Raises:
        InputError: a label file or a picture cannot be used, or no pair is left.
    """
    thresholds = thresholds or PseudoThresholds()
    opened = [open_dataset(data, name, split) for name in datasets]
    if rendered is not None and scenes:
        opened.append(rendered_scenes(rendered, scenes))
    pairs: list[AnnotatedPair] = []
    without = 0
    for dataset in opened:
        items = spread(dataset.items, limit if dataset.name != RENDERED else 0)
        for item in track(items, description=dataset.name):
            if item.labels is None and detect is None:
                without += 1
                continue
            pairs.append(annotated(dataset, item, data, detect, thresholds))
    if not pairs:
        raise InputError(f"none of {', '.join(datasets)} ({split}) has labels: give a detector for pseudo-labels")
    found = AnnotationList(tuple(pairs))
    facts: dict[str, Any] = {
        "split": split,
        "without_labels_left_out": without,
        "detector": dict(judged_by or {}),
        "thresholds": asdict(thresholds) if detect is not None else {},
        "counts": found.counts(),
    }
    return AnnotationList(found.pairs, facts)


def annotated(
    dataset: Dataset, item: PairFiles, data: Path, detect: Detect | None, thresholds: PseudoThresholds
) -> AnnotatedPair:
    """One pair with boxes, measured properties and prompts; see :func:`annotate`."""
    pair = read_pair(item.infrared, item.visible, resize=True)
    boxes: tuple[AnnotatedBox, ...] = ()
    labelled = CLASSES
    if item.labels is not None:
        labelled = classes_labelled(dataset)
        source = "rendered" if dataset.name == RENDERED else "label"
        known = labelled_boxes(item, dataset, pair.width, pair.height)
        boxes = tuple(AnnotatedBox(box.box, box.label, source) for box in known)
    if detect is not None and (item.labels is None or labelled != CLASSES) and dataset.name != RENDERED:
        guessed = pseudo_labels(pair.infrared, pair.visible, detect, thresholds)
        wanted = set(CLASSES) if item.labels is None else set(CLASSES) - set(labelled)
        # Doubt about a class that a person has labelled is no doubt.
        boxes += tuple(box for box in guessed if box.label in wanted or (box.label == IGNORED and item.labels is None))
        labelled = CLASSES
    scene = _scene(dataset.name, pair, boxes)
    by_hand = prompts_by_hand(dataset.name, item.name)
    return AnnotatedPair(
        dataset.name,
        item.name,
        _relative(item.infrared, data),
        _relative(item.visible, data),
        pair.width,
        pair.height,
        boxes,
        labelled,
        prompts_of(scene) | by_hand,
        {**scene, "words": "hand" if by_hand else "measured"},
    )


def rendered_scenes(folder: Path, count: int) -> Dataset:
    """Rendered scenes with exact boxes in ``folder``; those that are not there yet are rendered."""
    numbers = range(_SEED, _SEED + count)
    missing = [number for number in numbers if not (folder / "labels" / f"{number:06d}.txt").is_file()]
    for number in track(missing, description="rendering") if missing else ():
        save_dataset(folder, 1, seed=number, height=_HEIGHT, width=_WIDTH)
    items = tuple(
        PairFiles(name, *(folder / part / f"{name}.{end}" for part, end in _PARTS))
        for name in (f"{number:06d}" for number in numbers)
    )
    return Dataset(RENDERED, items, SCENE_CLASSES)


def read_annotated(pair: AnnotatedPair, data: Path) -> ImagePair:
    """The pictures of an annotated pair.

    Raises:
        InputError: they cannot be read, or have another size than the boxes were drawn for.
    """
    found = read_pair(data / pair.infrared, data / pair.visible, resize=True)
    if (found.width, found.height) != (pair.width, pair.height):
        raise InputError(
            f"{pair.visible} is {found.width}x{found.height}, but its boxes were drawn for {pair.width}x{pair.height}: "
            "annotate it again"
        )
    return found


def _scene(dataset: str, pair: ImagePair, boxes: Sequence[AnnotatedBox]) -> dict[str, Any]:
    damaged = read_pixels(pair).instruction.asked_for()
    return measured_scene(dataset, pair.visible, [box.label for box in boxes], damaged)


def _relative(path: Path, data: Path) -> str:
    path, data = path.resolve(), data.resolve()
    return str(path.relative_to(data) if path.is_relative_to(data) else path)
