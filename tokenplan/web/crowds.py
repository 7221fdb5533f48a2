"""Threads that no crowd can take all of: requests about one thing have a share of them, others have the rest.

A request that must wait for a lock takes a thread for as long. So where threads become few, each request
says what it may have to wait for, such as a key, and of those that name the same thing few have a thread. The
others wait for their turn without one, or are refused at once. And of all that name what is locked just then,
whatever it is, few have one: so many stuck things leave threads to others as one does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tokenplan.kit.problems import TooBusy
from tokenplan.web.places import WAIT_SECONDS, Places, Run

# How many wait for a turn at one thing, and for how long. As long as a call waits for a lock.
MOST_WAITING = 64
TURN_SECONDS = 3.0
# The name of what names anything that stays locked, and its part of the threads.
STUCK = object()
OF_WHAT_IS_STUCK = 4
# What is locked is asked about again after so long, before it is taken for stuck. What is much used is locked
# at most times: it is not stuck where a request about it was answered so lately, and as soon.
AGAIN_SECONDS = 0.01
MOVES_SECONDS = 1.0


@dataclass
class _Line:
    turns: asyncio.Semaphore
    inside: int = 0
    moved_at: float = float("-inf")


class Crowds:
    """The threads of all paths that begin with `below`.

    `shares_of` is asked about a request, in a thread, where a quarter of the threads are taken already: what
    it names, each with the part of the threads, one in so many, that requests of that name may take together.
    `locked_by` is asked next, once it is the request's turn: which of these names is locked, if any is.
    """

    def __init__(
        self,
        below: str,
        *,
        threads: int,
        shares_of: Callable[[dict[str, Any]], Sequence[tuple[Hashable, int]]],
        locked_by: Callable[[dict[str, Any]], Hashable] = lambda environ: None,
        most_waiting: int = MOST_WAITING,
        turn_seconds: float = TURN_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self.places = Places(threads, name="crowd", wait_seconds=wait_seconds)
        self._below = below
        self._shares_of = shares_of
        self._locked_by = locked_by
        self._most_waiting = most_waiting
        self._turn_seconds = turn_seconds
        self._unasked = 0
        self._lines: dict[Hashable, _Line] = {}

    def has(self, environ: dict[str, Any]) -> bool:
        """Whether the request is for one of these threads."""
        path: str = environ["PATH_INFO"]
        return path.startswith(self._below)

    @asynccontextmanager
    async def one(self, environ: dict[str, Any]) -> AsyncIterator[Run]:
        """A thread is ours inside: what is passed to the value runs in it. Raises TooBusy: at once, where too
        many wait for a turn at what the request names.
        """
        if self._unasked < self._part(4):
            self._unasked += 1
            try:
                async with self.places.one() as run:
                    yield run
            finally:
                self._unasked -= 1
            return
        async with self.places.one() as run:
            shares = await run(self._shares_of, environ)
        async with AsyncExitStack() as turns:
            for name, of in shares:
                await turns.enter_async_context(self._turn(name, at_once=self._part(of)))
            if await self._is_stuck(environ):
                await turns.enter_async_context(self._turn(STUCK, at_once=self._part(OF_WHAT_IS_STUCK)))
            run = await turns.enter_async_context(self.places.one())
            began_at = self._now()
            yield run
            if self._now() - began_at < MOVES_SECONDS:
                for name, _ in shares:
                    self._lines[name].moved_at = self._now()

    async def _is_stuck(self, environ: dict[str, Any]) -> bool:
        """Whether it names what stays locked. Without a thread in between."""
        for pause in (AGAIN_SECONDS, 0):
            async with self.places.one() as run:
                name = await run(self._locked_by, environ)
            line = self._lines.get(name)
            if line is None or self._now() - line.moved_at < MOVES_SECONDS:
                return False
            await asyncio.sleep(pause)
        return True

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    @asynccontextmanager
    async def _turn(self, name: Hashable, *, at_once: int) -> AsyncIterator[None]:
        line = self._lines.setdefault(name, _Line(asyncio.Semaphore(at_once)))
        if line.inside >= at_once + self._most_waiting:
            raise TooBusy
        line.inside += 1
        try:
            try:
                async with asyncio.timeout(self._turn_seconds):
                    await line.turns.acquire()
            except TimeoutError:
                raise TooBusy from None
            try:
                yield
            finally:
                line.turns.release()
        finally:
            line.inside -= 1
            if not line.inside:
                del self._lines[name]

    def _part(self, of: int) -> int:
        return max(1, self.places.count // of)
