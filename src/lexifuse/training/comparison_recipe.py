"""The recipe of a comparison: which pictures a detector is trained on, and how, as typed data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from lexifuse.training.bilevel_recipe import BilevelRecipe, Prompts, StrategyName
from lexifuse.training.recipe_files import Strict, read_recipe


class ComparisonRow(Strict):
    """One row: pictures that are as they are, or a fusion network, which a strategy may train with the detector."""

    name: str = Field(pattern=r"^[a-z0-9-]+$", description="of its folder")
    title: str = Field(description="what it is, for the table")
    pictures: str | None = Field(default=None, description="visible, infrared, max, or a model by name or folder")
    fusion: str | None = Field(default=None, description="a checkpoint, by the name that the call gives it")
    strategy: StrategyName = "sequential"
    prompts: Prompts = "none"

    @model_validator(mode="after")
    def _one_origin(self) -> ComparisonRow:
        if (self.pictures is None) == (self.fusion is None):
            raise ValueError(f"row {self.name}: give either pictures or fusion")
        if self.pictures is not None and (self.strategy != "sequential" or self.prompts != "none"):
            raise ValueError(f"row {self.name}: strategy and prompts are for a fusion network")
        return self


class ComparisonRecipe(Strict):
    """Everything that ``lexifuse train compare`` needs beside annotation lists and checkpoints."""

    network: Literal["comparison"] = "comparison"
    seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1)
    training: BilevelRecipe = Field(description="of every row; strategy, prompts and seed are the row's")
    rows: tuple[ComparisonRow, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _own_names(self) -> ComparisonRecipe:
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise ValueError(f"two rows are named alike: {', '.join(sorted({n for n in names if names.count(n) > 1}))}")
        return self

    def training_of(self, row: ComparisonRow, seed: int) -> BilevelRecipe:
        """How one row is trained with one seed."""
        return self.training.model_copy(update={"strategy": row.strategy, "prompts": row.prompts, "seed": seed})


def load_comparison_recipe(name_or_path: str | Path, **changes: Any) -> ComparisonRecipe:
    """Read the recipe ``comparison`` that ships with lexifuse, or one from a YAML file.

    Args:
        name_or_path: of the recipe.
        changes: fields that take another value; None leaves a field as it is.

    Raises:
        UsageError: there is no such recipe, or a field is unknown or of the wrong type.
    """
    return read_recipe(ComparisonRecipe, name_or_path, **changes)
