"""A body is read whole before it is anybody's, in time, and not too much of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from tests.helpers.asgi import NEVER, application, ask, request
from tests.helpers.event_loop import run
from tokenplan.kit.problems import BodyTooLarge, TooBusy
from tokenplan.web.bodies import SMALL_BYTES, Bodies, declared_length
from tokenplan.web.messages import Disconnected

called: list[bytes] = []


def echo(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    called.append(environ["wsgi.input"].read())
    start("200 OK", [("Content-Length", str(len(called[-1])))])
    return [called[-1]]


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    called.clear()


def post(parts: list[object], *, limit: int = 10, seconds: float = 5, **headers: str) -> tuple[int, Any]:
    sent = headers or {"transfer-encoding": "chunked"}
    scope = request("/", method="POST", headers={name.replace("_", "-"): sent[name] for name in sent})
    status, answered, body = ask(application(echo, limit=limit, seconds=seconds), scope, parts)
    if status in (0, 200):
        return status, body
    assert answered["connection"] == "close"
    return status, json.loads(body)["code"]


def test_a_body_in_parts_is_whole() -> None:
    assert post([b"01", b"", b"234", b"56789"]) == (200, b"0123456789")


def test_a_request_without_a_body_waits_for_none() -> None:
    assert ask(application(echo), request("/"), [NEVER])[0] == 200


def test_a_body_of_http_2_needs_no_header() -> None:
    scope = {**request("/", method="POST"), "http_version": "2"}
    assert ask(application(echo), scope, [b"a", b"b"])[2] == b"ab"


def test_a_body_that_does_not_come_in_time_is_refused_and_nothing_is_called() -> None:
    assert post([b"0", NEVER], seconds=0.05) == (408, "body_too_slow")
    assert called == []


def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    assert post([NEVER], content_length="11") == (413, "body_too_large")
    assert called == []


def test_a_body_that_turns_out_too_large_is_refused() -> None:
    assert post([b"0123456789", b"x"]) == (413, "body_too_large")
    assert called == []


def test_a_body_that_is_cut_off_reaches_nobody() -> None:
    async def cut_off() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = request("/", method="POST", headers={"transfer-encoding": "chunked"})
    run(application(echo)(scope, cut_off, send))
    assert called == []


def scope_of(declared: int | None) -> dict[str, Any]:
    says = {"transfer-encoding": "chunked"} if declared is None else {"content-length": str(declared)}
    return request("/", method="POST", headers=says)


class Sender:
    """Sends a body part by part, each when it is told to."""

    def __init__(self, bodies: Bodies, declared: int | None) -> None:
        self._parts: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self._answered = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read(bodies, scope_of(declared)))

    async def _receive(self) -> dict[str, Any]:
        part, more = await self._parts.get()
        return {"type": "http.request", "body": part, "more_body": more}

    async def _read(self, bodies: Bodies, scope: dict[str, Any]) -> bytes:
        async with bodies.whole(scope, self._receive) as body:
            await self._answered.wait()
            return body

    async def send(self, part: bytes, *, more: bool = True) -> None:
        self._parts.put_nowait((part, more))
        for _ in range(9):  # whoever waits for something goes on
            await asyncio.sleep(0)

    def refused(self) -> bool:
        return self._reading.done() and isinstance(self._reading.exception(), TooBusy)

    async def body(self) -> bytes:
        """The body, now that it is answered."""
        self._answered.set()
        return await self._reading


def in_rooms(of: Callable[[Bodies], Coroutine[Any, Any, None]]) -> None:
    """Two rooms, for ten bytes of small bodies and ten of large ones."""
    run(of(Bodies(limit=SMALL_BYTES * 2, seconds=5, small_room=10, large_room=10)))


def test_where_the_room_is_taken_the_body_that_has_been_arriving_the_longest_gives_way() -> None:
    async def arrive(bodies: Bodies) -> None:
        first, second, third = (Sender(bodies, 9) for _ in range(3))
        await first.send(b"01234")
        await second.send(b"01234")
        await third.send(b"abcde")
        assert [one.refused() for one in (first, second, third)] == [True, False, False]
        await second.send(b"", more=False)
        await third.send(b"", more=False)
        assert (await second.body(), await third.body()) == (b"01234", b"abcde")

    in_rooms(arrive)


def test_it_may_be_the_bodys_own_turn_to_give_way() -> None:
    async def arrive(bodies: Bodies) -> None:
        first, second = Sender(bodies, 9), Sender(bodies, 9)
        await first.send(b"012")
        await second.send(b"0123456")
        await first.send(b"3")
        assert (first.refused(), second.refused()) == (True, False)
        await second.send(b"789", more=False)
        assert await second.body() == b"0123456789"

    in_rooms(arrive)


def test_a_body_that_is_whole_does_not_give_way_and_its_room_comes_back_with_the_answer() -> None:
    async def arrive(bodies: Bodies) -> None:
        whole, next_one, last = (Sender(bodies, 9) for _ in range(3))
        await whole.send(b"012345678", more=False)
        await next_one.send(b"01")
        assert (whole.refused(), next_one.refused()) == (False, True)
        assert await whole.body() == b"012345678"
        await last.send(b"0123456789", more=False)
        assert await last.body() == b"0123456789"

    in_rooms(arrive)


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ({"type": "http.disconnect"}, Disconnected),
        ({"type": "http.request", "body": b"x" * SMALL_BYTES * 2}, BodyTooLarge),
    ],
)
def test_room_comes_back_from_a_body_that_is_cut_off_or_too_large(
    end: dict[str, Any], why: type[Exception]
) -> None:
    parts = iter([{"type": "http.request", "body": b"0123456789", "more_body": True}, end])

    async def receive() -> dict[str, Any]:
        return next(parts)

    async def arrive(bodies: Bodies) -> None:
        with pytest.raises(why):
            async with bodies.whole(scope_of(9), receive):
                raise AssertionError
        after = Sender(bodies, 9)
        await after.send(b"0123456789", more=False)
        assert await after.body() == b"0123456789"

    in_rooms(arrive)


@pytest.mark.parametrize("declared", [SMALL_BYTES + 1, None])
def test_large_bodies_and_those_of_no_declared_length_leave_the_room_of_small_ones_alone(
    declared: int | None,
) -> None:
    async def arrive(bodies: Bodies) -> None:
        large, small, another = (Sender(bodies, length) for length in (declared, SMALL_BYTES, declared))
        await large.send(b"0123456789", more=False)
        await small.send(b"0123456789", more=False)
        await another.send(b"0")
        assert another.refused()
        assert (await large.body(), await small.body()) == (b"0123456789", b"0123456789")

    in_rooms(arrive)


def test_who_declares_a_length_and_sends_parts_all_the_same_has_declared_none() -> None:
    scope = request("/", method="POST", headers={"content-length": "9", "transfer-encoding": "chunked"})
    assert declared_length(scope) is None
    assert declared_length(scope_of(9)) == 9
