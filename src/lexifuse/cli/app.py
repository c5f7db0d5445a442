"""``lexifuse app``: a page in the browser to try things on, on this machine alone."""

from __future__ import annotations

from typing import Annotated

import typer

from lexifuse.cli.options import (
    DetectorName,
    Host,
    LogLevel,
    MaxMegabytes,
    MaxMegapixels,
    ModelName,
    Port,
    Provider,
    Threads,
)
from lexifuse.errors import MissingExtraError, UsageError

WAIT_SECONDS = 300.0
"""How long a fusion may take; longer than the service allows, for somebody sits there and sees that it works."""


def app(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    model: ModelName = "compact",
    detector: DetectorName = "",
    threads: Threads = 0,
    max_megabytes: MaxMegabytes = 64,
    max_megapixels: MaxMegapixels = 40.0,
    browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    log_level: LogLevel = "warning",
    provider: Provider = "cpu",
) -> None:
    """Open a page in the browser: drop two pictures, type, see, type again; until Ctrl-C or SIGTERM.

    The service of `lexifuse serve` stands beside it, under /v1/.

    Example: `lexifuse app --open`
    """
    import webbrowser

    if log_level.lower() not in ("debug", "info", "warning", "error"):
        raise UsageError(f"--log-level takes debug, info, warning or error, not '{log_level}'")
    try:
        from lexifuse.service import ServiceSettings, create_api
        from lexifuse.service.logs import log_to_stderr
        from lexifuse.service.page import mount_page
        from lexifuse.service.server import listen, serve_until_stopped, url_of
        from lexifuse.service.settings import pixel_limit

        settings = ServiceSettings(
            model=model,
            detector=detector,
            threads=threads,
            provider=provider,
            time_limit=WAIT_SECONDS,
            max_bytes=max_megabytes * 2**20,
            max_pixels=pixel_limit(max_megapixels),
        )
        api = create_api(settings)
        api.state.service.engine.load()  # A model that cannot be loaded is told in one line, before anything listens.
        with listen(host, port) as listener:
            log_to_stderr(log_level)
            mount_page(api)
            url = url_of(listener)
            typer.echo(f"lexifuse is at {url} (Ctrl-C ends it)")
            if host not in ("127.0.0.1", "::1", "localhost"):
                typer.echo("note: whoever can reach this address can use the page; it asks for no key", err=True)
            if browser:
                webbrowser.open(url)
            serve_until_stopped(api, listener)
    except ModuleNotFoundError as error:
        raise MissingExtraError("the page", "service") from error
