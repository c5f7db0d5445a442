"""Options that several `lexifuse train` verbs share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeName = Annotated[str, typer.Option("--recipe", help="A recipe that ships with lexifuse, or a YAML file.")]
RunFolder = Annotated[Path, typer.Option("-o", "--out", help="Folder of the run: checkpoints, curves, crops.")]
Accelerator = Annotated[str, typer.Option("--accelerator", help="auto, cpu, cuda or mps.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Loader processes per device.")]
Steps = Annotated[
    int | None, typer.Option("--steps", min=1, help="As many steps instead of the recipe's.", show_default=False)
]
Seed = Annotated[int | None, typer.Option("--seed", help="Another seed than the recipe's.", show_default=False)]
StopAfter = Annotated[
    int | None, typer.Option("--stop-after", min=1, help="Stop after this many steps in all.", show_default=False)
]
Annotations = Annotated[
    Path,
    typer.Option("--annotations", help="A list to train on, by `lexifuse train annotate`.", show_default=False),
]
Windows = Annotated[
    Path | None,
    typer.Option("--windows", help="Folder of the window store, which several runs can share.", show_default=False),
]
DetectorCheckpoint = Annotated[
    Path | None,
    typer.Option("--detector", help="Checkpoint of a detector to start from; else from scratch.", show_default=False),
]
Download = Annotated[bool, typer.Option("--download", help="clip: let open_clip download the weights.")]
