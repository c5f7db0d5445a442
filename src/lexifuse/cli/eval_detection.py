"""``lexifuse eval --detector``: how well people and vehicles are found in fused images, beside both sources."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lexifuse.cli.progress import progress

if TYPE_CHECKING:
    from lexifuse.datasets import Dataset
    from lexifuse.evaluation.detection import DetectionRow, WordsRow


def evaluate_detection(
    datasets: Sequence[Dataset],
    detector: str,
    models: Sequence[str],
    fused: Sequence[str],
    *,
    words: bool,
    limit: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure AP on the labelled pairs, and with ``words`` what words that point at a class do to recall.

    Args:
        datasets: of which the labelled pairs are used.
        detector: one of ours by name or folder, or a YOLOX ONNX file.
        models: fusion models by name; the default one where neither models nor folders are given.
        fused: ``DIR[=LABEL]`` options.
        words: also measure words, with each of the models.
        limit: at most this many labelled pairs of a data set, evenly spread; 0 takes all.
        out: folder for ``detection.json``.
        as_json: print JSON.
    """
    import lexifuse
    from lexifuse.evaluation.detection import (
        WORDS,
        detect_all,
        labelled_items,
        require_outputs,
        rows_of,
        source_methods,
        words_rows,
    )
    from lexifuse.evaluation.methods import (
        FusedFolder,
        check_labels,
        joint_folder_methods,
        model_method,
        trivial_methods,
    )
    from lexifuse.models import DEFAULT_MODEL
    from lexifuse.yolox import load_any_detector

    judge = load_any_detector(detector)
    folders = joint_folder_methods(
        [FusedFolder.parse(text, [one.name for one in datasets]) for text in fused], datasets
    )
    items, without = labelled_items(datasets, limit)
    fusers = [lexifuse.load(name) for name in models or ([] if fused else [DEFAULT_MODEL])]
    methods = [*source_methods(), *trivial_methods(), *folders, *map(model_method, fusers)]
    check_labels(methods)
    for method in folders:
        require_outputs(items, method)
    told = [(fuser, name) for fuser in fusers for name in WORDS] if words else []
    rows: list[DetectionRow] = []
    pointed: dict[str, list[WordsRow]] = {}
    with progress("detecting", len(items) * (len(methods) + len(told))) as advance:
        found = {method.label: detect_all(items, method, judge, advance) for method in methods}
        for fuser in fusers if words else ():
            after = {name: detect_all(items, model_method(fuser, text), judge, advance) for name, text in WORDS.items()}
            pointed[fuser.model.name] = words_rows(items, found[fuser.model.name], after)
        for label, detections in found.items():
            rows += rows_of(label, items, detections)
    result = {
        "detector": {"name": judge.name, "sha256": judge.sha256},
        "pairs_without_labels_left_out": without,
        "rows": [asdict(row) for row in rows],
        "words": {name: [asdict(row) for row in some] for name, some in pointed.items()},
    }
    _show(rows, pointed, as_json, result)
    if out is not None:
        from lexifuse.files import atomic_file

        with atomic_file(out / "detection.json") as file:
            file.write((json.dumps(_plain(result), indent=1) + "\n").encode())
        typer.echo(f"written to {out}: detection.json", err=True)


def _show(
    rows: Sequence[DetectionRow], pointed: dict[str, list[WordsRow]], as_json: bool, result: dict[str, Any]
) -> None:
    if as_json:
        typer.echo(json.dumps(_plain(result)))
        return
    for dataset in dict.fromkeys(row.dataset for row in rows):
        some = [row for row in rows if row.dataset == dataset]
        objects = ", ".join(f"{number} {name}" for name, number in some[0].objects.items())
        typer.echo(f"\n{dataset} ({some[0].pictures} labelled pairs: {objects})")
        typer.echo(
            f"  {'method':18s} {'AP50':>6s} {'95 % interval':>15s} {'AP50-95':>8s} {'person':>8s} {'vehicle':>8s}"
        )
        for row in some:
            low, high = row.intervals["AP50"]
            person, vehicle = (row.values["AP50"][name] for name in ("person", "vehicle"))
            typer.echo(
                f"  {row.label:18s} {_percent(row.values['AP50']['mean']):>6s} "
                f"{_percent(low) + ' to ' + _percent(high):>15s} {_percent(row.values['AP50-95']['mean']):>8s} "
                f"{_percent(person):>8s} {_percent(vehicle):>8s}"
            )
    for model, told in pointed.items():
        last = [row for row in told if row.dataset == told[-1].dataset]
        typer.echo(f"\nwords with {model}, {last[0].dataset}: recall at fixed false positives per picture")
        for row in last:
            low, high = row.interval
            typer.echo(
                f"  '{row.words}' {row.measured:8s} at {row.false_positives:g}: {_percent(row.without)} -> "
                f"{_percent(row.with_words)}  (difference {_percent(low)} to {_percent(high)})"
            )


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def _plain(value: Any) -> Any:
    """JSON has no NaN: null stands for what is undefined."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
