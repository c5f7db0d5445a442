"""The command line that makes the same picture."""

from __future__ import annotations

import shlex
from typing import Any

from lexifuse.automatic import is_automatic
from lexifuse.models import DEFAULT_MODEL
from lexifuse.service.page.understanding import Ask, Loaded


def command_line(loaded: Loaded, ask: Ask, model: str) -> str:
    """The ``lexifuse fuse`` call, quoted for a POSIX shell.

    Args:
        loaded: the pair; its file names are taken as they lie in the current folder.
        ask: what the controls say.
        model: the name of the model that was used.
    """
    parts = ["lexifuse", "fuse", _file(loaded.names["infrared"]), _file(loaded.names["visible"])]
    if ask.words.strip() and not is_automatic(ask.words):
        parts += ["--", ask.words.strip()] if ask.words.strip().startswith("-") else [ask.words.strip()]
    options = [f"--set={name}={_value(value)}" for name, value in ask.by_hand.items()]
    options += ["--auto"] if ask.automatic or is_automatic(ask.words) else []
    options += ["--resize"] if loaded.resized else []
    options += [f"--model={model}"] if model != DEFAULT_MODEL else []
    options += ["-o", f"{loaded.pair.name}_fused.png"]
    return shlex.join([*parts[:2], *options, *parts[2:]])


def _file(name: str) -> str:
    return f"./{name}" if name.startswith("-") else name


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
