"""Gathers what arrives while a batch is worked, so that the next batch is all of it: no timer, no waiting for
company. Under little load a batch is one request; under much load the cost of a round trip and of a commit is
shared by many.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tokenplan.kit.problems import RawAnswer, TooBusy
from tokenplan.web.messages import Scope
from tokenplan.web.wsgi_calls import Answer

logger = logging.getLogger(__name__)

# The most requests in one batch.
MOST = 128
# The most that wait for a batch, and the most of those that ask about one thing, such as a key. Whoever comes
# then is refused at once.
MOST_WAITING = 2000
MOST_OF_ONE = 128
# The most of what was locked that is asked again in one batch.
AGAIN = 32
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
        about: Callable[[Any], Hashable] = id,
        most: int = MOST,
        most_waiting: int = MOST_WAITING,
        most_of_one: int = MOST_OF_ONE,
        locked_seconds: float = LOCKED_SECONDS,
    ) -> None:
        self._work = work
        self._locked = locked
        self._most = most
        self._most_waiting = most_waiting
        self._about = about
        self._most_of_one = most_of_one
        self._of_one: Counter[Hashable] = Counter()
        self._locked_seconds = locked_seconds
        self._thread = thread
        self._waiting: list[_Waiting] = []
        self._again: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def answer(self, ask: object) -> Any:
        """What the batch answers; None where it failed. Raises TooBusy where too many wait, of all or of
        those that ask about the same thing, and where what is locked stays locked for too long.
        """
        one = self._about(ask)
        waiting_of_all = len(self._waiting) + len(self._again)
        if waiting_of_all >= self._most_waiting or self._of_one[one] >= self._most_of_one:
            raise TooBusy
        loop = asyncio.get_running_loop()
        waiting = _Waiting(ask, loop.create_future(), loop.time() + self._locked_seconds)
        self._waiting.append(waiting)
        self._of_one[one] += 1
        if self._task is None:
            self._task = loop.create_task(self._run())
        try:
            return await waiting.future
        finally:
            self._of_one[one] -= 1
            if not self._of_one[one]:
                del self._of_one[one]

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or self._again:
            if not self._waiting:
                await asyncio.sleep(PAUSE_SECONDS)
            # Whatever is locked, most of a batch is for what has come since.
            again, self._again = self._again[:AGAIN], self._again[AGAIN:]
            new = self._most - len(again)
            batch, self._waiting = self._waiting[:new] + again, self._waiting[new:]
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
    A query is usual only where it `ignores_query`, or `reads_query`: then the path's pattern is of both.
    """

    path: re.Pattern[bytes]
    read: Callable[[Sequence[bytes], Mapping[bytes, bytes], bytes], Any]
    gathering: Gathering
    answer: Callable[[Any], RawAnswer | None]
    refuse: Callable[[Any, TooBusy], RawAnswer]
    method: str = "POST"
    ignores_query: bool = False
    reads_query: bool = False

    def leads_to(self, scope: Scope) -> re.Match[bytes] | None:
        """The parts of the request's path, if it is a request of this road."""
        path, query = scope["raw_path"], scope["query_string"]
        if scope["method"] != self.method or (query and not (self.ignores_query or self.reads_query)):
            return None
        return self.path.fullmatch(path + b"?" + query if self.reads_query else path)

    async def answered(
        self, path: Sequence[bytes], headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> Answer | None:
        """The answer; None for what is not usual."""
        ask = self._ask(path, headers, body)
        if ask is None:
            return None
        try:
            made = self.answer(await self.gathering.answer(ask))
        except TooBusy as error:
            made = self.refuse(ask, error)
        return _answer(*made) if made else None

    def refused(
        self, path: Sequence[bytes], headers: Sequence[tuple[bytes, bytes]], body: bytes, error: TooBusy
    ) -> Answer | None:
        """The refusal of a request that was left, and for which there was no thread; None: it is not ours."""
        ask = self._ask(path, headers, body)
        return None if ask is None else _answer(*self.refuse(ask, error))

    def _ask(self, path: Sequence[bytes], headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Any:
        named = dict(headers)
        if len(named) < len(headers):
            return None  # a header came twice: the other way of answering knows what that means
        return self.read(path, named, body)


def _answer(status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> Answer:
    return Answer(status, [*headers, (b"content-length", str(len(content)).encode())], content)
