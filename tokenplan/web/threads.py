"""The threads that Django runs in: a fixed number, and a bounded wait for one of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from tokenplan.kit.problems import TooBusy
from tokenplan.web.messages import Disconnected, Send
from tokenplan.web.wsgi_calls import Answer, Application, call

logger = logging.getLogger(__name__)

# How long a request waits for a free thread before it is refused.
WAIT_SECONDS = 10.0
# How long one part of a long answer may take to leave. Whoever reads slower is cut off.
SEND_SECONDS = 30.0
# A long answer, which is sent as it is made, leaves in parts of about this size.
PART_BYTES = 64 * 1024


class Places:
    """So many threads, and at most `wait_seconds` of waiting for one of them."""

    def __init__(self, count: int, *, name: str, wait_seconds: float = WAIT_SECONDS) -> None:
        self.count = count
        self.wait_seconds = wait_seconds
        self._free = asyncio.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._started: dict[object, float] = {}

    @asynccontextmanager
    async def one(self) -> Any:
        """A thread is ours inside: what is passed to the value runs in it. Raises TooBusy."""
        try:
            async with asyncio.timeout(self.wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise TooBusy from None
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


class Threads:
    """Answers requests by a WSGI application.

    Long answers have threads of their own, so that slow readers of them keep nobody else from being answered.
    """

    def __init__(
        self,
        application: Application,
        *,
        threads: int,
        streams: int,
        after_call: Callable[[], None] = lambda: None,
        wait_seconds: float = WAIT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self.calls = Places(threads, name="call", wait_seconds=wait_seconds)
        self.streams = Places(streams, name="stream", wait_seconds=wait_seconds)
        self.send_seconds = send_seconds
        self._application = application
        self._after_call = after_call

    async def answer(self, environ: dict[str, Any]) -> Answer:
        """What the application answers; what it needs is released. Raises TooBusy."""
        async with self.calls.one() as run:
            answer: Answer = await run(self._call, environ)
            return answer

    def _call(self, environ: dict[str, Any]) -> Answer:
        answer = call(self._application, environ)
        if answer.rest is not None:
            # The rest is made in another thread; this one's database connection is free again.
            self._after_call()
        return answer

    async def stream(self, answer: Answer, send: Send) -> None:
        """Sends a long answer as it is made.

        One that breaks off is left without its end, so that nobody takes it for whole. Raises TooBusy, before
        anything is sent.
        """
        loop = asyncio.get_running_loop()

        def part(body: bytes, more: bool) -> None:
            message = {"type": "http.response.body", "body": body, "more_body": more}
            sending = asyncio.run_coroutine_threadsafe(_awaited(send, message), loop)
            try:
                sending.result(self.send_seconds)
            except TimeoutError:
                sending.cancel()
                raise Disconnected from None

        try:
            async with self.streams.one() as run:
                start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
                await send(start)
                with contextlib.suppress(Disconnected):
                    await run(_send_parts, answer, part)
        except TooBusy:
            answer.close()
            raise
        except Exception:
            logger.exception("A long answer broke off")


async def _awaited(send: Send, message: dict[str, Any]) -> None:
    await send(message)


def _send_parts(answer: Answer, part: Callable[[bytes, bool], None]) -> None:
    held: list[bytes] = []
    try:
        for piece in answer.rest or ():
            held.append(piece)
            if sum(map(len, held)) >= PART_BYTES:
                part(b"".join(held), True)
                held.clear()
        part(b"".join(held), False)
    finally:
        answer.close()
