"""Options that several verbs share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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

InfraredRange = Annotated[
    str | None,
    typer.Option(
        "--infrared-range",
        metavar="LOW,HIGH",
        help="Values of the infrared that become black and white, the same for every picture of a film.",
        show_default=False,
    ),
]


def bounds_of(infrared_range: str | None) -> tuple[float, float] | None:
    """The two numbers of ``--infrared-range``; raises :class:`UsageError` where it has none."""
    from lexifuse.images.counts import parse_range

    return None if infrared_range is None else parse_range(infrared_range, "--infrared-range")


def refuse_as_folder(out: Path) -> None:
    """Raise :class:`UsageError` at once, not after all the work, where ``out`` cannot become a folder."""
    there = next((path for path in (out, *out.parents) if path.exists()), None)
    if there is not None and not there.is_dir():
        where = f"the output {out} is a file" if there == out else f"the output {out} lies below the file {there}"
        raise UsageError(f"{where}: choose a folder with -o")


Host = Annotated[str, typer.Option("--host", envvar="LEXIFUSE_HOST", help="Address to listen on.")]
Port = Annotated[
    int, typer.Option("--port", envvar="LEXIFUSE_PORT", min=0, max=65535, help="0 takes one that is free.")
]
DetectorName = Annotated[
    str,
    typer.Option(
        "--detector",
        envvar="LEXIFUSE_DETECTOR",
        help="Name or folder of a detector; else the one inside the package.",
        show_default=False,
    ),
]
MaxMegabytes = Annotated[
    int, typer.Option("--max-megabytes", envvar="LEXIFUSE_MAX_MEGABYTES", min=1, help="Largest file or request.")
]
MaxMegapixels = Annotated[
    float, typer.Option("--max-megapixels", envvar="LEXIFUSE_MAX_MEGAPIXELS", help="Largest picture.")
]
LogLevel = Annotated[
    str, typer.Option("--log-level", envvar="LEXIFUSE_LOG_LEVEL", help="debug, info, warning or error.")
]
