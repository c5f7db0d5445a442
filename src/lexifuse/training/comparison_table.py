"""The table of a comparison: AP of the trained and of the frozen detector with intervals, differences, nine metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.boxes import CLASSES, Detection
from lexifuse.metrics import NINE
from lexifuse.metrics.average_precision import LabelledPicture, average_precision
from lexifuse.metrics.detection_matches import interpolated_precision, match
from lexifuse.training.comparison import Measured
from lexifuse.training.comparison_recipe import ComparisonRecipe, ComparisonRow

RESAMPLES = 400
SOURCES = ("visible", "infrared")
"""Rows that every fusion has to beat."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """A mean over seeds with its 95 % bootstrap interval over pictures and seeds; 0..1, or a difference of such."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class TableRow:
    """One line.

    Attributes:
        name: of the row.
        title: what it is.
        ap50: of the detector trained on such pictures, mean of the classes.
        ap50_95: the same at overlaps of 0.5 to 0.95, mean over seeds.
        classes: class to AP50, mean over seeds.
        over_source: ``ap50`` minus that of the better single source; None where no source was measured.
        over_sequential: ``ap50`` minus that of the same fusion and words without training together, where that was
            measured.
        frozen: AP50 of the frozen detector; None where there was none.
        frozen_over_source: ``frozen`` minus that of the source which is better for the frozen detector.
        metrics: the nine metrics.
    """

    name: str
    title: str
    ap50: Figure
    ap50_95: float
    classes: Mapping[str, float]
    over_source: Figure | None
    over_sequential: Figure | None
    frozen: Figure | None
    frozen_over_source: Figure | None
    metrics: Mapping[str, float]


def table_rows(
    recipe: ComparisonRecipe,
    truth: Sequence[LabelledPicture],
    results: Mapping[str, Sequence[Measured]],
    *,
    resamples: int = RESAMPLES,
) -> list[TableRow]:
    """All figures of a comparison.

    Args:
        recipe: whose rows were measured.
        truth: of the pictures.
        results: name of a row to its results, one for each seed.
        resamples: of the bootstrap, the same for every row, so that differences are paired.
    """
    rows = {row.name: row for row in recipe.rows if row.name in results}
    trained = {name: _draws(truth, [one.found for one in results[name]], resamples) for name in rows}
    looked = {
        name: _draws(truth, [one.frozen for one in results[name]], resamples) for name in rows if _seen(results[name])
    }
    made = []
    for name, row in rows.items():
        some = results[name]
        values = [average_precision(truth, one.found) for one in some]
        alone = _alone(row, rows)
        made.append(
            TableRow(
                name,
                row.title,
                _figure(trained[name]),
                float(np.mean([value["AP50-95"]["mean"] for value in values])),
                {label: float(np.mean([value["AP50"][label] for value in values])) for label in CLASSES},
                _over_source(name, trained),
                _figure(trained[name] - trained[alone]) if alone else None,
                _figure(looked[name]) if name in looked else None,
                _over_source(name, looked) if name in looked else None,
                {metric: float(np.mean([one.metrics[metric] for one in some])) for metric in NINE},
            )
        )
    return made


def _seen(some: Sequence[Measured]) -> bool:
    """Whether a frozen detector looked at the pictures of a row."""
    return any(one.frozen for one in some)


def _over_source(name: str, draws: Mapping[str, NDArray[np.float64]]) -> Figure | None:
    """A row minus the better single source; None for a source itself, and where none was measured."""
    sources = [source for source in SOURCES if source in draws]
    if not sources or name in sources:
        return None
    return _figure(draws[name] - draws[max(sources, key=lambda source: draws[source][0])])


def to_markdown(rows: Sequence[TableRow], recipe: ComparisonRecipe, pictures: int) -> str:
    """Two tables, detection and metrics, with the protocol above them."""
    training = recipe.training
    lines = [
        f"Every detector was trained for {training.steps} steps of {training.batch} crops of "
        f"{training.crop[0]}x{training.crop[1]} from one start, with seeds {', '.join(map(str, recipe.seeds))}; "
        f"measured on {pictures} labelled pairs. AP in %, mean over seeds, with 95 % bootstrap intervals over pictures "
        "and seeds.",
        "",
        "| pictures | AP50 | AP50-95 | person | vehicle | over the better source | over sequential "
        "| frozen detector | over the better source |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            _shown(row.ap50),
            _percent(row.ap50_95),
            *(_percent(row.classes[label]) for label in CLASSES),
            _shown(row.over_source, sign="+"),
            _shown(row.over_sequential, sign="+"),
            _shown(row.frozen),
            _shown(row.frozen_over_source, sign="+"),
        ]
        lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    lines += ["", "| pictures | " + " | ".join(NINE) + " |", "|---" * (len(NINE) + 1) + "|"]
    lines += [f"| {row.title} | " + " | ".join(_metric(row.metrics[metric]) for metric in NINE) + " |" for row in rows]
    return "\n".join([*lines, ""])


def to_json(rows: Sequence[TableRow], recipe: ComparisonRecipe, pictures: int) -> dict[str, Any]:
    """All figures as data."""
    return {"recipe": recipe.model_dump(mode="json"), "pictures": pictures, "rows": [asdict(row) for row in rows]}


def _alone(row: ComparisonRow, rows: Mapping[str, ComparisonRow]) -> str | None:
    """The row of the same fusion under the same words that is not trained together."""
    if row.strategy == "sequential":
        return None
    for name, other in rows.items():
        if (other.fusion, other.prompts, other.strategy) == (row.fusion, row.prompts, "sequential"):
            return name
    return None


def _draws(
    truth: Sequence[LabelledPicture], seeds: Sequence[Sequence[Sequence[Detection]]], resamples: int
) -> NDArray[np.float64]:
    """AP50 in the mean of classes and seeds: (1 + resamples,), first of all pictures, then of resampled ones."""
    matched = [[match(truth, found, label) for label in CLASSES] for found in seeds]
    # A stream of its own for the pictures: rows of more seeds than others see the same resamples of them.
    of_pictures, of_seeds = np.random.default_rng(0), np.random.default_rng(1)

    def precision(pictures: NDArray[np.int64], some: NDArray[np.int64]) -> float:
        values = [[interpolated_precision(one.of(pictures)) for one in matched[seed]] for seed in some.tolist()]
        return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")

    everything, every_seed = np.arange(len(truth)), np.arange(len(seeds))
    found = [precision(everything, every_seed)]
    for _ in range(resamples):
        pictures = of_pictures.integers(len(truth), size=len(truth))
        found.append(precision(pictures, of_seeds.integers(len(seeds), size=len(seeds))))
    return np.array(found)


def _figure(draws: NDArray[np.float64]) -> Figure:
    known = draws[1:][~np.isnan(draws[1:])]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (float("nan"), float("nan"))
    return Figure(float(draws[0]), (float(low), float(high)))


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def _metric(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _shown(figure: Figure | None, sign: str = "") -> str:
    if figure is None:
        return "-"
    value, (low, high) = figure.value, figure.interval
    return f"{100 * value:{sign}.1f} ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"
