"""Finds out what may take long, such as whether the database answers, without waiting long for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Found = TypeVar("Found")


class Watch(Generic[Found]):
    """Asks `look` when somebody wants to know and what it found is older than `fresh_seconds`.

    It runs in a thread of its own, once at a time, so that asking often costs nothing and asking what hangs
    costs one thread.
    """

    def __init__(self, look: Callable[[], Found], *, fresh_seconds: float) -> None:
        self._look = look
        self._fresh_seconds = fresh_seconds
        self._looking: asyncio.Future[Found] | None = None
        self._found: tuple[float, Found] | None = None

    async def found(self, *, within: float) -> Found | None:
        """What was found, or None when that takes longer than `within` seconds or failed."""
        if self._found and time.monotonic() - self._found[0] < self._fresh_seconds:
            return self._found[1]
        if self._looking is None or self._looking.done():
            self._looking = self._start()
        done, _ = await asyncio.wait([self._looking], timeout=within)
        if not done or self._looking.exception():
            return None
        return self._looking.result()

    def _start(self) -> asyncio.Future[Found]:
        loop = asyncio.get_running_loop()
        looking: asyncio.Future[Found] = loop.create_future()

        def look() -> None:
            try:
                found = self._look()
            except Exception as error:  # whatever is wrong with it, it is not there
                loop.call_soon_threadsafe(looking.set_exception, error)
            else:
                self._found = (time.monotonic(), found)
                loop.call_soon_threadsafe(looking.set_result, found)

        # A daemon: a look that hangs does not keep the process from ending.
        threading.Thread(target=look, name="watch", daemon=True).start()
        return looking
