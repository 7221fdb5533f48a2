"""A fixed number of threads, and a bounded wait for one of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from tokenplan.kit.problems import TooBusy

Run = Callable[..., Awaitable[Any]]
# How long a request waits for a free thread before it is refused.
WAIT_SECONDS = 10.0
# How many wait for one at most. Whoever comes then is refused at once.
MOST_WAITING = 256


class Places:
    """So many threads, for one of which at most `most_waiting` wait for at most `wait_seconds`."""

    def __init__(
        self,
        count: int,
        *,
        name: str,
        wait_seconds: float = WAIT_SECONDS,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.count = count
        self.wait_seconds = wait_seconds
        self.most_waiting = most_waiting
        self._waiting = 0
        self._free = asyncio.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._started: dict[object, float] = {}

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Run]:
        """A thread is ours inside: what is passed to the value runs in it. Raises TooBusy."""
        if self._free.locked() and self._waiting >= self.most_waiting:
            raise TooBusy
        self._waiting += 1
        try:
            async with asyncio.timeout(self.wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise TooBusy from None
        finally:
            self._waiting -= 1
        try:
            yield self._run
        finally:
            self._free.release()

    def stuck_seconds(self) -> float:
        """For how long no thread has begun anything, where all are at work; else 0."""
        if len(self._started) < self.count:
            return 0.0
        return time.monotonic() - max(self._started.values())

    async def _run(self, function: Callable[..., Any], *arguments: object) -> Any:
        with self._counted():
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        work = object()
        self._started[work] = time.monotonic()
        try:
            yield
        finally:
            del self._started[work]
