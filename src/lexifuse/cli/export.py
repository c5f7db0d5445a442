"""``lexifuse export``: a training checkpoint to an ONNX model with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def export(
    checkpoint: Annotated[
        Path, typer.Argument(help="A checkpoint.safetensors that `lexifuse train` wrote.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the ONNX files and card.json.")] = Path(
        "exported"
    ),
    name: Annotated[
        str | None, typer.Option("--name", help="Name on the card (default: the recipe's network).", show_default=False)
    ] = None,
    fp16: Annotated[bool, typer.Option("--fp16", help="Store the weights as float16: half the size.")] = False,
    threshold: Annotated[float, typer.Option("--threshold", min=0, max=1, help="Detectors: least score.")] = 0.3,
    annotations: Annotated[
        Path | None,
        typer.Option(
            "--annotations", help="Detectors: the list it was trained with, told of in the card.", show_default=False
        ),
    ] = None,
) -> None:
    """Export a trained network to ONNX, with a card that `--model` and `lexifuse models` read."""
    from lexifuse.training import require

    require()
    from lexifuse.training.detection_export import export_detector, is_detector
    from lexifuse.training.export import export_model

    if is_detector(checkpoint):
        model = export_detector(checkpoint, out, name=name, threshold=threshold, facts=_facts(annotations))
        typer.echo(f"{out}  ({model.size_bytes / 1e6:.1f} MB): try lexifuse detect IMAGE --model {out}")
        return
    model = export_model(checkpoint, out, name=name, half=fp16)
    typer.echo(f"{out}  ({model.size_bytes / 1e6:.1f} MB, sha256 {model.sha256[:12]}…): try --model {out}")


def _facts(annotations: Path | None) -> dict[str, Any]:
    from lexifuse.datasets.annotated import read_annotations

    return {} if annotations is None else dict(read_annotations(annotations).facts)
