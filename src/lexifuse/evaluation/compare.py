"""A whole comparison: several data sets, every kind of method, and the files that it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from lexifuse.datasets import Dataset
from lexifuse.datasets.selection import spread
from lexifuse.evaluation.cache import ResultCache
from lexifuse.evaluation.methods import FusedFolder, Method, folder_methods, trivial_methods
from lexifuse.evaluation.pages import write_text
from lexifuse.evaluation.report import Section, find_cases, render_report
from lexifuse.evaluation.run import WORKERS, Evaluation, common_items, evaluate
from lexifuse.evaluation.table import Table, images_to_csv, make_table, to_csv, to_json, to_markdown
from lexifuse.metrics import NINE, NiqeParameters


@dataclass(frozen=True, eq=False)
class Comparison:
    """One data set, measured.

    Attributes:
        dataset: the pairs.
        methods: the rows.
        evaluation: every value.
        table: the summary.
    """

    dataset: Dataset
    methods: Sequence[Method]
    evaluation: Evaluation
    table: Table


@dataclass(frozen=True)
class Settings:
    """What is measured, and how.

    Attributes:
        metrics: names of metrics.
        niqe_parameters: adds NIQE.
        interval: adds bootstrap intervals.
        limit: at most this many pairs of a data set, spread evenly; 0 takes all.
        workers: pairs measured at the same time.
    """

    metrics: tuple[str, ...] = NINE
    niqe_parameters: NiqeParameters | None = None
    interval: bool = False
    limit: int = 0
    workers: int = WORKERS


class Job(NamedTuple):
    """One data set to measure.

    Attributes:
        dataset: the pairs.
        methods: the rows.
        missing: label -> names of the pairs without output, of the whole data set, for the methods that lack some.
    """

    dataset: Dataset
    methods: Sequence[Method]
    missing: Mapping[str, tuple[str, ...]]


def prepare(
    datasets: Sequence[Dataset], fused: Sequence[FusedFolder], models: Sequence[Method], limit: int = 0
) -> tuple[list[Job], list[str]]:
    """The rows of every data set: models, then folders, then the trivial fusions; and notes for the user.

    Raises:
        InputError: a folder of fused images cannot be used.
    """
    names = [dataset.name for dataset in datasets]
    jobs, notes = [], []
    for dataset in datasets:
        folders, left_out = folder_methods(fused, dataset, names)
        methods = [*models, *folders, *trivial_methods()]
        items, missing = common_items(dataset, methods)
        if limit:
            kept = {item.name for item in spread(items, limit)}
            dataset = replace(dataset, items=tuple(item for item in dataset.items if item.name in kept))
        jobs.append(Job(dataset, methods, missing))
        notes += left_out
    return jobs, notes


def compare(
    jobs: Sequence[Job],
    settings: Settings,
    cache: ResultCache,
    advance: Callable[[], None] = lambda: None,
) -> list[Comparison]:
    """Measure every data set. Arguments and errors as in :func:`lexifuse.evaluation.run.evaluate`."""
    results = []
    for dataset, methods, missing in jobs:
        evaluation = evaluate(
            dataset,
            methods,
            metrics=settings.metrics,
            niqe_parameters=settings.niqe_parameters,
            cache=cache,
            workers=settings.workers,
            advance=advance,
        )
        evaluation = replace(evaluation, missing=missing)
        results.append(Comparison(dataset, methods, evaluation, make_table(evaluation, interval=settings.interval)))
    return results


def write_results(folder: Path, comparisons: Sequence[Comparison]) -> list[Path]:
    """Write ``table.json``, ``table.csv``, ``table.md``, ``images.csv`` and ``report.html``; returns their paths.

    Raises:
        OutputError: the folder cannot be written to.
    """
    tables = [comparison.table for comparison in comparisons]
    evaluations = [comparison.evaluation for comparison in comparisons]
    sections = [
        Section(part.table, part.evaluation, find_cases(part.dataset, part.evaluation, part.methods))
        for part in comparisons
    ]
    contents = {
        "table.json": to_json(tables),
        "table.csv": to_csv(tables),
        "table.md": to_markdown(tables),
        "images.csv": images_to_csv(evaluations),
        "report.html": render_report(sections),
    }
    return [write_text(folder / name, text) for name, text in contents.items()]
