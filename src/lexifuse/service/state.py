"""What one running service holds, and how a request gets its work done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from lexifuse.service.engine import Engine
from lexifuse.service.metrics import Metrics
from lexifuse.service.problems import ProblemError
from lexifuse.service.queue import WorkQueue
from lexifuse.service.settings import ServiceSettings

T = TypeVar("T")


class Service:
    """Settings, models, queue and metrics of one service; ``api.state.service``. It is opened and closed once."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.engine = Engine(settings)
        self.queue = WorkQueue(settings.workers, settings.queue, settings.time_limit)
        self.metrics = Metrics(self.queue)

    @classmethod
    def of(cls, request: Request) -> Service:
        """The service that a request came to."""
        return request.app.state.service

    async def run(self, request: Request, work: Callable[[], T]) -> T:
        """Run work in the queue for a client, as long as that client is there.

        Raises:
            ProblemError: the queue is full, the time limit ran out, or the client went away.
        """
        entered = time.perf_counter()

        def begin() -> T:
            self.metrics.queue_seconds.observe(time.perf_counter() - entered)
            return work()

        job = asyncio.ensure_future(self.queue.run(begin))
        gone = asyncio.ensure_future(_until_gone(request))
        try:
            await asyncio.wait((job, gone), return_when=asyncio.FIRST_COMPLETED)
            if not job.done():
                raise ProblemError("client-gone", "the client closed the connection")
            return job.result()
        finally:
            job.cancel()
            gone.cancel()


async def _until_gone(request: Request) -> None:
    """Return when the client closes the connection; the request's body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
