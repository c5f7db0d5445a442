"""One line of log, one count and one id per request; never a picture, a prompt or a key."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lexifuse.service.metrics import Metrics
from lexifuse.service.problems import ProblemError, problem_response

ID_HEADER = "X-Request-ID"

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_log = logging.getLogger("lexifuse.service")


def own_path(scope: Scope) -> str:
    """The path as the application itself knows it, wherever it is mounted."""
    return scope["path"].removeprefix(scope.get("root_path", ""))


class AccessLog:
    """ASGI middleware around everything. A client's own ``X-Request-ID`` is kept if it is short and plain.

    Args:
        app: what it stands around.
        metrics: where requests are counted.
        routes: paths that are counted by name; all others are "other", so that nobody can make up new counters.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(ID_HEADER, "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex[:16]
        scope.setdefault("state", {})["request_id"] = request_id
        status, sent, sent_headers, started = 500, 0, False, time.perf_counter()

        async def send_counted(message: Message) -> None:
            nonlocal status, sent, sent_headers
            if message["type"] == "http.response.start":
                status, sent_headers = message["status"], True
                MutableHeaders(scope=message)[ID_HEADER] = request_id
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        except Exception:
            _log.exception("unforeseen error", extra={"fields": {"request_id": request_id}})
            if sent_headers:
                raise
            error = ProblemError("internal", "an error that nobody foresaw: the log has it under this request_id")
            await problem_response(scope, error)(scope, receive, send_counted)
        finally:
            seconds = time.perf_counter() - started
            self._count(scope, status, seconds)
            fields = {
                "request_id": request_id,
                "method": scope["method"],
                "path": scope["path"][:200],
                "status": status,
                "milliseconds": round(1000 * seconds, 1),
                "bytes_out": sent,
            }
            _log.info("request", extra={"fields": fields})

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        path = own_path(scope)
        route = path if path in self._routes else "other"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
