"""Gathers what arrives while a batch is worked, so that the next batch is all of it: no timer, no waiting for
company. Under little load a batch is one request; under much load the cost of a round trip and of a commit is
shared by many.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tokenplan.kit.problems import TooBusy
from tokenplan.web.messages import Scope
from tokenplan.web.wsgi_calls import Answer

logger = logging.getLogger(__name__)

# The most requests in one batch.
MOST = 128
# The most that wait for a batch. Whoever comes then is refused at once.
MOST_WAITING = 2000
# How long a request waits for what another transaction has locked, and how often that is tried.
LOCKED_SECONDS = 3.0
PAUSE_SECONDS = 0.004


@dataclass
class _Waiting:
    ask: Any
    future: asyncio.Future[Any]
    until: float


class Gathering:
    """Works asks in batches, one batch at a time. Where kinds of asks share a thread, those of one kind
    gather while those of another are worked.
    """

    def __init__(
        self,
        work: Callable[[list[Any]], Sequence[Any]],
        *,
        thread: ThreadPoolExecutor,
        locked: object = None,
        most: int = MOST,
        most_waiting: int = MOST_WAITING,
        locked_seconds: float = LOCKED_SECONDS,
    ) -> None:
        self._work = work
        self._locked = locked
        self._most = most
        self._most_waiting = most_waiting
        self._locked_seconds = locked_seconds
        self._thread = thread
        self._waiting: list[_Waiting] = []
        self._again: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def answer(self, ask: object) -> Any:
        """What the batch answers; None where it failed. Raises TooBusy where too many wait, and where what
        is locked stays locked for too long.
        """
        if len(self._waiting) + len(self._again) >= self._most_waiting:
            raise TooBusy
        loop = asyncio.get_running_loop()
        waiting = _Waiting(ask, loop.create_future(), loop.time() + self._locked_seconds)
        self._waiting.append(waiting)
        if self._task is None:
            self._task = loop.create_task(self._run())
        return await waiting.future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or self._again:
            if not self._waiting:
                await asyncio.sleep(PAUSE_SECONDS)
            # What was locked is asked again after what has come meanwhile.
            self._waiting, self._again = self._waiting + self._again, []
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                answers = await loop.run_in_executor(self._thread, self._work, [one.ask for one in batch])
                pairs = [*zip(batch, answers, strict=True)]
            except Exception:
                logger.warning("A batch of %s requests failed; each goes alone", len(batch), exc_info=True)
                pairs = [(one, None) for one in batch]
            for one, answer in pairs:
                self._give(one, answer, loop.time())
        self._task = None

    def _give(self, one: _Waiting, answer: object, now: float) -> None:
        if one.future.done():
            return  # the client has gone
        if answer is not self._locked or self._locked is None:
            one.future.set_result(answer)
        elif now < one.until:
            self._again.append(one)
        else:
            one.future.set_exception(TooBusy())


@dataclass(frozen=True)
class Road:
    """An address whose usual requests are answered in batches. `read` and `answer` know what is usual: what
    they make None of is answered as every other address is. `refuse` says in its words that it is too busy.
    A query is usual only where it `ignores_query`.
    """

    path: re.Pattern[bytes]
    read: Callable[[Sequence[bytes], Mapping[bytes, bytes], bytes], Any]
    gathering: Gathering
    answer: Callable[[Any], tuple[int, list[tuple[bytes, bytes]], bytes] | None]
    refuse: Callable[[Any, TooBusy], tuple[int, list[tuple[bytes, bytes]], bytes]]
    method: str = "POST"
    ignores_query: bool = False

    def leads_to(self, scope: Scope) -> re.Match[bytes] | None:
        """The parts of the request's path, if it is a request of this road."""
        if scope["method"] != self.method or (scope["query_string"] and not self.ignores_query):
            return None
        return self.path.fullmatch(scope["raw_path"])

    async def answered(
        self, path: Sequence[bytes], headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> Answer | None:
        """The answer; None for what is not usual."""
        named = dict(headers)
        if len(named) < len(headers):
            return None  # a header came twice: the other way of answering knows what that means
        ask = self.read(path, named, body)
        if ask is None:
            return None
        try:
            made = self.answer(await self.gathering.answer(ask))
        except TooBusy as error:
            made = self.refuse(ask, error)
        if made is None:
            return None
        status, head, content = made
        return Answer(status, [*head, (b"content-length", str(len(content)).encode())], content)
