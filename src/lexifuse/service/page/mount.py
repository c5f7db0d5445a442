"""Put the page into the service's application."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.routing import Route, Router

from lexifuse.service.api import OPERATIONS
from lexifuse.service.page.privacy import KeepInside
from lexifuse.service.page.routes import page_router
from lexifuse.service.page.store import FileStore
from lexifuse.service.page.workbench import Workbench
from lexifuse.service.state import Service

if TYPE_CHECKING:
    from gradio import Blocks

# Gradio and what it stands on tell their makers about each use unless told not to, before they are loaded.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

TITLE = "lexifuse: fuse infrared and visible pictures"


def mount_page(api: FastAPI) -> FastAPI:
    """Add the page at ``/`` to an application that was made by :func:`lexifuse.service.create_api`.

    The page fuses with the service's models and in its queue. Its pictures are held in memory, and none of its parts
    is fetched from elsewhere. It asks for no key.

    Args:
        api: the application, which must not have been started; it is changed and returned.
    """
    import gradio

    from lexifuse.service.page.theme import asset, theme

    service: Service = api.state.service
    store = FileStore()
    _keep_to_itself(api)
    api.include_router(page_router(store))
    blocks = _make_blocks(service, store)
    # What Gradio itself would do about streams that are open when the server stops, it does in its own server only.
    api.state.end_streams = (lambda: _end_streams(api),)
    gradio.mount_gradio_app(
        api,
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
        max_file_size=1,  # Uploads come by the page's own route.
        theme=theme(),
        css=asset("page.css"),
    )
    api.add_middleware(KeepInside)
    return api


def _keep_to_itself(api: FastAPI) -> None:
    """Let the service say itself what it has not: else the page, which stands at the root, would answer for it."""
    service = Router(list(api.routes))
    for path in ("/v1", "/v1/{path:path}", "/openapi.json", *OPERATIONS):
        api.router.routes.append(Route(path, service, include_in_schema=False))


def _end_streams(api: FastAPI) -> None:
    for route in api.routes:
        if (stop := getattr(getattr(route, "app", None), "stop_event", None)) is not None:
            stop.set()


def _make_blocks(service: Service, store: FileStore) -> Blocks:
    import gradio

    from lexifuse.service.page.events import Events
    from lexifuse.service.page.layout import lay_out

    bench = Workbench(service, store)
    with gradio.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as blocks:
        page = lay_out(bench.models(), service.settings.max_bytes)
        Events(page, bench, service.queue).connect(blocks)
    return blocks
