"""The recipe of a detector: every choice that makes one, as typed data read from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from lexifuse.training.recipe_files import Strict, read_recipe

Kind = Literal["compact", "max", "visible", "infrared"]
"""What a detector looks at: pictures fused by the compact model or by the brighter pixel, or one spectrum."""


class DetectorRecipe(Strict):
    """Everything that ``lexifuse train detector`` needs beside an annotation list."""

    network: Literal["detector"] = "detector"
    widths: tuple[int, int, int, int, int] = Field(
        default=(16, 24, 48, 96, 128), description="channels at strides 2, 4, 8, 16, 32"
    )
    neck: int = Field(default=48, gt=0, description="channels of pyramid and head")
    pictures: Kind = "compact"
    window: tuple[int, int] = Field(default=(320, 256), description="width and height of the stored windows, pixels")
    crop: tuple[int, int] = Field(default=(256, 192), description="width and height trained on, multiples of 32")
    windows: int = Field(default=3, gt=0, description="most windows cut from one pair")
    longest: int = Field(default=800, gt=0, description="longer pictures are shrunk before they are cut")
    held_out: int = Field(default=10, ge=2, description="every n-th pair of a data set is held out for choosing")
    batch: int = Field(default=8, gt=0)
    steps: int = Field(gt=0)
    learning_rate: float = 2e-3
    warm_up: int = 100
    weight_decay: float = 5e-2
    average_decay: float = 0.995
    box_loss: Literal["giou", "ciou"] = "giou"
    box_weight: float = 2.0
    scale: tuple[float, float] = Field(default=(0.75, 1.3), description="range of the resize factor of a crop")
    aspect: float = Field(default=0.1, ge=0, lt=1, description="most relative change of the aspect ratio")
    brightness: float = Field(default=0.25, ge=0, description="most gain, gamma and offset, relative")
    on_objects: float = Field(default=0.7, ge=0, le=1, description="share of crops that are drawn around an object")
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    seed: int = 0

    @model_validator(mode="after")
    def _sizes(self) -> DetectorRecipe:
        if any(side % 32 for side in self.crop):
            raise ValueError(f"crop {self.crop} is no multiple of 32")
        if any(crop / self.scale[1] > window for crop, window in zip(self.crop, self.window, strict=True)):
            raise ValueError(f"crop {self.crop} is larger than window {self.window}")
        return self


def load_detector_recipe(name_or_path: str | Path) -> DetectorRecipe:
    """Read the recipe ``detector`` that ships with lexifuse, or one from a YAML file.

    Raises:
        UsageError: there is no such recipe, or a field is unknown or of the wrong type.
    """
    return read_recipe(DetectorRecipe, name_or_path)
