"""``lexifuse train bilevel``: a fusion network and a detector trained together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexifuse.cli.options import DataRoot
from lexifuse.cli.train_options import (
    Accelerator,
    Annotations,
    DetectorCheckpoint,
    Download,
    RecipeName,
    Seed,
    Steps,
    StopAfter,
    Windows,
    Workers,
)


def train_bilevel(
    data: DataRoot,
    annotations: Annotations,
    fusion: Annotated[
        Path, typer.Option("--fusion", help="Checkpoint of a text-to-pixels to start from.", show_default=False)
    ],
    detector: DetectorCheckpoint = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run: checkpoints, curves, windows.")] = Path(
        "runs/bilevel"
    ),
    recipe: RecipeName = "bilevel",
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            help="joint, alternating or implicit; sequential: the detector alone, under the fusion as it is.",
            show_default=False,
        ),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            "--prompts", help="Which words the fusion is told: objects, scene, request or none.", show_default=False
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", help="Of the text encoder, where it is not the embedded one.", show_default=False),
    ] = None,
    download: Download = False,
    accelerator: Accelerator = "auto",
    workers: Workers = 0,
    steps: Steps = None,
    seed: Seed = None,
    stop_after: StopAfter = None,
    windows: Windows = None,
) -> None:
    """Train fusion and detection together. A run that was interrupted goes on where it stopped."""
    from lexifuse.training import require

    require()
    from lexifuse.datasets.annotated import read_annotations
    from lexifuse.training.bilevel_recipe import load_bilevel_recipe
    from lexifuse.training.bilevel_trainer import fusion_recipe
    from lexifuse.training.bilevel_trainer import train_bilevel as train
    from lexifuse.training.text_features import frozen_encoder

    chosen = load_bilevel_recipe(recipe, strategy=strategy, prompts=prompts, steps=steps, seed=seed)
    result = train(
        chosen,
        read_annotations(annotations),
        data,
        out,
        fusion=fusion,
        detector=detector,
        text_encoder=frozen_encoder(fusion_recipe(fusion)[0], None, weights, download=download),
        accelerator=accelerator,
        workers=workers,
        stop_after=stop_after,
        cache=windows,
    )
    typer.echo(f"{result.fusion}\n{result.detector}  ({result.steps} steps)")
    for name, value in result.validation.items():
        typer.echo(f"  {name:16s} {value:8.3f}")
