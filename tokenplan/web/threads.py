"""The threads that Django runs in: some for gateways, some for everything else, some for long answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from tokenplan.kit.problems import TooBusy
from tokenplan.web.crowds import Crowds
from tokenplan.web.messages import Disconnected, Send
from tokenplan.web.places import WAIT_SECONDS, Places
from tokenplan.web.wsgi_calls import Answer, Application, call

logger = logging.getLogger(__name__)

# How long one part of a long answer may take to leave. Whoever reads slower is cut off.
SEND_SECONDS = 30.0
# A long answer, which is sent as it is made, leaves in parts of about this size.
PART_BYTES = 64 * 1024


class Threads:
    """Answers requests by a WSGI application.

    Long answers have threads of their own, so that slow readers of them keep nobody else from being answered.
    So have the paths of `crowds`, if there are any: nothing that is asked elsewhere keeps those waiting.
    """

    def __init__(
        self,
        application: Application,
        *,
        threads: int,
        streams: int,
        crowds: Crowds | None = None,
        after_call: Callable[[], None] = lambda: None,
        wait_seconds: float = WAIT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self.calls = Places(threads, name="call", wait_seconds=wait_seconds)
        self.streams = Places(streams, name="stream", wait_seconds=wait_seconds)
        self.crowds = crowds
        self.send_seconds = send_seconds
        self._application = application
        self._after_call = after_call

    async def answer(self, environ: dict[str, Any]) -> Answer:
        """What the application answers; what it needs is released. Raises TooBusy."""
        crowds = self.crowds if self.crowds and self.crowds.has(environ) else None
        async with crowds.one(environ) if crowds else self.calls.one() as run:
            answer: Answer = await run(self._call, environ)
            return answer

    def stuck_seconds(self) -> float:
        """For how long no thread of one kind has begun anything, where all of them are at work; else 0."""
        return max(self.calls.stuck_seconds(), self.crowds.places.stuck_seconds() if self.crowds else 0.0)

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
