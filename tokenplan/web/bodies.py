"""Reads the body of a request before a thread is taken for it: whole, in time, and not too much of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tokenplan.kit.problems import BodyTooSlow, TooBusy, body_too_large
from tokenplan.web.messages import Disconnected, Receive, Scope

# All bodies that one process holds at once, whoever sends them. Honest ones are a few kB each.
HELD_BYTES = 64 * 1024 * 1024


class Bodies:
    """Reads bodies of up to `limit` bytes that arrive within `seconds`."""

    def __init__(self, *, limit: int, seconds: float, held_bytes: int = HELD_BYTES) -> None:
        self.limit = limit
        self.seconds = seconds
        self._room = held_bytes

    @asynccontextmanager
    async def whole(self, scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
        """The body, which counts as held inside.

        Raises BodyTooLarge, BodyTooSlow, TooBusy, and Disconnected where it is cut off.
        """
        chunks: list[bytes] = []
        try:
            if has_body(scope):
                await self._read(scope, receive, chunks)
            yield chunks[0] if len(chunks) == 1 else b"".join(chunks)
        finally:
            self._room += sum(map(len, chunks))

    async def _read(self, scope: Scope, receive: Receive, chunks: list[bytes]) -> None:
        if declared_length(scope) > self.limit:
            raise body_too_large(self.limit)
        length, more = 0, True
        try:
            async with asyncio.timeout(self.seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Disconnected
                    chunk = message.get("body", b"")
                    more = message.get("more_body", False)
                    length += len(chunk)
                    if length > self.limit:
                        raise body_too_large(self.limit)
                    if len(chunk) > self._room:
                        raise TooBusy
                    self._room -= len(chunk)
                    chunks.append(chunk)
        except TimeoutError:
            raise BodyTooSlow from None


def has_body(scope: Scope) -> bool:
    """Whether a body follows. HTTP/1 says so by one of two headers; HTTP/2 may say nothing."""
    if scope["http_version"].startswith("2"):
        return True
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def declared_length(scope: Scope) -> int:
    """The length that the head of the request declares; 0 where it declares none."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
