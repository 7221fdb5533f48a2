"""Finds out what may take long, such as whether the database answers, without waiting long for it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Found = TypeVar("Found")


class Watch(Generic[Found]):
    """Asks `check` when somebody wants to know and what it found is older than `fresh_seconds`.

    It runs in a thread of its own, once at a time, so that asking often costs nothing and asking what hangs
    costs one thread.
    """

    def __init__(self, check: Callable[[], Found], *, fresh_seconds: float) -> None:
        self._check = check
        self._fresh_seconds = fresh_seconds
        self._running: asyncio.Future[Found] | None = None
        self._found: tuple[float, Found] | None = None

    async def found(self, *, within: float) -> Found | None:
        """What was found, or None when that takes longer than `within` seconds or failed."""
        if self._found and time.monotonic() - self._found[0] < self._fresh_seconds:
            return self._found[1]
        if self._running is None or self._running.done():
            self._running = self._start()
        running = self._running
        await asyncio.wait([running], timeout=within)
        return running.result() if running.done() and not running.exception() else None

    def _start(self) -> asyncio.Future[Found]:
        loop = asyncio.get_running_loop()
        running: asyncio.Future[Found] = loop.create_future()

        def check() -> None:
            try:
                found = self._check()
            except Exception as error:  # whatever is wrong with it, it is not there
                tell(running.set_exception, error)
            else:
                self._found = (time.monotonic(), found)
                tell(running.set_result, found)

        def tell(what: Callable[..., None], outcome: object) -> None:
            with contextlib.suppress(RuntimeError):  # the process is ending, and its loop is closed
                loop.call_soon_threadsafe(what, outcome)

        # A daemon: a check that hangs does not keep the process from ending.
        threading.Thread(target=check, name="watch", daemon=True).start()
        return running
