"""``lexifuse models``: the models at hand."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from lexifuse.cli.options import Json


def models(as_json: Json = False) -> None:
    """List the models here: size, licence, data, sha256."""
    from lexifuse.models import shipped_models

    found = shipped_models()
    if as_json:
        typer.echo(json.dumps([{**asdict(model.card), "size_bytes": model.size_bytes} for model in found]))
        return
    rows = [("name", "task", "size", "weights", "GMAC", "licence", "sha256")]
    for model in found:
        card = model.card
        weights, size = f"{card.parameters / 1e6:.2f} M", f"{model.size_bytes / 1e6:.1f} MB"
        rows.append((card.name, card.task, size, weights, f"{card.gmac:.2f}", card.licence, model.sha256[:12]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    # No table of Rich: at 80 columns it cuts the names, and what a model was trained on needs a line of its own.
    for number, row in enumerate(rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number:
            typer.echo(f"  trained on: {found[number - 1].card.training.get('data', '')}")
    typer.echo("GMAC: for one 640x480 pair. --json tells all that the cards say.")
