"""A fixed number of threads, a bounded wait for them, and others for long answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.helpers.asgi import application, ask, asked, request
from tests.helpers.event_loop import run
from tokenplan.web.threads import PART_BYTES


class Long:
    """A long answer of Django's, as far as we know it."""

    streaming = True

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = pieces
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def close(self) -> None:
        self.closed = True


def answering(answer: Any) -> Callable[[dict[str, Any], Any], Any]:
    def wsgi(environ: dict[str, Any], start: Any) -> Any:
        start("200 OK", [("Content-Type", "text/csv")])
        return answer

    return wsgi


def test_who_gets_no_thread_in_time_is_asked_to_come_again_and_health_needs_none() -> None:
    free = threading.Event()
    calls = []

    def waits(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        calls.append(environ)
        free.wait(10)
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    served = application(waits)

    async def crowd() -> None:
        waiting = [asyncio.create_task(asked(served, request("/"))) for _ in range(2)]
        while len(calls) < 2:
            await asyncio.sleep(0)
        refused, headers, body = await asked(served, request("/"))
        assert (refused, headers["Retry-After".lower()]) == (503, "1")
        assert json.loads(body)["code"] == "unavailable"
        assert (await asked(served, request("/healthz")))[::2] == (200, b"ok\n")
        assert (await asked(served, request("/readyz")))[0] == 200
        assert served.threads.stuck_seconds() > 0
        free.set()
        assert [(await one)[::2] for one in waiting] == [(200, b"ok"), (200, b"ok")]
        assert served.threads.stuck_seconds() == 0

    run(crowd())
    assert len(calls) == 2


def test_a_long_answer_leaves_in_parts_and_is_closed() -> None:
    answer = Long([b"x" * 100] * (2 * PART_BYTES // 100))
    status, _, body = ask(application(answering(answer)), request("/"))
    assert (status, body) == (200, b"x" * 100 * (2 * PART_BYTES // 100))
    assert answer.closed


def test_a_long_answer_that_fails_has_no_end(caplog: pytest.LogCaptureFixture) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * PART_BYTES
        raise ValueError("the database is gone")

    answer = Long(pieces())
    last = broken_off(answer)
    assert last["more_body"]
    assert answer.closed
    assert "A long answer broke off" in caplog.text


def test_whoever_reads_too_slowly_is_cut_off() -> None:
    answer = Long([b"x" * PART_BYTES] * 9)
    assert broken_off(answer, slow_after=2)["more_body"]
    assert answer.closed


def broken_off(answer: Long, *, slow_after: int = 99) -> dict[str, Any]:
    """The last message that was sent."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        if len(sent) == slow_after:
            await asyncio.sleep(60)
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError

    run(application(answering(answer))(request("/"), receive, send))
    last: dict[str, Any] = sent[-1]
    return last


def test_an_application_that_fails_is_answered_for(caplog: pytest.LogCaptureFixture) -> None:
    def fails(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        raise ValueError

    status, _, body = ask(application(fails), request("/"))
    assert (status, json.loads(body)["code"]) == (500, "internal_error")
