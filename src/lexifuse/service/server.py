"""The HTTP server under the service: uvicorn with limits, one bound socket, and an end that finishes what runs."""

from __future__ import annotations

import asyncio
import errno
import math
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from lexifuse.errors import OutputError
from lexifuse.service.settings import ServiceSettings

HEADER_SECONDS = 15.0
"""How long a connection may take to send a request's headers."""

CONNECTIONS = 500
"""Connections at a time; one more is answered 503. Below the 1,024 open files that many systems allow a process."""

_OF_PORT = (errno.EADDRINUSE, errno.EACCES)
"""Why a port cannot be had; all else is the host's fault."""

_SHUTDOWN_SLACK = 5
"""Seconds beyond the time limits that a shutdown waits for answers to be sent."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1, but with an end to patience: uvicorn itself would wait for a request's headers for ever."""

    header_seconds = HEADER_SECONDS
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request."""
        super().connection_made(transport)
        self._wait_for_headers()

    def on_response_complete(self) -> None:
        """Start the clock for the next request, unless it has come already and waited for this one (pipelining)."""
        before = self.cycle
        super().on_response_complete()
        if self.cycle is before:
            self._wait_for_headers()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _wait_for_headers(self) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(self.header_seconds, self._give_up, self.cycle)

    def _give_up(self, before: object) -> None:
        if self.cycle is before:  # No request has begun since.
            self.transport.close()


class GracefulServer(uvicorn.Server):
    """Waits for answers when it stops, but not for streams that would never end: these are told to."""

    def __init__(self, config: uvicorn.Config, streams: Iterable[Callable[[], None]]) -> None:
        super().__init__(config)
        self._streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams of a page, then stop as uvicorn does."""
        for end in self._streams:
            end()
        await super().shutdown(sockets)


def make_server(api: FastAPI) -> uvicorn.Server:
    """A server that is set up but not started: ``make_server(create_api()).run(sockets=[listen(host, port)])``."""
    settings: ServiceSettings = api.state.service.settings
    config = uvicorn.Config(
        api,
        http=PatientProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=math.ceil(settings.time_limit + settings.upload_limit) + _SHUTDOWN_SLACK,
    )
    return GracefulServer(config, getattr(api.state, "end_streams", ()))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes one that is free.

    Raises:
        OutputError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError, UnicodeError) as error:
        # Python adds the address to the reason, in brackets.
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (while")[0]
        option = "--port" if isinstance(error, OverflowError) or getattr(error, "errno", 0) in _OF_PORT else "--host"
        raise OutputError(f"cannot listen on {host} port {port} ({reason}): choose another with {option}") from error


def url_of(listener: socket.socket) -> str:
    """Where a socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve_until_stopped(api: FastAPI, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT (Ctrl-C), answer what has been asked, and return; a second SIGINT ends at once."""

    def returned(*_: Any) -> None:
        """Uvicorn raises the signal again after it has stopped; that shall not end the process."""

    before = {number: signal.signal(number, returned) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        make_server(api).run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def serve_in_background(api: FastAPI, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve from a thread of this process while the block runs; yields the URL.

    Raises:
        OutputError: the address cannot be had, or the service did not start.
    """
    server = make_server(api)
    with listen(host, port) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="lexifuse-server")
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise OutputError("the service did not start: the log says why")
                time.sleep(0.01)
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join()
