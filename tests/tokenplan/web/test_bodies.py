"""A body is read whole before it is anybody's, in time, and not too much of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from tests.helpers.asgi import NEVER, application, ask, request
from tests.helpers.event_loop import run
from tokenplan.kit.problems import TooBusy
from tokenplan.web.bodies import Bodies

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


def test_all_bodies_together_are_bounded_and_room_comes_back() -> None:
    bodies = Bodies(limit=10, seconds=5, held_bytes=15)
    scope = request("/", method="POST", headers={"content-length": "10"})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"0123456789"}

    async def both() -> None:
        async with bodies.whole(scope, receive):
            with pytest.raises(TooBusy):
                async with bodies.whole(scope, receive):
                    raise AssertionError
        async with bodies.whole(scope, receive) as body:
            assert body == b"0123456789"

    run(both())
