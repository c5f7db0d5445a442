"""From values per image to a table: means, intervals, ranks, the best per column, and its CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.evaluation.run import CHROMA, NIQE, Evaluation, higher_is_better
from lexifuse.metrics import NINE

RESAMPLES = 2000
"""Bootstrap resamples of the pairs."""

RANK = "mean_rank"
"""The column of the mean rank over the nine metrics."""


@dataclass(frozen=True)
class Row:
    """One method on one data set.

    Attributes:
        label: the method.
        dataset: the data set.
        pairs: how many pairs the means are over.
        means: column -> mean over the pairs where it is defined; NaN where it is nowhere.
        mean_rank: the mean of its ranks in the nine metrics, 1 is best; ties share the mean of their ranks.
        trivial: it is one of the trivial fusions.
        undefined: column -> on how many pairs it is undefined.
        intervals: column (and ``mean_rank``) -> low and high end of the 95 % interval; empty unless asked for.

    A mean and the ends of its interval are infinite where PSNR is, of a fused image that equals both sources.
    """

    label: str
    dataset: str
    pairs: int
    means: Mapping[str, float]
    mean_rank: float
    trivial: bool
    undefined: Mapping[str, int]
    intervals: Mapping[str, tuple[float, float]]

    def value(self, column: str) -> float:
        """The mean of a column, or the mean rank."""
        return self.mean_rank if column == RANK else self.means.get(column, math.nan)


@dataclass(frozen=True)
class Table:
    """The rows of one data set.

    Attributes:
        dataset: its name.
        columns: what is shown, without the mean rank.
        rows: one per method.
        notes: what a reader must know: missing outputs, undefined values.
    """

    dataset: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def best(self, column: str) -> frozenset[str]:
        """The labels with the best value of a column (several when they tie, none when all are NaN)."""
        values = {row.label: row.value(column) for row in self.rows if not math.isnan(row.value(column))}
        if not values:
            return frozenset()
        top = max(values.values()) if column != RANK and higher_is_better(column) else min(values.values())
        return frozenset(label for label, value in values.items() if value == top)


def make_table(evaluation: Evaluation, *, interval: bool = False, seed: int = 0) -> Table:
    """Summarise an evaluation.

    Args:
        evaluation: the values per image.
        interval: also bootstrap 95 % percentile intervals over the pairs (the same resamples for every method).
        seed: of the resamples.
    """
    labels = tuple(evaluation.values)
    stacked = np.stack([evaluation.values[label] for label in labels])  # (methods, pairs, columns)
    means = _mean(stacked)
    ranks = mean_ranks(means, evaluation.columns)
    bounds: list[dict[str, tuple[float, float]]] = [{} for _ in labels]
    if interval:
        bounds = _intervals(stacked, evaluation.columns, seed)
    undefined = np.isnan(stacked).sum(axis=1)
    rows = tuple(
        Row(
            label,
            evaluation.dataset,
            len(evaluation.pairs),
            dict(zip(evaluation.columns, means[index].tolist(), strict=True)),
            float(ranks[index]),
            label in evaluation.trivial,
            {
                name: int(count)
                for name, count in zip(evaluation.columns, undefined[index], strict=True)
                if count and name != CHROMA
            },
            bounds[index],
        )
        for index, label in enumerate(labels)
    )
    return Table(evaluation.dataset, evaluation.columns, rows, _notes(evaluation, rows))


def mean_ranks(means: NDArray[np.float64], columns: Sequence[str]) -> NDArray[np.float64]:
    """Mean rank of every method over those of the nine metrics that are there.

    Args:
        means: (..., methods, columns).
        columns: their names.

    Returns:
        (..., methods), from 1 (best in all) to the number of methods. Ties share the mean of their ranks; NaN ranks
        last. NaN when none of the nine metrics is there.
    """
    ranked = [column_ranks(means[..., columns.index(name)], name) for name in NINE if name in columns]
    return np.mean(ranked, axis=0) if ranked else np.full(means.shape[:-1], np.nan)


def column_ranks(values: NDArray[np.float64], column: str) -> NDArray[np.float64]:
    """Ranks along the last axis (methods), 1 is best; ties share the mean of their ranks, NaN is last."""
    merit = np.where(np.isnan(values), -np.inf, values if higher_is_better(column) else -values)
    better = (merit[..., None, :] > merit[..., :, None]).sum(axis=-1)
    equal = (merit[..., None, :] == merit[..., :, None]).sum(axis=-1)
    return better + (equal + 1) / 2


def _mean(values: NDArray[np.float64], axis: int = 1) -> NDArray[np.float64]:
    """Mean over an axis of what is defined; infinite where a value is."""
    defined = ~np.isnan(values)
    total = np.where(defined, values, 0).sum(axis=axis)
    count = defined.sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _intervals(stacked: NDArray[np.float64], columns: Sequence[str], seed: int) -> list[dict[str, tuple[float, float]]]:
    """Per method, column -> percentile interval; an end is infinite where it falls on infinite means."""
    pairs = stacked.shape[1]
    counts = np.random.default_rng(seed).multinomial(pairs, np.full(pairs, 1 / pairs), RESAMPLES).astype(np.float64)
    defined = ~np.isnan(stacked)
    total = np.einsum("rp,mpc->rmc", counts, np.where(np.isfinite(stacked), stacked, 0))
    total[np.einsum("rp,mpc->rmc", counts, np.isinf(stacked).astype(np.float64)) > 0] = np.inf
    weight = np.einsum("rp,mpc->rmc", counts, defined.astype(np.float64))
    means = np.where(weight > 0, total / np.maximum(weight, 1), np.nan)
    everything = np.concatenate([means, mean_ranks(means, columns)[..., None]], axis=-1)
    with np.errstate(invalid="ignore"):
        usable = np.where(np.isnan(everything).all(axis=0), 0.0, everything)
        ends = np.nanpercentile(usable, [2.5, 97.5], axis=0)
    low, high = np.where(np.isnan(ends), np.inf, ends)  # NaN is what NumPy finds between two infinite draws
    names = (*columns, RANK)
    return [
        {
            name: (float(low[m, c]), float(high[m, c]))
            for c, name in enumerate(names)
            if not np.isnan(everything[:, m, c]).all()
        }
        for m in range(stacked.shape[0])
    ]


def _notes(evaluation: Evaluation, rows: Sequence[Row]) -> tuple[str, ...]:
    notes = []
    for names in dict.fromkeys(evaluation.missing.values()):
        labels = [f"'{label}'" for label, absent in evaluation.missing.items() if absent == names]
        listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        notes.append(f"no output of {', '.join(labels)} for {len(names)} pairs ({listed})")
    if evaluation.missing:
        notes.append(f"every row is computed on the {len(evaluation.pairs)} pairs that all methods have an output for")
    for row in rows:
        for column, count in row.undefined.items():
            notes.append(f"{column} of '{row.label}' is undefined on {count} of {row.pairs} pairs, which are left out")
    return tuple(notes)


# ---- writing ----


def decimals(column: str) -> int:
    """Digits after the point that a column is shown with."""
    return 2 if column in ("SD", "SF", "AG", "PSNR", NIQE, CHROMA, RANK) else 3


def show(value: float, column: str) -> str:
    """A value as tables show it; a dash where it is undefined."""
    return "–" if math.isnan(value) else f"{value:.{decimals(column)}f}"


def cell(row: Row, column: str) -> str:
    """A row's value as tables show it, with its interval where there is one."""
    text = show(row.value(column), column)
    if column in row.intervals:
        low, high = row.intervals[column]
        text += f" ({show(low, column)}–{show(high, column)})"
    return text


def heading(column: str) -> str:
    """A column's name with the direction in which it gets better."""
    if column == RANK:
        return "mean rank ↓"
    return f"{column.replace('_', ' ')} {'↑' if higher_is_better(column) else '↓'}"


def to_records(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """The content of ``table.json``: an object per row with label, dataset, pairs, the columns and ``mean_rank``."""
    records = []
    for table in tables:
        for row in table.rows:
            record: dict[str, Any] = {"label": row.label, "dataset": row.dataset, "pairs": row.pairs}
            record |= {column: _plain(row.means[column]) for column in table.columns}
            record[RANK] = _plain(row.mean_rank)
            if row.intervals:
                record["interval95"] = {name: [_plain(end) for end in ends] for name, ends in row.intervals.items()}
            records.append(record)
    return records


def to_json(tables: Sequence[Table]) -> str:
    """``table.json`` as text; undefined values are null, infinite ones the text ``inf``."""
    return json.dumps(to_records(tables), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(tables: Sequence[Table]) -> str:
    """All rows as CSV; undefined values are empty, infinite ones ``inf``.

    Columns that only some data sets have are empty elsewhere.
    """
    columns = _all_columns(tables)
    rows = [
        [row.label, row.dataset, row.pairs, *(_number(row.value(column)) for column in (*columns, RANK))]
        for table in tables
        for row in table.rows
    ]
    return _csv([["label", "dataset", "pairs", *columns, RANK], *rows])


def images_to_csv(evaluations: Sequence[Evaluation]) -> str:
    """Every value of every image as CSV."""
    columns = list(dict.fromkeys(name for evaluation in evaluations for name in evaluation.columns))
    rows: list[list[Any]] = []
    for evaluation in evaluations:
        for label, values in evaluation.values.items():
            for pair, line in zip(evaluation.pairs, values.tolist(), strict=True):
                known = dict(zip(evaluation.columns, line, strict=True))
                rows.append(
                    [evaluation.dataset, label, pair, *(_number(known.get(name, math.nan)) for name in columns)]
                )
    return _csv([["dataset", "label", "pair", *columns], *rows])


def to_markdown(tables: Sequence[Table]) -> str:
    """A section per data set: the table with the best of each column in bold, and the notes."""
    parts = []
    for table in tables:
        shown = (*table.columns, RANK)
        count = table.rows[0].pairs
        lines = [
            f"### {table.dataset} ({count} pairs)",
            "",
            "| method | " + " | ".join(heading(column) for column in shown) + " |",
            "|---" * (len(shown) + 1) + "|",
        ]
        best = {column: table.best(column) for column in shown}
        for row in table.rows:
            texts = [cell(row, column) for column in shown]
            cells = [
                f"**{text}**" if row.label in best[column] else text for text, column in zip(texts, shown, strict=True)
            ]
            name = f"*{row.label}*" if row.trivial else row.label.replace("|", "\\|")
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines += ["", *(f"- {note}" for note in table.notes)]
        parts.append("\n".join(lines).rstrip() + "\n")
    return "\n".join(parts)


def _all_columns(tables: Sequence[Table]) -> list[str]:
    return list(dict.fromkeys(column for table in tables for column in table.columns))


def _plain(value: float) -> float | str | None:
    """JSON has neither NaN nor infinity."""
    if math.isnan(value):
        return None
    return str(value) if math.isinf(value) else round(value, 6)


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
