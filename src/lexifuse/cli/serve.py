"""``lexifuse serve``: fusion over HTTP."""

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


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    model: ModelName = "compact",
    detector: DetectorName = "",
    workers: Annotated[int, typer.Option("--workers", envvar="LEXIFUSE_WORKERS", min=1, help="Fusions at a time.")] = 2,
    threads: Threads = 0,
    queue: Annotated[
        int, typer.Option("--queue", envvar="LEXIFUSE_QUEUE", min=0, help="Requests that may wait for a worker.")
    ] = 32,
    time_limit: Annotated[
        float, typer.Option("--time-limit", envvar="LEXIFUSE_TIME_LIMIT", help="Seconds per request, waiting included.")
    ] = 30.0,
    max_megabytes: MaxMegabytes = 64,
    max_megapixels: MaxMegapixels = 40.0,
    api_keys: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            envvar="LEXIFUSE_API_KEY",
            help="Ask for this key (several: with commas). Better set as LEXIFUSE_API_KEY: command lines can be seen.",
            show_default=False,
        ),
    ] = None,
    origins: Annotated[
        str | None,
        typer.Option(
            "--cors",
            envvar="LEXIFUSE_CORS",
            help="Web origins that may call from a browser, with commas; * allows all.",
            show_default=False,
        ),
    ] = None,
    log_level: LogLevel = "info",
    provider: Provider = "cpu",
) -> None:
    """Serve fusion over HTTP until Ctrl-C or SIGTERM; see /openapi.json.

    Example: `lexifuse serve --port 8000`, then
    `curl -F infrared=@ir.png -F visible=@visible.png -F prompt="it is dark" -o fused.png http://127.0.0.1:8000/v1/fuse`
    """
    import logging

    if log_level.lower() not in ("debug", "info", "warning", "error"):
        raise UsageError(f"--log-level takes debug, info, warning or error, not '{log_level}'")
    try:
        from lexifuse.service import ServiceSettings, create_api
        from lexifuse.service.logs import log_to_stderr
        from lexifuse.service.server import listen, serve_until_stopped, url_of
        from lexifuse.service.settings import pixel_limit
    except ModuleNotFoundError as error:
        raise MissingExtraError("the service", "service") from error

    settings = ServiceSettings(
        model=model,
        detector=detector,
        workers=workers,
        threads=threads,
        provider=provider,
        queue=queue,
        time_limit=time_limit,
        max_bytes=max_megabytes * 2**20,
        max_pixels=pixel_limit(max_megapixels),
        api_keys=_list("--api-key (LEXIFUSE_API_KEY)", api_keys),
        origins=_list("--cors (LEXIFUSE_CORS)", origins),
    )
    api = create_api(settings)
    api.state.service.engine.load()  # A model that cannot be loaded is told in one line, before anything listens.
    with listen(host, port) as listener:
        log_to_stderr(log_level)
        log = logging.getLogger("lexifuse.service")
        log.info("listening", extra={"fields": {"url": url_of(listener), "model": model}})
        if host not in ("127.0.0.1", "::1", "localhost") and not settings.api_keys:
            log.warning("open to the network without an API key: set LEXIFUSE_API_KEY, or listen on 127.0.0.1")
        serve_until_stopped(api, listener)
        log.info("stopped")


def _list(option: str, text: str | None) -> tuple[str, ...]:
    """What stands between the commas; a blank is refused, for whoever sets a key does not mean to go without."""
    parts = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    if text is not None and not parts:
        raise UsageError(f"{option} is blank: give it a value, or leave it out")
    return parts
