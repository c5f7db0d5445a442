"""What is refused before a request's body is read: no key, too many bytes, too slow, too much waiting already."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lexifuse.service.access import own_path
from lexifuse.service.problems import ProblemError, problem_response
from lexifuse.service.queue import WorkQueue
from lexifuse.service.settings import MAX_TEXT_BYTES, ServiceSettings

KEY_HEADER = "X-API-Key"

_HELD_REQUESTS = 8
"""Bodies of the largest size that are held at once, all requests together, before uploads are refused."""

_LINGER_SECONDS, _LINGER_BYTES = 2.0, 64 * 2**20
"""How long an upload that was refused is read and thrown away, so that the client gets to see the answer."""


class Guard:
    """ASGI middleware in front of ``/v1/``; everything else passes."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, queue: WorkQueue) -> None:
        self._app = app
        self._settings = settings
        self.queue = queue
        self.held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its body under watch, or answer it."""
        if scope["type"] != "http" or not own_path(scope).startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        body = _Body(self, self._limit(headers), self._settings.upload_limit, headers, receive, send)
        try:
            refusal = self._refusal(scope, headers)
            if refusal is None:
                await self._app(scope, body.receive, body.send)
            else:
                await problem_response(scope, refusal)(scope, body.receive, body.send)
        finally:
            self.held_bytes -= body.received

    @property
    def overfull(self) -> bool:
        """True if the bodies of all requests together are too much to hold."""
        return self.held_bytes > _HELD_REQUESTS * self._settings.max_bytes

    def crowded(self) -> ProblemError:
        """What a client is told where the bodies of all requests are too much to hold."""
        return self.queue.refusal("the uploads that are here already leave no room for another")

    def _limit(self, headers: Headers) -> int:
        form = headers.get("content-type", "").lower().startswith("multipart/form-data")
        return self._settings.max_bytes if form else min(MAX_TEXT_BYTES, self._settings.max_bytes)

    def _refusal(self, scope: Scope, headers: Headers) -> ProblemError | None:
        # Preflights carry no key and are answered by the CORS middleware, which stands before this one.
        if self._settings.api_keys and not self._knows(headers.get(KEY_HEADER, "")):
            return ProblemError(
                "key-needed", f"send a valid key in the {KEY_HEADER} header", {"WWW-Authenticate": "ApiKey"}
            )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limit(headers):
            return too_large(self._limit(headers))
        if scope["method"] == "POST" and self.queue.full:
            return self.queue.refusal()
        return self.crowded() if scope["method"] == "POST" and self.overfull else None

    def _knows(self, key: str) -> bool:
        """Compare with every key, in a time that tells nothing about them."""
        given = key.encode("utf-8", "replace")
        found = [secrets.compare_digest(given, known.encode()) for known in self._settings.api_keys]
        return any(found)


def too_large(limit: int) -> ProblemError:
    """More bytes than the limit."""
    return ProblemError("too-large", f"a request may have at most {limit:,} bytes: send smaller pictures, or as JPEG")


class _Body:
    """One request's body on its way in: counted, timed, and read to its end (or for a while) if it is refused."""

    def __init__(
        self, guard: Guard, limit: int, seconds: float, headers: Headers, receive: Receive, send: Send
    ) -> None:
        self._guard = guard
        self._limit = limit
        self._seconds = seconds
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._receive = receive
        self._send = send
        self._complete = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        self.received = 0

    async def receive(self) -> Message:
        """The next piece; raises :class:`ProblemError` where it is too much or comes too late."""
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise ProblemError("upload-too-slow", f"the request did not arrive within {self._seconds:g} s") from None
        size = len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        self.received += size
        self._guard.held_bytes += size
        if self.received > self._limit:
            raise too_large(self._limit)
        if self._guard.overfull:
            raise self._guard.crowded()
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on. If the body has not been read, close the connection, but not before the answer is out."""
        if self._complete:
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._send({**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]})
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._linger()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _linger(self) -> None:
        """Closing while bytes come in would reset the connection, and the client might never see the answer."""
        left = _LINGER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while left > 0 and (message := await self._receive()).get("more_body", False):
                    left -= len(message.get("body", b""))
                    await asyncio.sleep(0)  # Lets the time limit be seen where bytes are always there.
