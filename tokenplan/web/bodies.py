"""Reads the body of a request before a thread is taken for it: whole, in time, and not too much of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from tokenplan.kit.problems import BodyTooSlow, TooBusy, body_too_large
from tokenplan.web.messages import Disconnected, Receive, Scope

# Calls, forms and webhooks send a few kB. A body that declares no more than this takes nothing of the room
# for the large ones, nor they of its.
SMALL_BYTES = 64 * 1024
# All bodies that one process holds at once, whoever sends them.
SMALL_ROOM_BYTES = 16 * 1024 * 1024
LARGE_ROOM_BYTES = 64 * 1024 * 1024


class _Body:
    """What is here of a body, and until when the rest may come."""

    def __init__(self, until: asyncio.Timeout) -> None:
        self.chunks: list[bytes] = []
        self.gave_way = False
        self.until = until

    def size(self) -> int:
        return sum(map(len, self.chunks))

    def give_way(self) -> None:
        """What is here is dropped, and no more is waited for."""
        self.gave_way = True
        self.chunks.clear()
        if not self.until.expired():
            self.until.reschedule(0)


class Room:
    """So many bytes of bodies. Where they are taken, the body that has been arriving the longest gives way.

    An honest one is here within a moment. Whoever keeps bodies unfinished, to have all of the room, loses it
    to the next that comes.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._arriving: dict[_Body, None] = {}

    @contextmanager
    def arriving(self, body: _Body) -> Iterator[None]:
        """The body may have to give way inside; after it, it is whole."""
        self._arriving[body] = None
        try:
            yield
        finally:
            self._arriving.pop(body, None)

    def keep(self, chunk: bytes, body: _Body) -> None:
        """Raises TooBusy where it is the body itself that gives way."""
        while len(chunk) > self._free and not body.gave_way:
            oldest = next(iter(self._arriving))
            del self._arriving[oldest]
            self.leave(oldest)
            oldest.give_way()
        if body.gave_way:
            raise TooBusy
        self._free -= len(chunk)
        body.chunks.append(chunk)

    def leave(self, body: _Body) -> None:
        self._free += body.size()


class Bodies:
    """Reads bodies of up to `limit` bytes that arrive within `seconds`."""

    def __init__(
        self,
        *,
        limit: int,
        seconds: float,
        small_room: int = SMALL_ROOM_BYTES,
        large_room: int = LARGE_ROOM_BYTES,
    ) -> None:
        self.limit = limit
        self.seconds = seconds
        self._small = Room(small_room)
        self._large = Room(large_room)

    @asynccontextmanager
    async def whole(self, scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
        """The body, which counts as held inside.

        Raises BodyTooLarge, BodyTooSlow, TooBusy, and Disconnected where it is cut off.
        """
        if not has_body(scope):
            yield b""
            return
        declared = declared_length(scope)
        if declared is not None and declared > self.limit:
            raise body_too_large(self.limit)
        room = self._large if declared is None or declared > SMALL_BYTES else self._small
        body = _Body(asyncio.timeout(self.seconds))
        try:
            await self._read(receive, room, body)
            body.chunks[:] = [b"".join(body.chunks)]
            yield body.chunks[0]
        finally:
            room.leave(body)

    async def _read(self, receive: Receive, room: Room, body: _Body) -> None:
        length, more = 0, True
        try:
            async with body.until:
                with room.arriving(body):
                    while more:
                        message = await receive()
                        if message["type"] == "http.disconnect":
                            raise Disconnected
                        chunk = message.get("body", b"")
                        more = message.get("more_body", False)
                        length += len(chunk)
                        if length > self.limit:
                            raise body_too_large(self.limit)
                        room.keep(chunk, body)
        except TimeoutError:
            raise (TooBusy if body.gave_way else BodyTooSlow) from None


def has_body(scope: Scope) -> bool:
    """Whether a body follows. HTTP/1 says so by one of two headers; HTTP/2 may say nothing."""
    if scope["http_version"].startswith("2"):
        return True
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def declared_length(scope: Scope) -> int | None:
    """The length that the head of the request declares; None where the body ends when it ends."""
    declared = None
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length" and value.isdigit():
            declared = int(value)
    return declared
