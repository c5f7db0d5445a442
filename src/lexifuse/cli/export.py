"""``lexifuse export``: a training checkpoint to an ONNX model with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    checkpoint: Annotated[
        Path, typer.Argument(help="A checkpoint.safetensors that `lexifuse train` wrote.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the ONNX file and card.json.")] = Path(
        "exported"
    ),
    name: Annotated[
        str | None, typer.Option("--name", help="Name on the card (default: the recipe's network).", show_default=False)
    ] = None,
) -> None:
    """Export a trained network to ONNX, with a card that `--model` and `lexifuse models` read."""
    from lexifuse.training import require

    require()
    from lexifuse.training.export import export_model

    model = export_model(checkpoint, out, name=name)
    typer.echo(f"{model.path}  ({model.size_bytes / 1e6:.1f} MB, sha256 {model.sha256[:12]}…): try --model {out}")
