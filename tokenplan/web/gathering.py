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

# The most of what was locked that is asked again in one batch.
AGAIN = 32
# How long a request waits for what another transaction has locked, and how often that is tried.
LOCKED_SECONDS = 3.0
PAUSE_SECONDS = 0.004


@dataclass(frozen=True)
class Most:
    """How many requests there may be in one batch; and waiting: for a batch, about one thing such as a key or
    for one lock, and apart from those for what is locked. Whoever comes then, or is found locked, is refused
    at once.
    """

    in_batch: int = 128
    waiting: int = 2000
    of_one: int = 128
    locked: int = 1000


ALL = Most()


@dataclass
class _Waiting:
    ask: Any
    future: asyncio.Future[Any]
    until: float
    # What it was found to wait for.
    locked_by: Hashable = None


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
        locks_of: Callable[[list[Any]], Sequence[Hashable]] | None = None,
        most: Most = ALL,
        locked_seconds: float = LOCKED_SECONDS,
    ) -> None:
        """`about`: what an ask says that it is about. `locks_of`: what asks that are locked wait for, where
        only the database knows that; it is asked in the thread.
        """
        self._work = work
        self._locked = locked
        self._most = most
        self._about = about
        self._of_one: Counter[Hashable] = Counter()
        self._locks_of = locks_of or (lambda asks: [about(ask) for ask in asks])
        self._locked_of: Counter[Hashable] = Counter()
        self._locked_seconds = locked_seconds
        self._thread = thread
        self._waiting: list[_Waiting] = []
        self._again: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def answer(self, ask: object) -> Any:
        """What the batch answers; None where it failed. Raises TooBusy where too many wait, of all or of
        those that ask about the same thing or wait for the same lock, and where what is locked stays locked
        for too long.
        """
        one = self._about(ask)
        if len(self._waiting) >= self._most.waiting or self._of_one[one] >= self._most.of_one:
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
            _take_from(self._of_one, one)
            if waiting.locked_by is not None:
                _take_from(self._locked_of, waiting.locked_by)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or self._again:
            if not self._waiting:
                await asyncio.sleep(PAUSE_SECONDS)
            # Whatever is locked, most of a batch is for what has come since.
            again, self._again = self._again[:AGAIN], self._again[AGAIN:]
            new = self._most.in_batch - len(again)
            batch, self._waiting = self._waiting[:new] + again, self._waiting[new:]
            try:
                answers, locks = await loop.run_in_executor(self._thread, self._worked, batch)
                answered = [*zip(batch, answers, locks, strict=True)]
            except Exception:
                logger.warning("A batch of %s requests failed; each goes alone", len(batch), exc_info=True)
                answered = [(one, None, None) for one in batch]
            for one, answer, lock in answered:
                self._give(one, answer, lock, loop.time())
        self._task = None

    def _worked(self, batch: Sequence[_Waiting]) -> tuple[Sequence[Any], list[Hashable]]:
        """In the thread: the answers, and of each that is found locked for the first time what locks it."""
        answers = self._work([one.ask for one in batch])
        locks: list[Hashable] = [one.locked_by for one in batch]
        if self._locked is None:
            return answers, locks
        found = [n for n, answer in enumerate(answers) if answer is self._locked and locks[n] is None]
        for number, lock in zip(found, self._locks_of([batch[n].ask for n in found]), strict=True):
            locks[number] = lock
        return answers, locks

    def _give(self, one: _Waiting, answer: object, lock: Hashable, now: float) -> None:
        if one.future.done():
            return  # the client has gone
        if answer is not self._locked or self._locked is None:
            one.future.set_result(answer)
        elif now >= one.until or not self._may_wait(one, lock):
            one.future.set_exception(TooBusy())
        else:
            self._again.append(one)

    def _may_wait(self, one: _Waiting, lock: Hashable) -> bool:
        """Whether it may wait for what has locked it. Who has been let wait may go on."""
        if one.locked_by is None:
            if self._locked_of.total() >= self._most.locked or self._locked_of[lock] >= self._most.of_one:
                return False
            one.locked_by = lock
            self._locked_of[lock] += 1
        return True


def _take_from(counter: Counter[Hashable], name: Hashable) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]


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
