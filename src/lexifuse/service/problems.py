"""Typed errors over HTTP: problem details as RFC 9457 has them, for everything that can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from lexifuse.errors import InputError, LexifuseError, UsageError

MEDIA_TYPE = "application/problem+json"

KINDS: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be read"),
    "key-needed": (401, "A valid API key is needed"),
    "not-found": (404, "There is nothing here"),
    "method-not-allowed": (405, "This address does not take that method"),
    "upload-too-slow": (408, "The request took too long to arrive"),
    "too-large": (413, "The request is larger than the limit"),
    "too-many-pixels": (413, "A picture has more pixels than the limit"),
    "unknown-picture-format": (415, "A picture is in no format that is read here"),
    "invalid": (422, "A field is missing or wrong"),
    "unusable-picture": (422, "A picture cannot be used"),
    "queue-full": (429, "Too much is waiting already"),
    "client-gone": (499, "The client went away"),
    "internal": (500, "Something went wrong here"),
    "not-available": (501, "This installation cannot do that"),
    "not-ready": (503, "The service is starting or stopping"),
    "out-of-time": (504, "The time limit ran out"),
}
"""Kinds of problems: status and title. ``urn:lexifuse:problem:<kind>`` is what a program should look at."""


class FieldError(BaseModel):
    """One thing that is wrong with one field."""

    field: str = Field(examples=["format"])
    message: str = Field(examples=["Input should be 'png', 'jpeg', 'webp', 'tiff' or 'json'"])


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="What kind of problem this is; stable.", examples=["urn:lexifuse:problem:invalid"])
    title: str = Field(description="The kind in words.", examples=["A field is missing or wrong"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What is wrong with this request, and how to mend it.")
    request_id: str = Field(description="As in the X-Request-ID header and in the log.")
    errors: list[FieldError] | None = Field(default=None, description="Field by field, where fields are wrong.")


class ProblemError(HTTPException):
    """A problem on its way to the client; ``kind`` is one of :data:`KINDS`."""

    def __init__(self, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(KINDS[kind][0], detail, dict(headers or {}))
        self.kind = kind


def problem_response(scope: Scope, error: ProblemError, errors: list[dict[str, str]] | None = None) -> JSONResponse:
    """The answer that tells a problem."""
    status, title = KINDS[error.kind]
    content: dict[str, Any] = {
        "type": f"urn:lexifuse:problem:{error.kind}",
        "title": title,
        "status": status,
        "detail": error.detail,
        "request_id": scope.get("state", {}).get("request_id", ""),
    }
    if errors:
        content["errors"] = errors
    return JSONResponse(content, status, headers=error.headers, media_type=MEDIA_TYPE)


def install_handlers(api: FastAPI) -> None:
    """Answer every error that is foreseen with problem details; the access log answers the others."""
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(RequestValidationError, _wrong_fields)
    api.add_exception_handler(LexifuseError, _lexifuse_error)


def problem_responses(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI ``responses`` of a route that can meet these kinds of problems."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        status, title = KINDS[kind]
        described = found.setdefault(
            status,
            {
                "description": "",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        described["description"] = "; ".join(filter(None, (described["description"], title)))
        example = {"type": f"urn:lexifuse:problem:{kind}", "title": title, "status": status}
        example |= {"detail": title + ".", "request_id": "4c1ff9f0c7e14b5c"}
        described["content"][MEDIA_TYPE]["examples"][kind] = {"value": example}
        if kind == "queue-full":
            described["headers"] = {
                "Retry-After": {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}}
            }
    return found


def _http_error(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, ProblemError):
        return problem_response(request.scope, error)
    assert isinstance(error, HTTPException)
    kind = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}.get(error.status_code, "malformed")
    detail = error.detail
    if kind in ("not-found", "method-not-allowed"):
        phrase = HTTPStatus(error.status_code).phrase
        detail = f"{request.method} {request.url.path}: {phrase.lower()}; /openapi.json lists what there is"
    return problem_response(request.scope, ProblemError(kind, detail, error.headers))


def _wrong_fields(request: Request, error: Exception) -> JSONResponse:
    """The input itself is left out of the answer: it may be a whole picture."""
    assert isinstance(error, RequestValidationError)
    for item in error.errors():
        if item["type"] == "json_invalid":
            reason = f"the body is not JSON: {item['ctx']['error']} at character {item['loc'][-1]}"
            return problem_response(request.scope, ProblemError("malformed", reason))
    errors = [{"field": _field(item["loc"]), "message": str(item["msg"])} for item in error.errors()]
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
    return problem_response(request.scope, ProblemError("invalid", detail), errors)


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if part != "body") or "body"


def _lexifuse_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, (UsageError, InputError)):
        raise error
    kind = "invalid" if isinstance(error, UsageError) else "unusable-picture"
    return problem_response(request.scope, ProblemError(kind, str(error)))
