"""Options that several verbs share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lexifuse.errors import UsageError

ModelName = Annotated[
    str, typer.Option("--model", "-m", help="A name that `lexifuse models` lists, or the folder of an exported model.")
]
Threads = Annotated[int, typer.Option("--threads", min=0, help="CPU threads; 0 takes all cores.")]
Provider = Annotated[str, typer.Option("--provider", help="cpu, cuda, tensorrt, coreml or openvino, where installed.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DataRoot = Annotated[
    Path, typer.Option("--data", envvar="LEXIFUSE_DATA", help="Folder of the data sets.", show_default=False)
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override what the words said: visible.low_light=0.8, balance=0.3, highlight=person,car.",
    ),
]


def parse_settings(settings: list[str] | None) -> dict[str, Any]:
    """``KEY=VALUE`` texts as a dict; raises :class:`UsageError` where one has no ``=``."""
    values: dict[str, Any] = {}
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, not '{setting}': for example --set visible.haze=0.8")
        values[key.strip()] = value.strip()
    return values
