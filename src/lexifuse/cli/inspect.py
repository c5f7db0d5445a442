"""``lexifuse inspect``: what the pixels look like: the automatic instruction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexifuse.cli.options import InfraredRange, Json, bounds_of

if TYPE_CHECKING:
    from lexifuse.automatic import PixelReading


def inspect(
    infrared: Annotated[Path, typer.Argument(help="The infrared picture.", show_default=False)],
    visible: Annotated[Path, typer.Argument(help="The visible picture.", show_default=False)],
    resize: Annotated[bool, typer.Option("--resize", help="Bring the infrared to the visible picture's size.")] = False,
    infrared_range: InfraredRange = None,
    as_json: Json = False,
) -> None:
    """Say what seems damaged in a pair, from the pixels alone.

    Example: `lexifuse inspect ir.png visible.png`
    """
    from lexifuse.automatic import read_pixels
    from lexifuse.pair import read_pair

    pair = read_pair(infrared, visible, resize=resize, infrared_range=bounds_of(infrared_range))
    reading = read_pixels(pair)
    for note in pair.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(json.dumps(reading.to_dict()) if as_json else in_plain_words(reading))


def in_plain_words(reading: PixelReading) -> str:
    """What was seen, as a few lines for people."""
    lines = ["nothing seems damaged" if reading.instruction.is_plain else str(reading.instruction)]
    likely = sorted(reading.probability.items(), key=lambda item: -item[1])
    lines += [f"  {name:24s} {100 * chance:3.0f} % likely" for name, chance in likely if chance >= 0.05]
    return "\n".join(lines)
