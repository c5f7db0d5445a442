"""``lexifuse train``: make a model from a recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from lexifuse.cli.options import DataRoot
from lexifuse.cli.train_language import train_language

train_app = typer.Typer(help="Train models (needs the extra `train`).", no_args_is_help=True, rich_markup_mode=None)
train_app.command("language")(train_language)


@train_app.command()
def compact(
    data: DataRoot,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run: checkpoint, curves, crops.")] = Path(
        "runs/compact"
    ),
    recipe: Annotated[str, typer.Option(help="A recipe that ships with lexifuse, or a YAML file.")] = "compact",
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes or devices; the batch is divided among them.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Loader processes per device.")] = 1,
    stop_after: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many steps in all.", show_default=False)
    ] = None,
    initial: Annotated[
        Path | None, typer.Option(help="Start from the weights of this checkpoint.", show_default=False)
    ] = None,
) -> None:
    """Train the compact model. A run that was interrupted goes on where it stopped."""
    from lexifuse.training import require

    require()
    from lexifuse.training.recipe import load_recipe
    from lexifuse.training.trainer import train

    result = train(
        load_recipe(recipe),
        data,
        out,
        accelerator=accelerator,
        devices=devices,
        workers=workers,
        stop_after=stop_after,
        initial=initial,
    )
    typer.echo(f"{result.checkpoint}  ({result.steps} steps)")
    for name, value in result.validation.items():
        typer.echo(f"  {name:28s} {value:8.3f}")


@train_app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A model's name or folder.")],
    data: DataRoot,
    dataset: Annotated[str, typer.Option(help="Data sets, by comma.")] = "msrs,roadscene",
    limit: Annotated[int, typer.Option(min=0, help="At most this many pairs of each; 0 takes all.")] = 0,
    into_card: Annotated[bool, typer.Option("--into-card", help="Write the figures into the model's card.")] = False,
) -> None:
    """Measure what a model's card promises: repair at severity 0.7, real nights, plain fusion."""
    import json

    from lexifuse.cli.progress import progress
    from lexifuse.datasets import open_dataset
    from lexifuse.evaluation.promises import keep_promises
    from lexifuse.fuser import load
    from lexifuse.models import write_card

    fuser = load(model)
    datasets = [open_dataset(data, name.strip()) for name in dataset.split(",")]
    total = sum(min(limit or len(one.items), len(one.items)) for one in datasets)
    with progress("evaluating", total) as advance:
        promises = keep_promises(fuser, datasets, limit=limit, advance=advance)
    figures = promises.to_dict()
    typer.echo(json.dumps(figures, indent=1))
    if into_card:
        command = f"lexifuse train evaluate {model} --data DATA --dataset {dataset} --limit {limit}"
        card = replace(fuser.model.card, metrics={"command": command, **figures})
        write_card(card, fuser.model.folder)
        typer.echo(f"written into {fuser.model.folder / 'card.json'}", err=True)
