"""``lexifuse train ablate``: what each part of a network is good for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexifuse.cli.options import DataRoot
from lexifuse.cli.train_options import Accelerator, RecipeName, Workers

ablate_app = typer.Typer(help="Train with one part taken away at a time.", no_args_is_help=True, rich_markup_mode=None)


@ablate_app.callback()
def _ablate() -> None:
    """Train with one part taken away at a time."""


ShortSteps = Annotated[int, typer.Option("--steps", min=1, help="Steps that each variant is trained for.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the table and a run per variant.")]


@ablate_app.command("text-if")
def ablate_text_if(
    data: DataRoot,
    out: Out = Path("runs/ablation-text-if"),
    recipe: RecipeName = "text-if-small",
    steps: ShortSteps = 500,
    accelerator: Accelerator = "auto",
    workers: Workers = 1,
) -> None:
    """Text-IF without text, with text at one level, under a sentence vector, and without cross-attention.

    Writes a table of the restoration gain and nine metrics. A call that was interrupted goes on where it stopped.
    """
    _run(data, out, recipe, steps, accelerator, workers)


@ablate_app.command("text-to-pixels")
def ablate_text_to_pixels(
    data: DataRoot,
    out: Out = Path("runs/ablation-text-to-pixels"),
    recipe: RecipeName = "text-to-pixels-small",
    steps: ShortSteps = 500,
    accelerator: Accelerator = "auto",
    workers: Workers = 1,
) -> None:
    """From Text to Pixels without codebook, without text, and with dilated convolutions.

    Writes a table of the restoration gain and nine metrics. A call that was interrupted goes on where it stopped.
    `train compare` takes the checkpoints and says what detectors make of their pictures.
    """
    _run(data, out, recipe, steps, accelerator, workers)


def _run(data: Path, out: Path, recipe: str, steps: int, accelerator: str, workers: int) -> None:
    from lexifuse.training import require

    require()
    from lexifuse.training.ablation import MARKDOWN, ablate
    from lexifuse.training.recipe import load_recipe

    options = {"accelerator": accelerator, "workers": workers, "tell": lambda text: typer.echo(text, err=True)}
    ablate(load_recipe(recipe), data, out, steps=steps, **options)  # type: ignore[arg-type]
    typer.echo((out / MARKDOWN).read_text("utf-8"))
