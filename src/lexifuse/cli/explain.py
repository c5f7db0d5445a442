"""``lexifuse explain``: what words were understood as."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexifuse.cli.options import Json
from lexifuse.errors import InputError, UsageError

if TYPE_CHECKING:
    from lexifuse.language import Reading


def explain(
    prompt: Annotated[str | None, typer.Argument(help="What one would ask for.", show_default=False)] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="A prompt per line; a JSON object per line comes out.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a prompt is understood as, and which of its words are not.

    Example: `lexifuse explain "no haze, only rain; do not let the thermal dominate"`
    """
    if (prompt is None) == (file is None):
        raise UsageError('give either a prompt or --file FILE: for example lexifuse explain "it is foggy"')
    if file is not None:
        for line in _lines(file):
            typer.echo(json.dumps(_read(line).to_dict(), ensure_ascii=False))
        return
    reading = _read(prompt or "")
    typer.echo(json.dumps(reading.to_dict(), ensure_ascii=False) if as_json else in_plain_words(reading))


def _read(prompt: str) -> Reading:
    from lexifuse.automatic import is_automatic
    from lexifuse.language import read_prompt

    # `auto` asks for nothing in words; it is no word that was not understood.
    return replace(read_prompt(""), prompt=prompt) if is_automatic(prompt) else read_prompt(prompt)


def in_plain_words(reading: Reading) -> str:
    """A reading as a few lines for people."""
    from lexifuse.automatic import is_automatic

    if is_automatic(reading.prompt):
        return "lets the pixels speak: what seems damaged in them is repaired (see `lexifuse inspect IR VISIBLE`)"
    lines = [str(reading.instruction)]
    lines += [f'  "{words}" -> {field}' for words, field in reading.understood]
    if reading.denied:
        lines.append("left alone: " + ", ".join(reading.denied))
    if reading.corrections:
        lines.append("read as: " + ", ".join(f"{word} -> {read_as}" for word, read_as in reading.corrections))
    if reading.not_understood:
        lines.append("not understood: " + ", ".join(reading.not_understood))
    if reading.unsure:
        lines.append(f"unsure: {', '.join(reading.unsure)} (set what you mean with --set KEY=VALUE)")
    return "\n".join(lines)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"cannot read {path} ({error.strerror or error}): give a text file with a prompt per line"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: save it as UTF-8 with a prompt per line") from error
    # Only line ends part prompts: str.splitlines would also cut at other control characters.
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines
