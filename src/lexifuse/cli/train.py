"""``lexifuse train``: make a model from a recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexifuse.cli.options import DataRoot
from lexifuse.cli.train_ablate import ablate_app
from lexifuse.cli.train_automatic import train_automatic
from lexifuse.cli.train_bilevel import train_bilevel
from lexifuse.cli.train_compare import compare
from lexifuse.cli.train_detector import annotate, train_detector
from lexifuse.cli.train_language import EncoderName, train_language
from lexifuse.cli.train_options import Accelerator, Download, RecipeName, RunFolder, StopAfter, Workers
from lexifuse.cli.train_speed import train_speed
from lexifuse.errors import UsageError

if TYPE_CHECKING:
    from lexifuse.training.recipe import Recipe
    from lexifuse.training.trainer import TrainingResult

train_app = typer.Typer(help="Train models (needs the extra `train`).", no_args_is_help=True, rich_markup_mode=None)
train_app.command("language")(train_language)
train_app.command("automatic")(train_automatic)
train_app.command("annotate")(annotate)
train_app.command("detector")(train_detector)
train_app.command("bilevel")(train_bilevel)
train_app.command("compare")(compare)
train_app.command("speed")(train_speed)
train_app.add_typer(ablate_app, name="ablate")


Devices = Annotated[
    int, typer.Option("--devices", min=1, help="Processes or devices; the batch is divided among them.")
]
Initial = Annotated[
    str | None,
    typer.Option(
        "--initial", help="Start from these weights: a checkpoint, or a model's name or folder.", show_default=False
    ),
]
TeacherName = Annotated[
    str | None,
    typer.Option("--teacher", help="The model to learn from: a name, or a folder; by default the recipe's."),
]
TextEncoderName = Annotated[
    EncoderName | None,
    typer.Option("--text-encoder", help="Take another text encoder than the recipe names.", show_default=False),
]
EncoderWeights = Annotated[
    Path | None,
    typer.Option(
        "--weights", help="clip: checkpoint or folder; minilm: folder of all-MiniLM-L6-v2.", show_default=False
    ),
]


Boxes = Annotated[
    Path | None,
    typer.Option(help="JSON file of people and vehicles in the real pairs, for `highlight`.", show_default=False),
]


@train_app.command()
def compact_fine(
    data: DataRoot,
    out: RunFolder = Path("runs/compact-fine"),
    recipe: RecipeName = "compact-fine",
    accelerator: Accelerator = "auto",
    devices: Devices = 1,
    workers: Workers = 1,
    stop_after: StopAfter = None,
    initial: Initial = None,
    teacher: TeacherName = None,
    boxes: Boxes = None,
    word: Annotated[
        str | None,
        typer.Option(help="Train one word alone, as visible.blur or balance.", show_default=False),
    ] = None,
) -> None:
    """Train the finer of the compact models, from pictures. A run that was interrupted goes on where it stopped."""
    from lexifuse.training import require

    require()
    from lexifuse.training.recipe import for_word, load_recipe

    chosen = _of("compact-fine", load_recipe(recipe))
    chosen = for_word(chosen, word) if word else chosen
    options = {"accelerator": accelerator, "devices": devices, "workers": workers, "stop_after": stop_after}
    _train_taught(chosen, teacher, data, out, initial=initial, boxes=boxes, **options)


@train_app.command()
def compact(
    data: DataRoot,
    out: RunFolder = Path("runs/compact"),
    recipe: RecipeName = "compact",
    teacher: TeacherName = None,
    accelerator: Accelerator = "auto",
    devices: Devices = 1,
    workers: Workers = 1,
    stop_after: StopAfter = None,
    initial: Initial = None,
    boxes: Boxes = None,
) -> None:
    """Train the compact model, which learns from a finer one. A run that was interrupted goes on where it stopped."""
    from lexifuse.training import require

    require()
    from lexifuse.training.recipe import load_recipe

    chosen = _of("compact", load_recipe(recipe))
    options = {"accelerator": accelerator, "devices": devices, "workers": workers, "stop_after": stop_after}
    _train_taught(chosen, teacher, data, out, initial=initial, boxes=boxes, **options)


def _train_taught(recipe: Recipe, teacher: str | None, data: Path, out: Path, **options: Any) -> None:
    """Train a network that hears instructions, under a teacher where the recipe or the user names one."""
    from lexifuse.models import find_model
    from lexifuse.training.teacher import Teacher
    from lexifuse.training.trainer import train

    name = teacher or (recipe.teacher and recipe.teacher.model)
    _report(train(recipe, data, out, teacher=Teacher(find_model(name)) if name else None, **options))


def _command_of(network: str, about: str) -> None:
    """Add the command that trains a network which hears text."""

    def verb(
        data: DataRoot,
        out: RunFolder = Path(f"runs/{network}-small"),
        recipe: RecipeName = f"{network}-small",
        text_encoder: TextEncoderName = None,
        weights: EncoderWeights = None,
        download: Download = False,
        accelerator: Accelerator = "auto",
        devices: Devices = 1,
        workers: Workers = 1,
        stop_after: StopAfter = None,
        initial: Initial = None,
    ) -> None:
        options = {"accelerator": accelerator, "devices": devices, "workers": workers, "stop_after": stop_after}
        _train_with_text(network, recipe, data, out, text_encoder, weights, download, initial=initial, **options)

    train_app.command(network, help=about)(verb)


_command_of(
    "text-if", "Train Text-IF (arXiv 2403.16387): the recipe text-if is the published one, a CPU can train its -small."
)
_command_of(
    "text-to-pixels",
    "Train From Text to Pixels (arXiv 2401.00421): text-to-pixels is our reading, a CPU can train its -small.",
)


def _train_with_text(
    network: str,
    recipe: str,
    data: Path,
    out: Path,
    text_encoder: EncoderName | None,
    weights: Path | None,
    download: bool,
    **options: Any,
) -> None:
    """Train a network that hears text under the encoder that is asked for, or else the recipe's."""
    from lexifuse.training import require

    require()
    from lexifuse.training.recipe import load_recipe
    from lexifuse.training.text_features import frozen_encoder, hearing
    from lexifuse.training.trainer import train

    chosen = _of(network, load_recipe(recipe))
    encoder = frozen_encoder(chosen, text_encoder, weights, download=download)
    if text_encoder is not None:
        chosen = hearing(chosen, encoder)
    _report(train(chosen, data, out, text_encoder=encoder, **options))


def _of(network: str, recipe: Recipe) -> Recipe:
    if recipe.network != network:
        raise UsageError(f"the recipe makes the network '{recipe.network}': use `lexifuse train {recipe.network}`")
    return recipe


def _report(result: TrainingResult) -> None:
    typer.echo(f"{result.checkpoint}  ({result.steps} steps)")
    for name, value in result.validation.items():
        typer.echo(f"  {name:28s} {value:8.3f}")


@train_app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A model's name or folder.")],
    data: DataRoot,
    dataset: Annotated[str, typer.Option(help="Data sets, by comma.")] = "msrs,roadscene",
    limit: Annotated[int, typer.Option(min=0, help="At most this many pairs of each; 0 takes all.")] = 0,
    scenes: Annotated[int, typer.Option(min=0, help="Rendered scenes on which wishes are measured.")] = 12,
    into_card: Annotated[bool, typer.Option("--into-card", help="Write the figures into the model's card.")] = False,
) -> None:
    """Measure what a model's card promises.

    A fusion: repair at severity 0.7, real nights, plain fusion, wishes. The network that reads pictures: what it finds.
    """
    import json

    from lexifuse.automatic import TASK, PixelReader
    from lexifuse.cli.progress import progress
    from lexifuse.datasets import open_dataset
    from lexifuse.evaluation.pixel_reading import measure_reading
    from lexifuse.evaluation.promises import keep_promises
    from lexifuse.evaluation.wishes import measure_wishes
    from lexifuse.fuser import Fuser
    from lexifuse.models import find_model, write_card

    found = find_model(model)
    datasets = [open_dataset(data, name.strip()) for name in dataset.split(",")]
    total = sum(min(limit or len(one.items), len(one.items)) for one in datasets)
    if found.card.task == TASK:
        with progress("evaluating", total) as advance:
            figures = measure_reading(PixelReader(found), datasets, limit=limit, advance=advance).to_dict()
    else:
        fuser = Fuser(found)
        with progress("evaluating", total + scenes) as advance:
            figures = keep_promises(fuser, datasets, limit=limit, advance=advance).to_dict()
            if scenes:
                figures["wishes"] = measure_wishes(fuser, scenes, advance=advance).to_dict()
    typer.echo(json.dumps(figures, indent=1))
    if into_card:
        command = f"lexifuse train evaluate {model} --data DATA --dataset {dataset} --limit {limit} --scenes {scenes}"
        write_card(replace(found.card, metrics={"command": command, **figures}), found.folder)
        typer.echo(f"written into {found.folder / 'card.json'}", err=True)
