"""A bounded queue in front of a few worker threads: back-pressure, a time limit, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from lexifuse.service.problems import ProblemError

T = TypeVar("T")

_LONGEST_RETRY = 60
"""Seconds; no client is told to stay away for longer."""

_PATIENCE = 0.5
"""Share of the time limit that may go by in the queue; better to say "later" at once than "too late" in the end."""

_ADAPTATION = 0.25
"""Weight of the latest work in the mean of how long work takes."""


class WorkQueue:
    """Runs work in threads, a few at a time, and lets only so many wait.

    All of it lives on one event loop; only the work itself runs in threads. There is no batching: a pixel costs
    no less in a large picture than in a small one, so there is nothing to share (docs/service.md has the figures).

    Args:
        workers: threads, which is how much runs at a time.
        room: how many may wait for a worker.
        time_limit: seconds for waiting and running together.
    """

    def __init__(self, workers: int, room: int, time_limit: float) -> None:
        self.workers = workers
        self.room = room
        self.time_limit = time_limit
        self.waiting = 0
        self._mean_seconds = 0.1
        self._free = asyncio.Semaphore(workers)
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="lexifuse")
        self._running: set[asyncio.Future[Any]] = set()

    @property
    def running(self) -> int:
        """How much runs now."""
        return len(self._running)

    @property
    def expected_wait(self) -> float:
        """Seconds that the next one would wait, if all goes as it went lately."""
        return self._mean_seconds * (self.waiting + 1) / self.workers if self._free.locked() else 0.0

    @property
    def full(self) -> bool:
        """True if the next one would be refused: no room, or little hope to be done within the time limit."""
        if not self._free.locked():
            return False
        return self.waiting >= self.room or self.expected_wait > _PATIENCE * self.time_limit

    def refusal(self, reason: str = "") -> ProblemError:
        """What a client is told where there is no room: with a guess at when there will be some.

        Args:
            reason: why there is none; that the queue is full where empty.
        """
        seconds = min(max(math.ceil(self.expected_wait), 1), _LONGEST_RETRY)
        return ProblemError(
            "queue-full",
            f"{reason or f'{self.running} requests run and {self.waiting} wait already'}: try again in {seconds} s",
            {"Retry-After": str(seconds)},
        )

    async def run(self, work: Callable[[], T]) -> T:
        """Run ``work`` in a worker thread as soon as one is free.

        Who stops waiting (a time limit, a client that went away) gives up the place in the queue. A thread cannot be
        stopped, so work that runs goes on to its end, keeps its worker until then, and is thrown away.

        Raises:
            ProblemError: the queue is full (429), or the time limit ran out (504).
        """
        if self.full:
            raise self.refusal()
        limit = asyncio.timeout(self.time_limit)
        try:
            async with limit:
                self.waiting += 1
                try:
                    await self._free.acquire()
                finally:
                    self.waiting -= 1
                return await asyncio.shield(self._start(work))
        except TimeoutError:
            if not limit.expired():
                raise
            raise ProblemError(
                "out-of-time",
                f"not done within {self.time_limit:g} s: send smaller pictures, or try when less is waiting",
            ) from None

    async def close(self) -> None:
        """Wait for what runs; nothing may be started afterwards."""
        if self._running:
            await asyncio.wait(self._running)
        self._executor.shutdown(wait=False)

    def _start(self, work: Callable[[], T]) -> asyncio.Future[T]:
        started = time.perf_counter()
        try:
            future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        except RuntimeError:  # The executor is shut down.
            self._free.release()
            raise ProblemError("not-ready", "the service is stopping: try again") from None

        def finish(done: asyncio.Future[T]) -> None:
            self._running.discard(done)
            self._free.release()
            self._mean_seconds += _ADAPTATION * (time.perf_counter() - started - self._mean_seconds)
            if not done.cancelled():
                done.exception()  # Nobody may be left to look at it.

        self._running.add(future)
        future.add_done_callback(finish)
        return future
