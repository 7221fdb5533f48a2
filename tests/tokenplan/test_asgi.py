"""What the web server calls: its batches keep their connection, and leave one that has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from tests.helpers.asgi import request
from tests.helpers.event_loop import run
from tokenplan.asgi import in_batches, is_our_host, shares_of
from tokenplan.web.wsgi_calls import environ_of

pytestmark = pytest.mark.django_db(transaction=True)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def answered(work: Callable[[Any], Any], times: int = 1) -> list[Any]:
    gathering = in_batches(work)

    async def one_after_another() -> list[Any]:
        return [await gathering.answer("x") for _ in range(times)]

    try:
        return run(one_after_another())
    finally:
        gathering._thread.submit(connections.close_all).result()


def test_batches_share_one_connection() -> None:
    ours = backend()
    first, second = answered(lambda asks: [backend()], 2)
    assert first == second != ours


def test_a_connection_that_ends_between_two_batches_is_left() -> None:
    seen: list[int] = []

    def work(asks: Any) -> Any:
        seen.append(backend())
        return [len(seen)]

    gathering = in_batches(work)

    async def both() -> list[Any]:
        answers = [await gathering.answer("x")]
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [seen[0]])
        return [*answers, await gathering.answer("x")]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        assert run(both()) == [1, 2]
    gathering._thread.submit(connections.close_all).result()
    assert seen[0] != seen[1]


def test_a_connection_that_ends_in_a_batch_fails_that_batch_alone() -> None:
    seen: list[int] = []

    def work(asks: Any) -> Any:
        seen.append(backend())
        if len(seen) == 1:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            raise AssertionError("the statement before fails")
        return ["worked"]

    assert answered(work, 2) == [None, "worked"]


def test_a_batch_that_the_database_refuses_is_nobodys_and_its_connection_is_left() -> None:
    seen: list[int] = []

    def work(asks: Any) -> Any:
        seen.append(backend())
        if len(seen) == 1:
            raise OperationalError("canceling statement due to statement timeout")
        return ["worked"]

    assert answered(work, 2) == [None, "worked"]
    assert seen[0] != seen[1]


@pytest.mark.parametrize(
    ("host", "ours"),
    [(b"localhost", True), (b"127.0.0.1:8000", True), (b"evil.example", False), (b"", False)],
)
def test_our_hosts_are_those_that_django_allows(host: bytes, ours: bool) -> None:
    assert is_our_host(host) is ours


def named(credential: str) -> list[tuple[object, int]]:
    scope = request("/api/v1/gateway/events", method="POST", headers={"authorization": credential})
    return [*shares_of(environ_of(scope, b"{}"))]


def test_whoever_has_another_credential_takes_nobodys_turn() -> None:
    assert named("Bearer a") == [(("Bearer a", "bulk"), 2)]
    assert named("Bearer b") == [(("Bearer b", "bulk"), 2)]


def test_what_a_request_is_about_is_unknown_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(path: str, body: bytes) -> list[tuple[str, int]]:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr("quota.api.gateway.crowds.shares_of", away)
    assert named("Bearer a") == [(("Bearer a", "unknown"), 2)]
