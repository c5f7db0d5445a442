"""Recipes of any kind as YAML files: those that ship with lexifuse by name, others by their path."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from lexifuse.errors import UsageError

AnyRecipe = TypeVar("AnyRecipe", bound=BaseModel)


class Strict(BaseModel):
    """A section of a recipe: no unknown fields, and no changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_recipe(kind: type[AnyRecipe], name_or_path: str | Path, **changes: Any) -> AnyRecipe:
    """Read a recipe by its name or from a YAML file.

    Args:
        kind: of recipe.
        name_or_path: one that ships with lexifuse, or a YAML file.
        changes: fields that take another value; None leaves a field as it is.

    Raises:
        UsageError: there is no such recipe, or a field is unknown or of the wrong type.
    """
    path = Path(name_or_path)
    shipped = _folder().joinpath(f"{name_or_path}.yaml")
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise UsageError(f"there is no recipe file {path}")
        text = path.read_text()
    elif shipped.is_file():
        text = shipped.read_text()
    else:
        known = ", ".join(_names(kind))
        raise UsageError(f"there is no recipe '{name_or_path}': choose from {known}, or give a .yaml file")
    try:
        fields = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"recipe {name_or_path} is not YAML: {' '.join(str(error).split())}") from None
    if isinstance(fields, dict):
        fields.update({name: value for name, value in changes.items() if value is not None})
    return checked_recipe(kind, fields, str(name_or_path))


def checked_recipe(kind: type[AnyRecipe], fields: Mapping[str, Any], name: str) -> AnyRecipe:
    """A recipe from its fields; raises :class:`UsageError` in one line where one of them is wrong."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"recipe {name}: {where + ': ' if where else ''}{reason}") from None


def _folder() -> Traversable:
    return resources.files("lexifuse.training").joinpath("recipes")


def _names(kind: type[BaseModel]) -> list[str]:
    """The recipes of a kind that ship."""
    names = []
    for item in _folder().iterdir():
        try:
            kind.model_validate(yaml.safe_load(item.read_text()))
        except ValidationError:
            continue
        names.append(item.name.removesuffix(".yaml"))
    return sorted(names)
