"""Small plots as SVG text: values per image, a heat map, and lines over logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3fbf", "#8c6d1f")
"""Colours that people with colour-blindness can tell apart (Okabe and Ito), and two more."""

GREY = "#8a8f98"
_TEXT = 'font-family="system-ui, sans-serif" font-size="11" fill="#333"'


def colours(labels: Sequence[str], grey: frozenset[str] = frozenset()) -> dict[str, str]:
    """A colour per label; those in ``grey`` share one."""
    coloured = [label for label in labels if label not in grey]
    found = {label: PALETTE[index % len(PALETTE)] for index, label in enumerate(coloured)}
    return {label: found.get(label, GREY) for label in labels}


@dataclass(frozen=True)
class Strip:
    """One row of a strip plot: the values of one method, NaN and infinity left out of the picture.

    Attributes:
        label: of the row.
        values: one per image.
        mean: marked with a tick.
        interval: drawn as a bar, or None.
    """

    label: str
    values: Sequence[float]
    mean: float
    interval: tuple[float, float] | None = None


def strip_plot(title: str, strips: Sequence[Strip], names: Sequence[str], colour: Mapping[str, str]) -> str:
    """A row of dots per method, a dot per image (its name on hover), the mean as a tick.

    Args:
        title: above the plot.
        strips: the rows.
        names: of the images, in the order of the values.
        colour: by label.
    """
    left, width, row, top = 104, 430, 19, 26
    finite = [value for strip in strips for value in strip.values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    margin = (high - low) * 0.04 or 0.5
    low, high = low - margin, high + margin
    height = top + row * len(strips) + 22

    def at(value: float) -> float:
        return left + (width - left - 10) * (value - low) / (high - low)

    parts = [_open(width, height), f'<text x="0" y="13" {_TEXT} font-weight="600">{escape(title)}</text>']
    for tick in _ticks(low, high):
        x = at(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{height - 18}" stroke="#e3e5e8"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 5}" text-anchor="middle" {_TEXT}>{tick:g}</text>')
    for index, strip in enumerate(strips):
        y, paint = top + row * (index + 0.5), colour[strip.label]
        parts.append(
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" {_TEXT}>{escape(_short(strip.label))}</text>'
        )
        for position, (name, value) in enumerate(zip(names, strip.values, strict=True)):
            if math.isfinite(value):
                spread = (position * 0.618 % 1 - 0.5) * 10  # keeps dots of similar value apart
                parts.append(
                    f'<circle cx="{at(value):.1f}" cy="{y + spread:.1f}" r="2" fill="{paint}" fill-opacity=".45">'
                    f"<title>{escape(name)}: {value:.4g}</title></circle>"
                )
        if strip.interval and all(map(math.isfinite, strip.interval)):
            start, end = (at(value) for value in strip.interval)
            parts.append(f'<line x1="{start:.1f}" x2="{end:.1f}" y1="{y}" y2="{y}" stroke="{paint}" stroke-width="3"/>')
        if math.isfinite(strip.mean):
            x = at(strip.mean)
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 8}" y2="{y + 8}" stroke="#111" stroke-width="2">'
                f"<title>{escape(strip.label)}, mean: {strip.mean:.4g}</title></line>"
            )
    return "".join([*parts, "</svg>"])


def heat_map(title: str, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]]) -> str:
    """A coloured table: blue above 0, orange below, white at 0, the numbers inside.

    Args:
        title: above the map.
        rows: labels.
        columns: labels.
        values: a list per row; NaN stays empty.
    """
    left, cell, row, top = 150, 74, 26, 46
    width, height = left + cell * len(columns) + 4, top + row * len(rows) + 4
    largest = max((abs(value) for line in values for value in line if math.isfinite(value)), default=1.0) or 1.0
    parts = [_open(width, height), f'<text x="0" y="13" {_TEXT} font-weight="600">{escape(title)}</text>']
    for index, name in enumerate(columns):
        x = left + cell * (index + 0.5)
        parts.append(f'<text x="{x}" y="{top - 8}" text-anchor="middle" {_TEXT}>{escape(name)}</text>')
    for down, (name, line) in enumerate(zip(rows, values, strict=True)):
        y = top + row * down
        parts.append(f'<text x="{left - 8}" y="{y + 17}" text-anchor="end" {_TEXT}>{escape(name)}</text>')
        for across, value in enumerate(line):
            if not math.isfinite(value):
                continue
            x, strength = left + cell * across, abs(value) / largest * 0.75
            paint = PALETTE[0] if value >= 0 else PALETTE[1]
            parts.append(
                f'<rect x="{x}" y="{y}" width="{cell - 2}" height="{row - 2}" rx="3" fill="{paint}" '
                f'fill-opacity="{strength:.2f}"/>'
                f'<text x="{x + cell / 2 - 1}" y="{y + 16}" text-anchor="middle" {_TEXT}>{value:+.2f}</text>'
            )
    return "".join([*parts, "</svg>"])


def line_plot(title: str, series: Mapping[str, Sequence[tuple[float, float]]], x_name: str, y_name: str) -> str:
    """Lines with marks over logarithmic axes.

    Args:
        title: above the plot.
        series: label -> points (x, y), both above 0.
        x_name: below the plot.
        y_name: in the title's line.
    """
    left, width, height, top, bottom, legend = 56, 760, 340, 34, 40, 210
    points = [point for line in series.values() for point in line]
    x_low, x_high = min(x for x, _ in points) / 1.15, max(x for x, _ in points) * 1.15
    y_low, y_high = min(y for _, y in points) / 1.3, max(y for _, y in points) * 1.3

    def at(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / x_low) / math.log(x_high / x_low)
        up = math.log(y / y_low) / math.log(y_high / y_low)
        return left + across * (width - left - legend), height - bottom - up * (height - top - bottom)

    parts = [
        _open(width, height),
        f'<text x="0" y="13" {_TEXT} font-weight="600">{escape(title)}</text>',
        f'<text x="0" y="28" {_TEXT}>{escape(y_name)}</text>',
        f'<text x="{left}" y="{height - 6}" {_TEXT}>{escape(x_name)}</text>',
    ]
    for tick in _log_ticks(y_low, y_high):
        _, y = at(x_low, tick)
        parts.append(f'<line x1="{left}" x2="{width - legend}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e5e8"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" {_TEXT}>{tick:g}</text>')
    for tick in _log_ticks(x_low, x_high):
        x, _ = at(tick, y_low)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{height - bottom}" stroke="#e3e5e8"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - bottom + 15}" text-anchor="middle" {_TEXT}>{tick:g}</text>')
    paints = colours(list(series))
    for index, (label, line) in enumerate(series.items()):
        places = [at(x, y) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{paints[label]}" stroke-width="2"/>')
        for (x, y), (px, py) in zip(line, places, strict=True):
            parts.append(
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{paints[label]}">'
                f"<title>{escape(label)}: {x:g}, {y:.4g}</title></circle>"
            )
        y = top + 16 * index
        parts.append(f'<rect x="{width - legend + 14}" y="{y}" width="10" height="10" fill="{paints[label]}"/>')
        parts.append(f'<text x="{width - legend + 30}" y="{y + 9}" {_TEXT}>{escape(label)}</text>')
    return "".join([*parts, "</svg>"])


def _open(width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img">'
    )


def _short(label: str, most: int = 16) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers between two."""
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((factor * power for factor in (1, 2, 2.5, 5, 10)), key=lambda size: abs(size - raw))
    first = math.ceil(low / step)
    return [round(index * step, 10) for index in range(first, math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    factors = (1, 2, 5) if high / low < 200 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in factors]
    return [tick for tick in ticks if low <= tick <= high]
