"""``lexifuse train compare``: one detector trained on many kinds of pictures by one protocol, and a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lexifuse.cli.options import DataRoot
from lexifuse.cli.train_options import Annotations, DetectorCheckpoint, RecipeName
from lexifuse.errors import UsageError


def compare(
    data: DataRoot,
    annotations: Annotations,
    test: Annotated[
        Path, typer.Option("--test", help="The list to measure on; only its pairs with labels of a person count.")
    ],
    fusion: Annotated[
        list[str] | None,
        typer.Option("--fusion", help="NAME=CHECKPOINT of a text-to-pixels; repeatable.", show_default=False),
    ] = None,
    detector: DetectorCheckpoint = None,
    frozen: Annotated[
        str,
        typer.Option("--frozen", help="A detector that looks at all pictures untrained: folder or YOLOX ONNX file."),
    ] = "",
    recipe: RecipeName = "comparison",
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the table and a run per row and seed.")] = Path(
        "runs/comparison"
    ),
) -> None:
    """Train the same detector on each kind of pictures with the same seeds, and say what it finds on real labels.

    A call that was interrupted goes on where it stopped. Writes comparison.md and comparison.json.
    """
    from lexifuse.training import require

    require()
    from lexifuse.datasets.annotated import read_annotations
    from lexifuse.files import atomic_file
    from lexifuse.training import comparison
    from lexifuse.training.comparison_recipe import load_comparison_recipe
    from lexifuse.training.comparison_table import table_rows, to_json, to_markdown
    from lexifuse.yolox import load_any_detector

    chosen = load_comparison_recipe(recipe)
    judge = load_any_detector(frozen, threads=1) if frozen else None
    setting = comparison.Setting(
        chosen,
        read_annotations(annotations),
        data,
        out,
        _named(fusion or []),
        detector,
        (lambda picture: judge.detect(picture, comparison.LEAST_SCORE)) if judge else None,
        judge.sha256 if judge else "",
    )
    tests = comparison.read_labelled(read_annotations(test), data)
    results = comparison.compare(setting, tests, lambda text: typer.echo(text, err=True))
    rows = table_rows(chosen, [pair.truth for pair in tests], results)
    with atomic_file(out / "comparison.json") as file:
        file.write((json.dumps(to_json(rows, chosen, len(tests)), indent=1) + "\n").encode())
    with atomic_file(out / "comparison.md") as file:
        file.write(to_markdown(rows, chosen, len(tests)).encode())
    typer.echo((out / "comparison.md").read_text("utf-8"))


def _named(fusions: list[str]) -> dict[str, Path]:
    named = {}
    for text in fusions:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise UsageError(f"--fusion takes NAME=CHECKPOINT, not '{text}'")
        named[name] = Path(path)
    return named
