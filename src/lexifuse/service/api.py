"""The service as one FastAPI application; a page can be mounted into it beside ``/v1``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import prometheus_client
from fastapi import FastAPI, Request, Response, Security
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader

from lexifuse import __version__
from lexifuse.service.access import ID_HEADER, AccessLog
from lexifuse.service.guard import KEY_HEADER, Guard
from lexifuse.service.problems import Problem, ProblemError, install_handlers, problem_responses
from lexifuse.service.routes import ANSWER_HEADERS, router
from lexifuse.service.schemas import Health, Readiness
from lexifuse.service.settings import ServiceSettings
from lexifuse.service.state import Service

OPERATIONS = ("/healthz", "/readyz", "/metrics")
"""Paths for whoever runs the service; they ask for no key."""


def create_api(settings: ServiceSettings | None = None) -> FastAPI:
    """Make the application. Models are loaded when it starts; it can be started once.

    ``api.state.service`` is the :class:`lexifuse.service.state.Service` behind it, so that a page that is mounted into
    the application shares its models and its queue. The limits and the key guard ``/v1/`` alone. No documentation page
    is served (FastAPI's own loads scripts from elsewhere); ``/openapi.json`` is.

    Args:
        settings: limits and sizes; the defaults where None.
    """
    settings = settings or ServiceSettings()
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.engine.load)
        yield
        await service.queue.close()

    api = FastAPI(
        title="lexifuse",
        summary="Text-guided fusion of infrared and visible images.",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    api.state.service = service
    install_handlers(api)
    if settings.api_keys:  # The guard checks the key, before a body is read; this is for the OpenAPI document.
        asks_for_key = Security(APIKeyHeader(name=KEY_HEADER, auto_error=False))
        api.include_router(router, dependencies=[asks_for_key], responses=problem_responses("key-needed"))
    else:
        api.include_router(router)
    _add_operations(api, service)
    paths = frozenset((*OPERATIONS, *(route.path for route in router.routes if isinstance(route, APIRoute))))
    # The last one added stands outermost.
    api.add_middleware(Guard, settings=settings, queue=service.queue)
    if settings.origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=("GET", "POST"),
            allow_headers=(KEY_HEADER, "Content-Type", ID_HEADER),
            expose_headers=(*ANSWER_HEADERS, ID_HEADER, "Retry-After", "Server-Timing"),
        )
    api.add_middleware(AccessLog, metrics=service.metrics, routes=paths)
    return api


def _add_operations(api: FastAPI, service: Service) -> None:
    @api.get("/healthz")
    async def healthz() -> Health:
        """The process answers."""
        return Health(status="ok")

    @api.get("/readyz", responses=problem_responses("not-ready"))
    async def readyz(request: Request) -> Readiness:
        """The service's own model is loaded: requests can be sent."""
        engine = Service.of(request).engine
        if not engine.ready:
            raise ProblemError("not-ready", "the model is not loaded yet: try again")
        return Readiness(status="ready", model=engine.models()[0].name)

    @api.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Counts and times in Prometheus' text format."""
        return Response(service.metrics.text(), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    def openapi() -> dict[str, Any]:
        """FastAPI's document, with the schema that all problems share, and forms closed to other fields."""
        if not api.openapi_schema:
            document = get_openapi(title=api.title, version=api.version, summary=api.summary, routes=api.routes)
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            document["components"]["schemas"] |= {**schema.pop("$defs"), "Problem": schema}
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
            for name, form in document["components"]["schemas"].items():
                if name.startswith("Body_"):  # So FastAPI names forms.
                    form["additionalProperties"] = False
            api.openapi_schema = document
        return api.openapi_schema

    api.openapi = openapi
