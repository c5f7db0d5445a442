"""``lexifuse train ablate``: what each part of a network is good for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexifuse.cli.options import DataRoot

ablate_app = typer.Typer(help="Train with one part taken away at a time.", no_args_is_help=True, rich_markup_mode=None)


@ablate_app.callback()
def _ablate() -> None:
    """Train with one part taken away at a time."""


@ablate_app.command("text-if")
def ablate_text_if(
    data: DataRoot,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the table and a run per variant.")] = Path(
        "runs/ablation-text-if"
    ),
    recipe: Annotated[
        str, typer.Option("--recipe", help="A recipe that ships with lexifuse, or a YAML file.")
    ] = "text-if-small",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps that each variant is trained for.")] = 500,
    accelerator: Annotated[str, typer.Option("--accelerator", help="auto, cpu, cuda or mps.")] = "auto",
    workers: Annotated[int, typer.Option("--workers", min=0, help="Loader processes.")] = 1,
) -> None:
    """Text-IF without text, with text at one level, under a sentence vector, and without cross-attention.

    Writes a table of the restoration gain and nine metrics. A call that was interrupted goes on where it stopped.
    """
    from lexifuse.training import require

    require()
    from lexifuse.training.ablation import MARKDOWN, ablate
    from lexifuse.training.recipe import load_recipe

    options = {"accelerator": accelerator, "workers": workers, "tell": lambda text: typer.echo(text, err=True)}
    ablate(load_recipe(recipe), data, out, steps=steps, **options)  # type: ignore[arg-type]
    typer.echo((out / MARKDOWN).read_text("utf-8"))
