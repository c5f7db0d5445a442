"""A training recipe: every choice that makes a model, as typed data read from YAML."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from lexifuse.errors import UsageError
from lexifuse.instruction import DEGRADATIONS, HIGHLIGHT_GROUPS
from lexifuse.training.recipe_files import Strict, read_recipe

PLAIN_ROW = "plain"
"""The row of ``degradation_weights`` for samples that ask for nothing, and for degradations without a row."""

_BALANCE, _DARK = "balance", "visible.low_light"
_WORDS = (
    *DEGRADATIONS,
    *(_BALANCE, "keep_colour", "keep_texture"),
    *(f"highlight.{group}" for group in HIGHLIGHT_GROUPS),
)
_NIGHTS = 0.6  # share of the natural nights that "dark" is said of
_LEAST_CROP_WITH_VIF = 48  # pixels: four scales, each of half the size, under windows of up to 17
_OWN = 16.0  # how much more often a word that is trained alone meets its own damage than any other


def _known(names: Collection[str], known: Sequence[str]) -> None:
    """Refuse names that are not among the known ones."""
    if strange := sorted(set(names) - set(known)):
        raise ValueError(f"unknown degradation '{strange[0]}', choose from {', '.join(known)}")


class DataSource(Strict):
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


class SampleMix(Strict):
    """How often each kind of sample is drawn."""

    damaged: float = Field(default=0.72, description="samples that are damaged at all")
    counts: tuple[float, ...] = Field(
        default=(0.65, 0.25, 0.1), description="shares of one, two, three degradations at once"
    )
    emphasis: dict[str, float] = Field(default={}, description="degradation to how often it is drawn, 1 if not named")
    variants: float = Field(
        default=0.0, ge=0, le=1, description="how often a degradation is drawn from damage_variants.py"
    )
    night_haze: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="share of the haze drawn for natural nights that is kept: haze is lit by day",
    )
    unasked: float = Field(
        default=0.15, description="damaged samples with an instruction that does not mention the damage"
    )
    false_alarm: float = Field(default=0.12, description="samples asked to repair something that is not there")
    severity: tuple[float, float] = Field(default=(0.15, 1.0), description="range of the severities")
    jitter: float = Field(default=0.1, description="deviation of the asked from the true severity")
    seen: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="samples told the severities that `automatic` sees, as plain words are",
    )
    night: float = Field(default=0.6, description="undamaged natural night crops asked to be brightened")
    wish: float = Field(default=0.18, description="samples that carry a balance or a wish")
    wishes: tuple[float, float, float, float] = Field(
        default=(0.4, 0.1, 0.1, 0.4),  # by how much each changes the picture
        description="shares of balance, keep_colour, keep_texture and highlight among the wishes",
    )

    @field_validator("emphasis")
    @classmethod
    def _known_degradations(cls, emphasis: dict[str, float]) -> dict[str, float]:
        _known(emphasis, DEGRADATIONS)
        return emphasis


class LossWeights(Strict):
    """Weights of the loss terms; VIF, Qabf and SCD are taken of undamaged samples that ask for nothing."""

    intensity: float = 8.0
    contrast: float = Field(
        default=0.0, ge=0, description="how much more the intensity of a pixel weighs, the more its sources differ"
    )
    gradient: float = 10.0
    ssim: float = 1.0
    chroma: float = 12.0
    vif: float = Field(default=0.0, description="of the sum over both sources, twice")
    qabf: float = 0.0
    scd: float = 0.0
    consistency: float = Field(
        default=0.0, description="repaired output against the averaged model's output on the clean pair"
    )
    least_damage: float = Field(
        default=0.1,
        description="added to the damage that a share is taken of: hardly damaged samples do not drown others",
    )
    power: Literal[1, 2] = Field(default=1, description="1: mean absolute, 2: root mean square differences of those")
    detail: float = Field(default=30.0, description="the same for their gradients, always absolute")
    bound: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="how much gradients, and pixels whose sources agree, are held to the reference where nothing is "
        "damaged or asked for; below 1, VIF, Qabf and SCD shape what is fine there, and repairs follow the averaged "
        "model's plain fusion, not a teacher's",
    )
    tone: float = Field(default=0.0, description="the same for their averages over 16-pixel squares")
    evenness: float = Field(default=0.0, description="differences between neighbours among these squares")
    glow: float = Field(
        default=0.0, ge=0, le=1, description="how much of what a teacher leaves out of warm objects is aimed at"
    )
    highlight: float = Field(default=0.0, description="the same where something is to be brought out")
    consistency_start: float = Field(default=0.15, description="share of the steps after which consistency begins")


class TextConditioning(Strict):
    """What a network that listens to text is told, and by which encoder."""

    encoder: str = Field(description="id of the text encoder, such as embedded or clip/ViT-B-32")
    width: int = Field(gt=0, description="numbers per feature that the encoder gives")
    features: Literal["sentence", "tokens"] = "sentence"
    prompts: int = Field(default=4000, ge=0, description="prompts drawn from the corpus")
    canonical: float = Field(default=0.25, description="share of the samples in the plain words that sliders speak")


class TextIFShape(Strict):
    """The arguments of ``networks.text_if.TextIF``; the defaults are the paper's."""

    width: int = 48
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    refinement: int = 4
    heads: tuple[int, int, int, int] = (1, 2, 4, 8)
    expansion: int = 2
    text_width: int = 512
    guided: tuple[Literal[1, 2, 3, 4], ...] = (1, 2, 3, 4)
    cross_attention: bool = True
    window: int = 0
    patch: int = 1
    from_brighter: bool = False


class CodebookShape(Strict):
    """The arguments of ``networks.codebook.Codebook``."""

    size: int = Field(default=1024, ge=1, description="codes per group")
    width: int = Field(default=256, ge=1, description="channels that are quantised, a multiple of the groups")
    groups: int = Field(default=1, ge=1, description="codebooks that divide the channels among them")
    decay: float = Field(default=0.99, ge=0, lt=1, description="of the moving averages, per step")
    least: float = Field(default=0.03, ge=0, lt=1, description="share of the mean below which a code is dead")

    @model_validator(mode="after")
    def _divisible(self) -> CodebookShape:
        if self.width % self.groups:
            raise ValueError(f"width {self.width} is not a multiple of groups {self.groups}")
        return self


class TextToPixelsShape(Strict):
    """The arguments of ``networks.text_to_pixels.TextToPixels``; the defaults are our reading of the paper."""

    width: int = 64
    blocks: tuple[int, int, int] = (2, 2, 2)
    layers: int = 4
    heads: tuple[int, int, int] = (1, 2, 4)
    expansion: int = 2
    text_width: int = 256
    window: int = Field(default=8, ge=0, description="side of the squares of attention; 0: all pixels to all")
    extractor: Literal["multi-level", "dilated"] = "multi-level"
    listening: Literal["everywhere", "transformer", "nowhere"] = "transformer"
    codebook: CodebookShape | None = CodebookShape()
    skips: bool = True
    patch: int = 1
    from_brighter: bool = False


class TextToPixelsLosses(Strict):
    """Weights of the loss terms of From Text to Pixels."""

    ssim: float = Field(default=1.0, description="structure: similarity to both sources")
    gradient: float = Field(default=10.0, description="structure: the larger of both sources' gradients")
    intensity: float = Field(default=8.0, description="content: the brighter source")
    colour: float = Field(default=12.0, description="content: the visible source's Cb and Cr")
    quantised: float = Field(default=1.0, description="content: discrete against continuous features")
    reconstruction: float = Field(default=1.0, description="content: each source from its own features")
    commitment: float = Field(default=0.25, description="what comes into the codebook against its codes")


class EmsData(Strict):
    """A data set in the layout of EMS, whose damage is its own."""

    folder: str = Field(description="below the folder of the data sets")
    share: float = Field(gt=0, le=1, description="of the samples; the rest is damaged on the fly")


class DegradationWeights(Strict):
    """One row of Text-IF's losses: the weights of the four terms where the words name a degradation."""

    intensity: float = 8.0
    ssim: float = 1.0
    gradient: float = 10.0
    colour: float = 12.0


class TaughtBy(Strict):
    """A finished model that alone is learned from."""

    model: str = Field(description="its name, or its folder")
    sha256: str = Field(default="", description="of its file, filled in when training starts")


class Recipe(Strict):
    """Everything that ``lexifuse train`` needs to make a model."""

    network: Literal["compact", "compact-fine", "text-if", "text-to-pixels"] = "compact"
    widths: tuple[int, int, int, int] = Field(
        default=(24, 48, 64, 80), description="of compact-fine: channels at 1/2, 1/4, 1/8 and 1/16 of the size"
    )
    sources: tuple[DataSource, ...]
    crop_store: int = Field(default=160, description="side of the stored crops, pixels")
    crop: int = Field(default=128, ge=32, description="side of the crops trained on, pixels")
    batch: int = Field(default=8, gt=0)
    steps: int = Field(gt=0)
    learning_rate: float = 1.5e-3
    schedule: Literal["cosine", "polynomial"] = Field(
        default="cosine", description="after the warm-up: cosine to a hundredth, or (1 - progress) ** 0.9 as in Text-IF"
    )
    warm_up: int = 200
    weight_decay: float = 1e-4
    only: tuple[str, ...] = Field(
        default=(), description="train nothing but the modulation that these words have of their own"
    )
    average_decay: float = 0.998
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    seed: int = 0
    validation: int = Field(default=64, ge=0, description="crops held out for the fixed validation set")
    mix: SampleMix = SampleMix()
    losses: LossWeights = LossWeights()
    teacher: TaughtBy | None = None
    text: TextConditioning | None = None
    text_if: TextIFShape | None = None
    text_to_pixels: TextToPixelsShape | None = None
    text_to_pixels_losses: TextToPixelsLosses = TextToPixelsLosses()
    ems: EmsData | None = None
    degradation_weights: dict[str, DegradationWeights] = Field(default={})

    @field_validator("only")
    @classmethod
    def _known_words(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        _known(words, _WORDS)
        return words

    @field_validator("degradation_weights")
    @classmethod
    def _known_rows(cls, rows: dict[str, DegradationWeights]) -> dict[str, DegradationWeights]:
        _known(rows, (PLAIN_ROW, *DEGRADATIONS))
        return rows

    @model_validator(mode="after")
    def _complete(self) -> Recipe:
        if self.losses.vif and self.crop < _LEAST_CROP_WITH_VIF:
            raise ValueError(f"crop {self.crop} is too small for the loss vif: take {_LEAST_CROP_WITH_VIF} or more")
        if self.crop > self.crop_store:
            raise ValueError(f"crop {self.crop} cannot be cut from stored crops of {self.crop_store} (crop_store)")
        if self.network in ("text-if", "text-to-pixels") and self.text is None:
            raise ValueError(f"network {self.network} needs a section 'text' with 'encoder' and 'width'")
        if self.network == "text-to-pixels" and self.text and self.text.features != "tokens":
            raise ValueError("network text-to-pixels attends to every token: set text.features to tokens")
        if self.text is not None and self.mix.seen:
            raise ValueError("mix.seen is for networks that hear severities: a sentence says itself how much")
        return self


def for_word(recipe: Recipe, word: str) -> Recipe:
    """The recipe that trains one word alone: mostly about its own damage, and wrongly about every other.

    Raises:
        UsageError: the word is neither a degradation nor ``balance``.
    """
    if word == _BALANCE:
        changes: dict[str, Any] = {"wish": 1.0, "wishes": (1.0, 0.0, 0.0, 0.0), "false_alarm": 0.0, "damaged": 0.3}
    elif word in DEGRADATIONS:
        emphasis = {name: _OWN if name == word else 1.0 for name in DEGRADATIONS}
        changes = {"emphasis": emphasis, "night": _NIGHTS if word == _DARK else 0.0}
    else:
        raise UsageError(f"--word takes balance or a degradation, not '{word}': one of {', '.join(DEGRADATIONS)}")
    return recipe.model_copy(update={"only": (word,), "mix": recipe.mix.model_copy(update=changes)})


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe that ships with lexifuse (``compact``), or one from a YAML file.

    Raises:
        UsageError: there is no such recipe, or a field is unknown or of the wrong type.
    """
    return read_recipe(Recipe, name_or_path)
