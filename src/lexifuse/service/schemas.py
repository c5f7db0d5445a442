"""What goes over the wire as JSON, for checking and for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lexifuse.service.settings import MAX_PROMPT

Severity = Annotated[float, Field(ge=0, le=1)]


class VisibleSeverities(BaseModel):
    """How much of each degradation of the visible picture is to be repaired; 0.2 or more counts as asked for."""

    low_light: Severity
    over_exposure: Severity
    noise: Severity
    haze: Severity
    rain: Severity
    blur: Severity


class InfraredSeverities(BaseModel):
    """How much of each degradation of the infrared picture is to be repaired."""

    low_contrast: Severity
    noise: Severity
    stripes: Severity


class InstructionSchema(BaseModel):
    """What a fusion is asked to do."""

    visible: VisibleSeverities
    infrared: InfraredSeverities
    balance: Annotated[float, Field(ge=-1, le=1, description="-1 visible only, 0 both, +1 infrared only")]
    keep_colour: bool
    keep_texture: bool
    highlight: list[str] = Field(description="Objects to bring out.", examples=[["person", "car"]])


class Prompt(BaseModel):
    """Words to be understood."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(max_length=MAX_PROMPT, examples=["the visible image is dark; make the cyclists stand out"])


class Understood(BaseModel):
    """Words of the prompt, and the field they set."""

    words: str
    field: str


class Correction(BaseModel):
    """A misspelt word, and what it was read as."""

    word: str
    read_as: str


class ReadingSchema(InstructionSchema):
    """What words were understood as; ``lexifuse explain --json`` prints the same."""

    model_config = ConfigDict(extra="allow")

    prompt: str
    in_words: str = Field(examples=["brighten the dark visible image (moderately, 0.60); bring out: cyclist"])
    understood: list[Understood]
    not_understood: list[str]
    phrases: dict[str, str]
    corrections: list[Correction]
    unsure: list[str]
    confidence: float


class InspectionSchema(InstructionSchema):
    """What the pixels look like; ``lexifuse inspect --json`` prints the same."""

    model_config = ConfigDict(extra="allow")

    in_words: str


class RecordSchema(BaseModel):
    """How a fusion came about; ``lexifuse fuse --json`` prints the same."""

    width: int
    height: int
    model: str = Field(description="That fused the pair.")
    model_sha256: str
    instruction: InstructionSchema
    in_words: str
    carried_out: InstructionSchema = Field(description="What is done of it once the pixels had their say.")
    prompt: str
    not_understood: list[str]
    unsure: list[str]
    seen: InspectionSchema | None = Field(description="What the pixels were taken for, where they were asked.")
    seconds: float = Field(description="Spent on the fusion itself.")
    notes: list[str] = Field(description="What the user should know.")


class FusionSchema(RecordSchema):
    """A fusion with its picture in base64."""

    image: str = Field(description="The picture file, base64.", json_schema_extra={"contentEncoding": "base64"})
    media_type: Literal["image/png"]


class DetectionSchema(BaseModel):
    """One object."""

    box: list[float] = Field(
        description="x0, y0, x1, y1 in pixels, the end exclusive.",
        min_length=4,
        max_length=4,
        examples=[[10, 20, 40, 90]],
    )
    label: Literal["person", "vehicle"]
    score: Severity


class DetectionsSchema(RecordSchema):
    """What was found in a fused pair."""

    found: list[DetectionSchema] = Field(description="By descending score.")
    threshold: float = Field(description="The least score of what is listed.")
    detector: str
    detector_sha256: str


class ModelSchema(BaseModel):
    """A model's card."""

    model_config = ConfigDict(extra="allow")

    name: str
    task: str
    licence: str
    sha256: str
    size_bytes: int
    parameters: int
    gmac: float = Field(description="1e9 multiply-accumulates for one 640x480 pair.")
    conditioning: str
    training: dict[str, Any]
    metrics: dict[str, Any]


class ModelsSchema(BaseModel):
    """The models that can be asked for."""

    default: str = Field(description="What a request without a model gets.")
    models: list[ModelSchema]


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """The service can take requests."""

    status: Literal["ready"]
    model: str
