"""``lexifuse train automatic``: make the network that reads pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexifuse.cli.options import DataRoot


def train_automatic(
    data: DataRoot,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run: checkpoint and exported model.")] = Path(
        "runs/automatic"
    ),
    samples: Annotated[int, typer.Option(min=1, help="Damaged and undamaged pairs to learn from.")] = 16_000,
    seed: Annotated[int, typer.Option(help="Of the samples and the weights.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Loader processes.")] = 1,
) -> None:
    """Train the network that reads pictures, and export it. A run that was interrupted goes on where it stopped."""
    from lexifuse.training import require

    require()
    from lexifuse.training.automatic.export import make_automatic
    from lexifuse.training.automatic.trainer import AutomaticRecipe

    model = make_automatic(AutomaticRecipe(samples=samples, seed=seed), data, out, workers=workers)
    typer.echo(f"{model.folder}  (figures: lexifuse train evaluate {model.folder} --data DATA)")
