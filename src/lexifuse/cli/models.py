"""``lexifuse models``: the models at hand."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from lexifuse.cli.options import Json


def models(as_json: Json = False) -> None:
    """List the models here: size, licence, data, sha256."""
    from rich.console import Console
    from rich.table import Table

    from lexifuse.models import shipped_models

    found = shipped_models()
    if as_json:
        typer.echo(json.dumps([{**asdict(model.card), "size_bytes": model.size_bytes} for model in found]))
        return
    table = Table("name", "task", "size", "parameters", "GMAC (640x480)", "licence", "trained on", "sha256")
    for model in found:
        card = model.card
        table.add_row(
            card.name,
            card.task,
            f"{model.size_bytes / 1e6:.1f} MB",
            f"{card.parameters / 1e6:.2f} M",
            f"{card.gmac:.2f}",
            card.licence,
            str(card.training.get("data", "")),
            model.sha256[:12],
        )
    Console().print(table)
