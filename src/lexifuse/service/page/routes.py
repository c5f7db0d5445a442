"""What the page fetches beside Gradio's own traffic: uploads in, pictures, reports and samples out."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from lexifuse.service.page.encoding import thumbnail
from lexifuse.service.page.samples import SAMPLES
from lexifuse.service.page.store import Content, FileStore
from lexifuse.service.problems import ProblemError
from lexifuse.service.state import Service

PREFIX = "/page"
"""Where these routes stand."""

_FOR_GOOD = {"Cache-Control": "private, max-age=86400, immutable"}


def url_of_file(bundle: str, file: str) -> str:
    """Where the browser finds a file of the store; relative, so that a proxy may put the page below a path."""
    return f"{PREFIX.removeprefix('/')}/files/{bundle}/{file}"


def url_of_sample(key: str) -> str:
    """Where the browser finds the small picture of a sample."""
    return f"{PREFIX.removeprefix('/')}/samples/{key}"


def url_of_boxes(bundle: str) -> str:
    """Where the browser finds what the detector finds in a fused picture."""
    return f"{PREFIX.removeprefix('/')}/boxes/{bundle}"


def page_router(store: FileStore) -> APIRouter:
    """The routes; they are no part of the service's interface and stay out of its OpenAPI document."""
    router = APIRouter(prefix=PREFIX, include_in_schema=False)

    @router.post("/files")
    async def upload(request: Request) -> dict[str, str]:
        """Take a file, as the bytes of the body; answers the name it is kept under."""
        data = bytearray()
        limit = Service.of(request).settings.max_bytes
        async for part in request.stream():
            data += part
            if len(data) > limit:
                raise ProblemError("too-large", f"the file is larger than {limit // 2**20} MB: scale the picture down")
        kept = Content(bytes(data), "application/octet-stream")
        return {"file": store.add({"upload": lambda: kept}, len(data))}

    @router.get("/files/{bundle}/{name}")
    def file(bundle: Annotated[str, Path(max_length=64)], name: Annotated[str, Path(max_length=64)]) -> Response:
        """A file of the store."""
        return _answer(store.get(bundle, name))

    @router.get("/boxes/{bundle}")
    async def boxes(request: Request, bundle: Annotated[str, Path(max_length=64)]) -> Response:
        """What the detector finds in a fused picture; looked for in the service's queue when it is first asked for."""
        return _answer(await Service.of(request).queue.run(partial(store.get, bundle, "boxes.json")))

    @router.get("/samples/{key}")
    def sample(key: Annotated[str, Path(max_length=64)]) -> Response:
        """The small picture of a sample: infrared and visible, side by side."""
        if key not in SAMPLES:
            raise ProblemError("not-found", f"there is no sample '{key}'")
        content = thumbnail(SAMPLES[key].preview())
        return Response(content.data, media_type=content.media_type, headers=_FOR_GOOD)

    return router


def _answer(content: Content | None) -> Response:
    if content is None:
        raise ProblemError("not-found", "this file is no longer held: change anything on the page to make it again")
    return Response(content.data, media_type=content.media_type, headers=_FOR_GOOD)
