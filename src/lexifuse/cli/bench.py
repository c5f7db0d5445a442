"""``lexifuse bench``: latency, throughput, cold start, memory, and the share of the machine's peak."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexifuse.cli.options import Json, ModelName
from lexifuse.errors import UsageError


def bench(
    model: ModelName = "compact",
    sizes: Annotated[
        str, typer.Option("--sizes", help="Widths and heights; by default 320x240 to 3840x2160.", metavar="WxH,WxH")
    ] = "",
    threads: Annotated[
        str, typer.Option("--threads", help="Numbers of CPU threads; by default 1 and all.", metavar="N,N")
    ] = "",
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Counted runs of every case.")] = 20,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="After so long, a case gets no more than 5 runs.")
    ] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the pictures and of the order.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for bench.json, .md and .html.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure how fast a model is on this machine, in ratios that hold on a busy one.

    Example: `lexifuse bench --sizes 640x480,1920x1080 --out bench`
    """
    import json

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from lexifuse.evaluation.bench import SIZES, BenchSettings
    from lexifuse.evaluation.bench import bench as measure
    from lexifuse.evaluation.bench_report import to_text, write_bench

    settings = BenchSettings(model, _sizes(sizes) or SIZES, _numbers(threads), repeats, seconds, seed)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("loading", total=1)

        def tell(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        found = measure(settings, tell)
    typer.echo(json.dumps(found) if as_json else to_text(found))
    if out is not None:
        paths = write_bench(out, found)
        typer.echo(f"written to {out}: {', '.join(path.name for path in paths)}", err=True)


def _sizes(text: str) -> tuple[tuple[int, int], ...]:
    sizes = []
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        width, _, height = part.partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            raise UsageError(f"--sizes takes widths and heights such as 640x480,1920x1080, not '{part}'")
        sizes.append((int(width), int(height)))
    return tuple(sizes)


def _numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise UsageError(f"--threads takes numbers from 1 such as 1,2, not '{text}'")
    return tuple(map(int, parts))
