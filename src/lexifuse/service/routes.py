"""The ``/v1`` routes: what a request may say, and what comes back."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile

from lexifuse.account import record
from lexifuse.images.counts import parse_range
from lexifuse.instruction import parse_settings
from lexifuse.language import read_prompt
from lexifuse.service.engine import PICTURE_FORMATS, Fused, FusionRequest, PictureFormat, Pictures
from lexifuse.service.fields import check_fields
from lexifuse.service.problems import problem_responses
from lexifuse.service.schemas import (
    DetectionsSchema,
    FusionSchema,
    InspectionSchema,
    ModelsSchema,
    Prompt,
    ReadingSchema,
)
from lexifuse.service.settings import MAX_PROMPT
from lexifuse.service.state import Service

INSTRUCTION_HEADER = "X-Lexifuse-Instruction"
CARRIED_OUT_HEADER = "X-Lexifuse-Carried-Out"
NOT_UNDERSTOOD_HEADER = "X-Lexifuse-Not-Understood"
NOTES_HEADER = "X-Lexifuse-Notes"
MODEL_HEADER = "X-Lexifuse-Model"
ANSWER_HEADERS = (INSTRUCTION_HEADER, CARRIED_OUT_HEADER, NOT_UNDERSTOOD_HEADER, NOTES_HEADER, MODEL_HEADER)

_LONGEST_WORD, _LONGEST_WORDS = 100, 2_000
"""Characters of a word, and of all words, in a header: proxies and clients refuse long ones."""

_QUEUED = ("malformed", "upload-too-slow", "too-large", "invalid", "queue-full", "internal", "out-of-time")
_PICTURES = (*_QUEUED, "too-many-pixels", "unknown-picture-format", "unusable-picture")

_FUSED_RESPONSE: dict[str, Any] = {
    "description": "The fused picture, or JSON with the picture in base64.",
    "headers": {
        INSTRUCTION_HEADER: {"description": "What was asked for, JSON.", "schema": {"type": "string"}},
        CARRIED_OUT_HEADER: {
            "description": "What is done of it once the pixels had their say, JSON.",
            "schema": {"type": "string"},
        },
        NOT_UNDERSTOOD_HEADER: {
            "description": "Words that were not understood, a JSON list; missing where there are none.",
            "schema": {"type": "string"},
        },
        NOTES_HEADER: {"description": "What the user should know, a JSON list.", "schema": {"type": "string"}},
        MODEL_HEADER: {"description": "The model's name.", "schema": {"type": "string"}},
        "Server-Timing": {"description": "Milliseconds per stage.", "schema": {"type": "string"}},
    },
    "content": {media: {"schema": {"type": "string", "format": "binary"}} for _, media in PICTURE_FORMATS.values()},
    "model": FusionSchema,
}

Infrared = Annotated[UploadFile, File(description="The infrared picture: PNG, JPEG, TIFF, BMP or WebP, 8 or 16 bits.")]
Visible = Annotated[UploadFile, File(description="The visible picture of the same scene, registered, same size.")]
Resize = Annotated[bool, Form(description="Bring an infrared picture of another size to the visible picture's.")]
InfraredRange = Annotated[
    str,
    Form(
        max_length=100,
        description="`LOW,HIGH`: values of the infrared picture that become black and white, alike for all of a film.",
        examples=["7000,8500"],
    ),
]
PromptWords = Annotated[
    str,
    Form(
        max_length=MAX_PROMPT,
        description="What is wrong with the pictures and what should stand out; `auto` looks at the pictures.",
        examples=["the visible image is dark; make people stand out"],
    ),
]
SetValues = Annotated[
    list[str],
    Form(
        alias="set",
        max_length=32,
        description="`KEY=VALUE`, as often as needed: overrides what the words said.",
        examples=[["visible.low_light=0.8", "balance=0.3"]],
    ),
]
ModelName = Annotated[str, Form(max_length=200, description="A name that /v1/models lists.", examples=["compact"])]

router = APIRouter(prefix="/v1")


@router.post(
    "/fuse",
    response_class=Response,
    responses={200: _FUSED_RESPONSE, **problem_responses(*_PICTURES)},
    dependencies=[Depends(check_fields)],
)
async def fuse(
    request: Request,
    infrared: Infrared,
    visible: Visible,
    prompt: PromptWords = "",
    values: SetValues = [],  # noqa: B006 - FastAPI copies it
    model: ModelName = "",
    picture_format: Annotated[
        Literal[PictureFormat, "json"],
        Form(alias="format", description="Of the answer; `json` has a PNG in base64."),
    ] = "png",
    resize: Resize = False,
    infrared_range: InfraredRange = "",
) -> Response:
    """Fuse an infrared and a visible picture into one, as the words ask."""
    service = Service.of(request)
    pictures = _pictures(infrared, visible, resize, infrared_range)
    drawn = "png" if picture_format == "json" else picture_format
    asked = FusionRequest(pictures, prompt, parse_settings(values), model, drawn)
    fused = await service.run(request, lambda: service.engine.fuse(asked))
    height, width = fused.result.image.shape[:2]
    service.metrics.fusion_seconds.labels(fused.model.name).observe(fused.result.seconds)
    service.metrics.fused_pixels.inc(height * width)
    if picture_format == "json":
        picture = {"image": base64.b64encode(fused.content).decode(), "media_type": fused.media_type}
        told = json.dumps({**picture, **record(fused.result, fused.model)})
        return Response(told, media_type="application/json", headers=_headers(fused))
    return Response(fused.content, media_type=fused.media_type, headers=_headers(fused))


@router.post("/explain", response_model=ReadingSchema, responses=problem_responses(*_QUEUED))
async def explain(request: Request, body: Prompt) -> dict[str, Any]:
    """Say what words are understood as, and which of them are not."""
    return await Service.of(request).run(request, lambda: read_prompt(body.prompt).to_dict())


@router.post(
    "/inspect",
    response_model=InspectionSchema,
    responses=problem_responses(*_PICTURES),
    dependencies=[Depends(check_fields)],
)
async def inspect(
    request: Request, infrared: Infrared, visible: Visible, resize: Resize = False, infrared_range: InfraredRange = ""
) -> dict[str, Any]:
    """Look at the pictures and say what seems wrong with them: the automatic instruction."""
    service = Service.of(request)
    pictures = _pictures(infrared, visible, resize, infrared_range)
    return await service.run(request, lambda: service.engine.inspect(pictures))


def _needs_detector(request: Request) -> None:
    """Without a detector no upload is looked at."""
    if not Service.of(request).engine.has_detector:
        Service.of(request).engine.detector()


@router.post(
    "/detect",
    response_model=DetectionsSchema,
    responses=problem_responses(*_PICTURES, "not-available"),
    dependencies=[Depends(_needs_detector), Depends(check_fields)],
)
async def detect(
    request: Request,
    infrared: Infrared,
    visible: Visible,
    prompt: PromptWords = "",
    values: SetValues = [],  # noqa: B006 - FastAPI copies it
    model: ModelName = "",
    threshold: Annotated[
        float | None, Form(ge=0, le=1, description="Least score; the detector's where missing.")
    ] = None,
    resize: Resize = False,
    infrared_range: InfraredRange = "",
) -> dict[str, Any]:
    """Fuse a pair as the words ask, and find the people and vehicles in it."""
    service = Service.of(request)
    pictures = _pictures(infrared, visible, resize, infrared_range)
    asked = FusionRequest(pictures, prompt, parse_settings(values), model, "png")
    found = await service.run(request, lambda: service.engine.detect(asked, threshold))
    result = found.fused.result
    service.metrics.fusion_seconds.labels(found.fused.model.name).observe(result.seconds)
    return {
        "found": [item.to_dict() for item in found.detections],
        "threshold": found.threshold,
        "detector": found.detector.name,
        "detector_sha256": found.detector.sha256,
        **record(result, found.fused.model),
    }


@router.get("/models", response_model=ModelsSchema)
async def models(request: Request) -> dict[str, Any]:
    """The models that can be asked for, with their cards."""
    found = Service.of(request).engine.models()
    cards = [{**asdict(model.card), "size_bytes": model.size_bytes} for model in found]
    return {"default": found[0].name, "models": cards}


def _pictures(infrared: UploadFile, visible: UploadFile, resize: bool, infrared_range: str) -> Pictures:
    bounds = parse_range(infrared_range, "infrared_range") if infrared_range else None
    return Pictures(infrared.file, visible.file, resize, bounds)


def _headers(fused: Fused) -> dict[str, str]:
    timing = ", ".join(f"{stage};dur={value:.1f}" for stage, value in fused.milliseconds.items())
    headers = {
        INSTRUCTION_HEADER: json.dumps(fused.result.instruction.to_dict()),
        CARRIED_OUT_HEADER: json.dumps(fused.result.carried_out.to_dict()),
        NOTES_HEADER: json.dumps(fused.result.notes),
        MODEL_HEADER: fused.model.name,
        "Server-Timing": timing,
    }
    reading = fused.result.reading
    if reading and reading.not_understood:
        headers[NOT_UNDERSTOOD_HEADER] = _words_for_header(reading.not_understood)
    return headers


def _words_for_header(words: tuple[str, ...]) -> str:
    """As many of the words as fit into a header, as a JSON list of ASCII characters."""
    kept = [word[:_LONGEST_WORD] for word in words]
    while len(text := json.dumps(kept)) > _LONGEST_WORDS:
        kept.pop()
    return text
