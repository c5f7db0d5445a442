"""The recipe of bilevel training: how a fusion network and a detector are trained together, as typed data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from lexifuse.training.recipe_files import Strict, read_recipe

StrategyName = Literal["joint", "alternating", "implicit", "sequential"]
"""A strategy of ``bilevel.py``, or ``sequential``: fusion is frozen, the detector alone learns from its pictures."""

Prompts = Literal["objects", "scene", "request", "none"]
"""Which words of the annotation list the fusion network is told; ``none``: that nothing is asked for."""


class JointSettings(Strict):
    """Of the strategy ``joint``."""

    weight: float = Field(default=1.0, ge=0, description="of the lower loss beside the upper")


class AlternatingSettings(Strict):
    """Of the strategy ``alternating``."""

    lower_steps: int = Field(default=2, ge=1, description="of the detector for every one of the fusion network")
    decay: float = Field(default=0.99, ge=0, lt=1, description="of the averaged fusion network that it answers to")


class ImplicitSettings(Strict):
    """Of the strategy ``implicit``."""

    response: float = Field(default=1.0, description="factor of what the detector will mend by itself")
    damping: float = Field(default=1e-12, gt=0, description="added to the power of the lower gradient")


class BilevelRecipe(Strict):
    """Everything that ``lexifuse train bilevel`` needs beside two checkpoints and an annotation list."""

    network: Literal["bilevel"] = "bilevel"
    strategy: StrategyName = "implicit"
    joint: JointSettings = JointSettings()
    alternating: AlternatingSettings = AlternatingSettings()
    implicit: ImplicitSettings = ImplicitSettings()
    prompts: Prompts = "objects"
    steps: int = Field(gt=0)
    batch: int = Field(default=4, gt=0, description="crops of each level")
    crop: tuple[int, int] = Field(default=(128, 128), description="width and height, multiples of 32")
    fusion_rate: float = Field(default=1e-4, gt=0, description="peak learning rate of the upper level")
    detector_rate: float = Field(default=5e-4, gt=0, description="peak learning rate of the lower level")
    warm_up: int = Field(default=50, ge=0)
    weight: float = Field(default=1.0, ge=0, description="of the detection loss beside the fusion loss, upper level")
    max_norm: float = Field(default=1.0, gt=0, description="the gradient of either level is shortened to this")
    average_decay: float = Field(default=0.995, ge=0, lt=1)
    seed: int = 0

    def settings(self) -> dict[str, Any]:
        """The settings of the chosen strategy."""
        chosen = getattr(self, self.strategy, None)
        return chosen.model_dump() if chosen else {}


def load_bilevel_recipe(name_or_path: str | Path, **changes: Any) -> BilevelRecipe:
    """Read the recipe ``bilevel`` that ships with lexifuse, or one from a YAML file.

    Args:
        name_or_path: of the recipe.
        changes: fields that take another value; None leaves a field as it is.

    Raises:
        UsageError: there is no such recipe, or a field is unknown or of the wrong type.
    """
    return read_recipe(BilevelRecipe, name_or_path, **changes)
