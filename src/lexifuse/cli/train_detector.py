"""``lexifuse train annotate`` and ``train detector``: pairs with boxes and prompts, and a detector made from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexifuse.cli.options import DataRoot
from lexifuse.cli.train_options import Accelerator, Annotations, RecipeName, Seed, Steps, StopAfter, Windows, Workers
from lexifuse.errors import UsageError

if TYPE_CHECKING:
    from lexifuse.training.detection_recipe import DetectorRecipe


def annotate(
    data: DataRoot,
    dataset: Annotated[str, typer.Option("--dataset", help="Data sets, by comma.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The annotation list, JSON.")] = Path("annotations.json"),
    split: Annotated[str, typer.Option("--split", help="train, test or another split.")] = "train",
    detector: Annotated[
        Path | None,
        typer.Option(
            "--detector",
            help="ONNX file of a YOLOX network of COCO: makes pseudo-labels where there are no labels.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most this many pairs of each; 0 takes all.")] = 0,
    scenes: Annotated[int, typer.Option("--scenes", min=0, help="Rendered scenes with exact boxes to add.")] = 0,
    rendered: Annotated[
        Path, typer.Option("--rendered", help="Folder of the rendered scenes; those that are there are kept.")
    ] = Path("rendered"),
) -> None:
    """Write a list of pairs with boxes (labels, pseudo-labels, rendered) and prompts from measured properties."""
    from lexifuse.training import require

    require()
    from lexifuse.datasets.annotated import write_annotations
    from lexifuse.training.annotate import annotate as build
    from lexifuse.yolox import YoloxDetector

    names = [name.strip() for name in dataset.split(",") if name.strip()]
    judge = YoloxDetector(detector) if detector is not None else None
    found = build(
        data,
        names,
        split,
        detect=judge.detect if judge else None,
        judged_by={"name": judge.name, "sha256": judge.sha256} if judge else None,
        limit=limit,
        rendered=rendered if scenes else None,
        scenes=scenes,
    )
    write_annotations(out, found)
    for name, counts in found.counts().items():
        typer.echo(f"{name:14s} " + ", ".join(f"{number} {what}" for what, number in counts.items()))
    if found.facts["without_labels_left_out"]:
        typer.echo(f"left out: {found.facts['without_labels_left_out']} pairs without labels (--detector labels them)")
    typer.echo(str(out))


def train_detector(
    data: DataRoot,
    annotations: Annotations,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run: checkpoint, curves, windows.")] = Path(
        "runs/detector"
    ),
    recipe: RecipeName = "detector",
    on: Annotated[
        str, typer.Option("--on", help="compact, max, visible or infrared pictures; else as the recipe says.")
    ] = "",
    accelerator: Accelerator = "auto",
    workers: Workers = 0,
    steps: Steps = None,
    seed: Seed = None,
    stop_after: StopAfter = None,
    windows: Windows = None,
) -> None:
    """Train the detector of people and vehicles. A run that was interrupted goes on where it stopped."""
    from lexifuse.training import require

    require()
    from lexifuse.datasets.annotated import read_annotations
    from lexifuse.training.detection_recipe import load_detector_recipe
    from lexifuse.training.detection_trainer import train_detector as train

    chosen = _changed(load_detector_recipe(recipe), on, steps, seed)
    result = train(
        chosen,
        read_annotations(annotations),
        data,
        out,
        accelerator=accelerator,
        workers=workers,
        stop_after=stop_after,
        cache=windows,
    )
    typer.echo(f"{result.checkpoint}  ({result.steps} steps)")
    for name, value in result.validation.items():
        typer.echo(f"  {name:16s} {value:8.3f}")


def _changed(recipe: DetectorRecipe, on: str, steps: int | None, seed: int | None) -> DetectorRecipe:
    known = ("compact", "max", "visible", "infrared")
    if on and on not in known:
        raise UsageError(f"--on takes {', '.join(known)}, not '{on}'")
    changes = {"pictures": on or None, "steps": steps, "seed": seed}
    return recipe.model_copy(update={name: value for name, value in changes.items() if value is not None})
