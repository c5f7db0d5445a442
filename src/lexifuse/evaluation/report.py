"""The HTML report: tables, plots of every image's values, and the worst and best cases as pictures, in one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexifuse.datasets import Dataset
from lexifuse.evaluation.methods import Method
from lexifuse.evaluation.pages import figure, page
from lexifuse.evaluation.plots import Strip, colours, strip_plot
from lexifuse.evaluation.run import CHROMA, Evaluation, read_sources
from lexifuse.evaluation.table import RANK, Row, Table, column_ranks, heading, show
from lexifuse.metrics import METRICS, NINE, VERSION

CASES = 3
"""Worst and best cases that are shown, each."""


@dataclass(frozen=True, eq=False)
class Case:
    """One pair with all its fused images.

    Attributes:
        name: of the pair.
        kind: ``worst`` or ``best``.
        focus: the method that the case was chosen for.
        pictures: caption -> image, (H, W) or (H, W, 3); the two sources first.
        ranks: label -> mean rank on this pair.
    """

    name: str
    kind: str
    focus: str
    pictures: dict[str, NDArray[Any]]
    ranks: dict[str, float]


@dataclass(frozen=True, eq=False)
class Section:
    """One data set of the report."""

    table: Table
    evaluation: Evaluation
    cases: Sequence[Case]


def find_cases(dataset: Dataset, evaluation: Evaluation, methods: Sequence[Method], count: int = CASES) -> list[Case]:
    """The pairs on which the first method that is not trivial ranks worst and best against the others.

    Args:
        dataset: where the files are.
        evaluation: its values.
        methods: the same that were evaluated; their images are made again for these few pairs.
        count: how many of each kind.

    Returns:
        Worst cases, worst first, then best cases, best first; fewer when there are few pairs.
    """
    labels = tuple(evaluation.values)
    focus = next((label for label in labels if label not in evaluation.trivial), labels[0])
    ranks = _ranks_per_pair(evaluation)
    own = ranks[:, labels.index(focus)]
    order = np.argsort(-own, kind="stable")
    count = min(count, max(1, len(order) // 2))
    items = {item.name: item for item in dataset.items}
    chosen = [("worst", index) for index in order[:count]]
    chosen += [("best", index) for index in order[::-1][:count] if len(order) > 1]
    cases = []
    for kind, index in chosen:
        sources = read_sources(items[evaluation.pairs[index]])
        pictures = {"infrared": sources.infrared, "visible": sources.colours}
        pictures |= {method.label: method.fuse(sources) for method in methods}
        by_label = dict(zip(labels, ranks[index].tolist(), strict=True))
        cases.append(Case(evaluation.pairs[index], kind, focus, pictures, by_label))
    return cases


def render_report(sections: Sequence[Section]) -> str:
    """The report as one HTML text without links to anything outside it."""
    columns = dict.fromkeys(column for section in sections for column in section.table.columns)
    introduction = (
        f"Metric definitions {VERSION}. Every value is computed from the 8-bit luma of the fused image; ↑ more is "
        "better, ↓ less is better; the best of a column is marked. The mean rank is over the nine metrics "
        f"{', '.join(NINE)}. Rows in italics are fusions that need no training: a method should beat them, and where "
        "it does not, the metric may reward something other than a good fusion."
    )
    return page("Fusion metrics", introduction, "".join(map(_section, sections)) + _definitions(list(columns)))


def _section(section: Section) -> str:
    table, evaluation = section.table, section.evaluation
    notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
    paints = colours([row.label for row in table.rows], evaluation.trivial)
    plots = "".join(_plot(section, column, paints) for column in table.columns if column != CHROMA)
    return (
        f"<h2>{escape(table.dataset)} <small>({len(evaluation.pairs)} pairs)</small></h2>"
        f'<div class="scroll">{_table(table)}</div><ul class="notes">{notes}</ul>'
        '<h3>Every image</h3><p class="notes">A dot is an image (hover for its name), the black tick the mean.</p>'
        f'<div class="plots">{plots}</div>{_cases(section.cases)}'
    )


def _table(table: Table) -> str:
    columns = (*table.columns, RANK)
    best = {column: table.best(column) for column in columns}
    head = "".join(f"<th>{escape(heading(column))}</th>" for column in columns)
    lines = []
    for row in table.rows:
        cells = "".join(_cell(row, column, row.label in best[column]) for column in columns)
        kind = ' class="trivial"' if row.trivial else ""
        lines.append(f"<tr{kind}><td>{escape(row.label)}</td>{cells}</tr>")
    return f"<table><thead><tr><th>method</th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _cell(row: Row, column: str, best: bool) -> str:
    interval = ""
    if column in row.intervals:
        interval = f"<small>{'–'.join(show(end, column) for end in row.intervals[column])}</small>"
    return f"<td{' class=best' if best else ''}>{show(row.value(column), column)}{interval}</td>"


def _plot(section: Section, column: str, paints: dict[str, str]) -> str:
    values = section.evaluation.column(column)
    strips = [
        Strip(row.label, values[row.label].tolist(), row.value(column), row.intervals.get(column))
        for row in section.table.rows
    ]
    return f"<div>{strip_plot(heading(column), strips, section.evaluation.pairs, paints)}</div>"


def _cases(cases: Sequence[Case]) -> str:
    parts = []
    for kind in ("worst", "best"):
        chosen = [case for case in cases if case.kind == kind]
        if chosen:
            parts.append(f"<h3>The {kind} cases of {escape(chosen[0].focus)}</h3>")
            parts += [_case(case) for case in chosen]
    return "".join(parts)


def _case(case: Case) -> str:
    figures = []
    for label in dict.fromkeys(["infrared", "visible", case.focus, *case.pictures]):
        rank = f", rank {case.ranks[label]:.1f}" if label in case.ranks else ""
        figures.append(figure(label + rank, case.pictures[label], focus=label == case.focus))
    return f'<p class="notes">{escape(case.name)}</p><div class="case">{"".join(figures)}</div>'


def _definitions(columns: Sequence[str]) -> str:
    items = "".join(
        f"<li><b>{escape(name)}</b> {escape(METRICS[name].title)}"
        + (f"; undefined where {escape(METRICS[name].undefined_when)}" if METRICS[name].undefined_when else "")
        + "</li>"
        for name in columns
        if name in METRICS
    )
    return f'<h2>The metrics</h2><ul class="notes">{items}</ul>'


def _ranks_per_pair(evaluation: Evaluation) -> NDArray[np.float64]:
    """Mean rank of every method on every pair over the nine metrics, (pairs, methods)."""
    stacked = np.stack(list(evaluation.values.values()), axis=1)  # (pairs, methods, columns)
    names = [name for name in NINE if name in evaluation.columns] or list(evaluation.columns)
    ranks = [column_ranks(stacked[..., evaluation.columns.index(name)], name) for name in names]
    return np.mean(ranks, axis=0)
