"""The fields of a form, looked at by name: what is unknown, repeated, or text in the place of a file is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from fastapi import Request, params
from fastapi.exceptions import RequestValidationError

_MOST_TOLD = 5
"""Wrong fields that are told at once: a form may have a thousand."""

_LONGEST_NAME = 60


@dataclass(frozen=True)
class _Field:
    """What a route takes in a field.

    Attributes:
        is_file: a file, else text.
        repeats: as often as wanted, else once.
    """

    is_file: bool
    repeats: bool


async def check_fields(request: Request) -> None:
    """A dependency of routes that take a form, which would otherwise pass over a misspelt field and answer without it.

    Raises:
        RequestValidationError: a field is unknown or there twice, or text where a file is meant (or the reverse).
    """
    form, known = await request.form(), _fields_of(request.scope["endpoint"])
    counts = Counter(name for name, _ in form.multi_items())
    wrong = {name: problem for name in counts if (problem := _problem(name, counts[name], form[name], known))}
    if wrong:
        errors = [{"type": "field", "loc": ("body", _short(name)), "msg": wrong[name]} for name in wrong]
        raise RequestValidationError(errors[:_MOST_TOLD])


def _problem(name: str, count: int, value: object, known: Mapping[str, _Field]) -> str:
    """What is wrong with a field, in words; empty where nothing is."""
    field = known.get(name)
    if field is None:
        near = get_close_matches(name.lower(), known, 1)
        hint = f"did you mean '{near[0]}'? The fields are" if near else "choose from"
        return f"there is no such field here: {hint} {', '.join(known)}"
    if count > 1 and not field.repeats:
        return f"it came {count} times: send it once"
    if field.is_file and isinstance(value, str):
        return f"it must be a file, not text: {name}=@PATH sends one with curl -F"
    if not field.is_file and not isinstance(value, str):
        return "it must be text, not a file: leave out its filename"
    return ""


def _short(name: str) -> str:
    """A name that a client made up, as one line can hold it."""
    plain = "".join(character if character.isprintable() else " " for character in name)
    return plain if len(plain) <= _LONGEST_NAME else plain[:_LONGEST_NAME] + "…"


@cache
def _fields_of(handler: Callable[..., Any]) -> Mapping[str, _Field]:
    """The form fields in a route's signature, by the names that go over the wire."""
    found = {}
    for name, hint in get_type_hints(handler, include_extras=True).items():
        form = next((item for item in getattr(hint, "__metadata__", ()) if isinstance(item, params.Form)), None)
        if form is not None:
            found[form.alias or name] = _Field(isinstance(form, params.File), get_origin(get_args(hint)[0]) is list)
    return found
