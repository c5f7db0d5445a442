"""What a benchmark found, as text and as an HTML page with a plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from lexifuse.evaluation.pages import page, write_text
from lexifuse.evaluation.plots import line_plot

_NOTE = (
    "All cases took turns in one run, in an order drawn anew for every round, so that a slow moment of the machine "
    "hit all of them alike. Ratios and shares are medians over rounds of ratios within a round and can be trusted on a "
    "machine that does other work, too; milliseconds depend on what else the machine did."
)
_SHARES = (
    "The share of compute is the time that the network's multiply-accumulates would take at the machine's peak (the "
    "faster of a dense 3x3 convolution and a matrix product in ONNX Runtime, float32) over the time taken; the share "
    "of copy is the same for the bytes that its operators read and write, at the speed of a plain copy. bfloat16, "
    "convolutions that save multiplications and data found in a cache can exceed 100 %."
)


def to_text(found: dict[str, Any]) -> str:
    """The benchmark as Markdown: machine, latency, shares of the peak, cold start and memory."""
    machine, model = found["machine"], found["model"]
    lines = [
        f"### {model['name']}: {model['parameters']:,} parameters, {model['gmac_640x480']:.2f} GMAC at 640x480",
        "",
        _machine(machine),
        "",
        *_markdown(_latency_head(), _latency_rows(found)),
        "",
        _words(found),
        "",
        *_markdown(*_peak_table(found)),
        "",
        _cold(found),
        "",
        f"Peak memory of a process: {_memory(found)}.",
        "",
        _NOTE,
        "",
    ]
    return "\n".join(lines)


def write_bench(folder: Path, found: dict[str, Any]) -> list[Path]:
    """Write ``bench.json``, ``bench.md`` and ``bench.html``; returns their paths.

    Raises:
        OutputError: the folder cannot be written to.
    """
    contents = {
        "bench.json": json.dumps(found, indent=1) + "\n",
        "bench.md": to_text(found),
        "bench.html": render_bench(found),
    }
    return [write_text(folder / name, text) for name, text in contents.items()]


def render_bench(found: dict[str, Any]) -> str:
    """The benchmark as one HTML text without links to anything outside it."""
    model = found["model"]
    series: dict[str, list[tuple[float, float]]] = {}
    for row in sorted(found["latency"], key=lambda row: row["width"] * row["height"]):
        label = f"{row['engine']}, {row['threads']} thread{'s' if row['threads'] > 1 else ''}"
        series.setdefault(label, []).append((row["width"] * row["height"] / 1e6, row["median_ms"]))
    body = (
        f"<h2>{escape(model['name'])} <small>({model['parameters']:,} parameters, {model['gmac_640x480']:.2f} GMAC at "
        f'640x480)</small></h2><p class="notes">{escape(_machine(found["machine"]))}</p>'
        f"{line_plot('Latency by size', series, 'megapixels', 'milliseconds, median')}"
        f'<h3>Latency</h3><div class="scroll">{_html(_latency_head(), _latency_rows(found))}</div>'
        f"<p>{escape(_words(found))}</p>"
        f'<h3>Share of the peak at 640x480</h3><div class="scroll">{_html(*_peak_table(found))}</div>'
        f'<p class="notes">{escape(_SHARES)}</p><h3>Start and memory</h3><p>{escape(_cold(found))}</p>'
        f"<p>Peak memory of a process: {escape(_memory(found))}.</p>"
    )
    return page("Benchmark", _NOTE, body)


def _latency_head() -> list[str]:
    return ["engine", "threads", "size", "median ms", "p95 ms", "pairs/s", "GMAC/s", "time / ONNX Runtime's"]


def _latency_rows(found: dict[str, Any]) -> list[list[str]]:
    rows = []
    for row in sorted(found["latency"], key=lambda row: (row["threads"], row["width"] * row["height"])):
        relative = row["times_onnx_runtime"]
        rows.append(
            [
                row["engine"],
                str(row["threads"]),
                f"{row['width']}x{row['height']}",
                f"{row['median_ms']:.1f}",
                f"{row['p95_ms']:.1f}",
                f"{row['pairs_per_second']:.2f}",
                f"{row['gmac_per_second']:.1f}",
                "–" if relative is None else f"{relative:.2f}",
            ]
        )
    return rows


def _words(found: dict[str, Any]) -> str:
    words = found["words"]
    return (
        f"Trying words on a 640x480 pair, {words['threads']} thread{'s' if words['threads'] > 1 else ''}: "
        f"{words['first_ms']:.0f} ms for the first, {words['other_ms']:.0f} ms for others in the same session "
        f"({words['other_to_first']:.2f} times as long)."
    )


def _peak_table(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    head = ["threads", "convolution GMAC/s", "matrix product GMAC/s", "copy GB/s", "engine", "of compute", "of copy"]
    rows = [
        [
            str(row["threads"]),
            f"{row['convolution_gmac_per_second']:.1f}",
            f"{row['matrix_product_gmac_per_second']:.1f}",
            f"{row['copy_gigabytes_per_second']:.1f}",
            engine,
            f"{100 * share['of_compute']:.0f} %",
            f"{100 * share['of_copy']:.0f} %",
        ]
        for row in found["peak"]
        for engine, share in row["share_at_640x480"].items()
    ]
    return head, rows


def _machine(machine: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    units = ", ".join(machine["vector_units"]) or "none told"
    return (
        f"{machine['processor']}, {machine['usable_cores']} usable cores ({units}), {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}, {packages}; load {machine['load_average']} before, "
        f"{machine['load_average_after']} after"
    )


def _cold(found: dict[str, Any]) -> str:
    start = found["cold_start"]
    total = sum(start.values())
    return (
        f"Cold start of a new process to the first fused 640x480 pair: {total:.2f} s "
        f"(import {start['import_seconds']:.2f}, load {start['load_seconds']:.2f}, fuse {start['fuse_seconds']:.2f})."
    )


def _memory(found: dict[str, Any]) -> str:
    return ", ".join(
        f"{size} {'not told by this system' if peak is None else f'{peak / 2**20:.0f} MiB'}"
        for size, peak in found["peak_memory_bytes"].items()
    )


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)]


def _html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
