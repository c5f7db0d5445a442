"""A training recipe: every choice that makes a model, as typed data read from YAML."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lexifuse.errors import UsageError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSource(_Strict):
    """One data set to cut crops from."""

    name: str
    crops: int = Field(gt=0, description="crops cut from it")
    scale: tuple[float, float] = Field(
        default=(0.7, 1.0), description="range of the resize factor before a crop is cut"
    )
    night: bool | None = Field(
        default=None, description="natural night pictures: yes, no, or decided per picture by brightness"
    )
    every: int = Field(default=1, ge=1, description="take every n-th frame, for video")


class SampleMix(_Strict):
    """How often each kind of sample is drawn."""

    damaged: float = Field(default=0.72, description="samples that are damaged at all")
    counts: tuple[float, ...] = Field(
        default=(0.65, 0.25, 0.1), description="shares of one, two, three degradations at once"
    )
    emphasis: dict[str, float] = Field(default={}, description="degradation to how often it is drawn, 1 if not named")
    unasked: float = Field(
        default=0.15, description="damaged samples with an instruction that does not mention the damage"
    )
    false_alarm: float = Field(default=0.12, description="samples asked to repair something that is not there")
    severity: tuple[float, float] = Field(default=(0.15, 1.0), description="range of the severities")
    jitter: float = Field(default=0.1, description="deviation of the asked from the true severity")
    night: float = Field(default=0.6, description="undamaged natural night crops asked to be brightened")
    wish: float = Field(default=0.18, description="samples that carry a balance or a wish")


class LossWeights(_Strict):
    """Weights of the loss terms; ``metrics`` terms are applied to samples that ask for no repair."""

    intensity: float = 8.0
    gradient: float = 10.0
    ssim: float = 1.0
    chroma: float = 12.0
    vif: float = 0.0
    qabf: float = 0.0
    scd: float = 0.0
    consistency: float = Field(
        default=0.0, description="repaired output against the averaged model's output on the clean pair"
    )
    detail: float = Field(default=0.25, description="share of that which the gradients have")
    consistency_start: float = Field(default=0.15, description="share of the steps after which consistency begins")


class Recipe(_Strict):
    """Everything that ``lexifuse train`` needs to make a model."""

    network: str = "compact"
    widths: tuple[int, int, int, int] = (24, 48, 64, 80)
    sources: tuple[DataSource, ...]
    crop_store: int = Field(default=160, description="side of the stored crops, pixels")
    crop: int = Field(default=128, description="side of the crops trained on, pixels")
    batch: int = 8
    steps: int
    learning_rate: float = 1.5e-3
    warm_up: int = 200
    weight_decay: float = 1e-4
    average_decay: float = 0.998
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    seed: int = 0
    validation: int = Field(default=64, description="crops held out for the fixed validation set")
    mix: SampleMix = SampleMix()
    losses: LossWeights = LossWeights()


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe that ships with lexifuse (``compact``), or one from a YAML file.

    Raises:
        UsageError: there is no such recipe, or a field is unknown or of the wrong type.
    """
    path = Path(name_or_path)
    shipped = resources.files("lexifuse.training").joinpath("recipes", f"{name_or_path}.yaml")
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise UsageError(f"there is no recipe file {path}")
        text = path.read_text()
    elif shipped.is_file():
        text = shipped.read_text()
    else:
        known = sorted(item.name[:-5] for item in resources.files("lexifuse.training").joinpath("recipes").iterdir())
        raise UsageError(f"there is no recipe '{name_or_path}': choose from {', '.join(known)}, or give a .yaml file")
    try:
        return Recipe.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"recipe {name_or_path}: {where}: {first['msg']}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"recipe {name_or_path} is not YAML: {' '.join(str(error).split())}") from None
