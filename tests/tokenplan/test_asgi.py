"""What the web server calls: its batches keep their connection, and leave one that has ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError, connection, connections
from django.test import Client
from django.utils import timezone

from quota.api.gateway.crowds import GATEWAY
from teams.services.keys import reveal_key
from tests.helpers.api_client import gateway_caller, make_office
from tests.helpers.asgi import ask, request
from tests.helpers.citus import not_on_a_cluster
from tests.helpers.event_loop import run
from tests.helpers.factories import (
    USD,
    allow_credits,
    give_credits,
    key_of,
    limits,
    make_member,
    make_scene,
    make_team,
    use_test_rate_card,
)
from tests.races.test_crowds import paying_key, post
from tokenplan.asgi import (
    application,
    batches,
    gateway_api,
    in_batches,
    is_our_host,
    locked_by,
    reads,
    roads,
    shares_of,
)
from tokenplan.web.crowds import Crowds
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


def test_what_is_only_shown_has_a_connection_of_its_own() -> None:
    gatherings = [in_batches(lambda asks: [backend()], thread=thread) for thread in (batches, reads)]
    assert [gathering._thread for gathering in gatherings] == [batches, reads]

    async def one_of_each() -> list[Any]:
        return [await gathering.answer("x") for gathering in gatherings]

    try:
        of_calls, of_bars = run(one_of_each())
    finally:
        for gathering in gatherings:
            gathering._thread.submit(connections.close_all).result()
    assert of_calls != of_bars
    threads = {road.gathering._thread for road in roads if road.method == "GET"}
    assert threads == {reads}


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


def test_bars_of_key_holders_are_answered_before_django(monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_office().key
    headers = {"authorization": f"Bearer {key}", "accept": "*/*"}

    async def by_django(environ: dict[str, Any]) -> Any:
        raise AssertionError(environ["PATH_INFO"])

    monkeypatch.setattr(application.threads, "answer", by_django)
    paths = [
        "/api/v1/usage",
        "/v1/token_plan/remains",
        "/v1/api/openplatform/coding_plan/remains?GroupId=123",
    ]
    try:
        answers = [ask(application, request(path, headers=headers)) for path in paths]
    finally:
        reads.submit(connections.close_all).result()
    assert [(status, sorted(json.loads(body))) for status, _, body in answers] == [
        (200, ["agents", "credits", "seat", "suspended", "team", "usable", "windows"]),
        (200, ["base_resp", "model_remains"]),
        (200, ["base_resp", "model_remains"]),
    ]
    assert ask(application, request("/api/v1/usage?format=json", headers=headers))[0] == 500


def test_bars_that_are_as_the_browser_has_them_are_answered_before_django(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    scene = make_scene(limits(USD, 10 * USD))
    client.force_login(scene.owner.user)
    url = f"/account/bars/?of=bar-{scene.owner.pk}"
    session = client.cookies[settings.SESSION_COOKIE_NAME].value

    def asked(known: str) -> int:
        cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
        return ask(application, request(url, headers={"cookie": cookie, "if-none-match": known}))[0]

    async def by_django(environ: dict[str, Any]) -> Any:
        raise AssertionError(environ["PATH_INFO"])

    known = client.get(url).headers["ETag"]
    monkeypatch.setattr(application.threads, "answer", by_django)
    try:
        with time_machine.travel(timezone.now(), tick=False):
            answers = [asked(known), asked('"other"')]
    finally:
        reads.submit(connections.close_all).result()
    assert answers == [304, 500]


@pytest.mark.parametrize(
    ("host", "ours"),
    [(b"localhost", True), (b"127.0.0.1:8000", True), (b"evil.example", False), (b"", False)],
)
def test_our_hosts_are_those_that_django_allows(host: bytes, ours: bool) -> None:
    assert is_our_host(host) is ours


def named(credential: str) -> list[tuple[object, int]]:
    scope = request("/api/v1/gateway/events", method="POST", headers={"authorization": credential})
    environ = environ_of(scope, b"{}")
    assert locked_by(environ) is None
    return [*shares_of(environ)]


def test_whoever_has_no_credential_of_ours_takes_nobodys_turn() -> None:
    assert named(f"Bearer {gateway_caller().credential}") == [("bulk", 4)]
    assert named("Bearer a") == [("no gateway", 2)]


def test_what_a_stranger_names_is_never_locked_to_find_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("quota.api.gateway.crowds.locked_by", lambda *about: asked.append(about))
    for credential, times in (("a", 0), (gateway_caller().credential, 1)):
        headers = {"authorization": f"Bearer {credential}"}
        environ = environ_of(request(f"{GATEWAY}authorize", method="POST", headers=headers), b"{}")
        shares_of(environ)
        assert locked_by(environ) is None
        assert len(asked) == times


@pytest.mark.parametrize("asked", ["is_of_a_gateway", "shares_of"])
def test_what_a_request_is_about_is_unknown_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    def away(*asked: object) -> None:
        raise OperationalError("the connection is closed")

    credential = gateway_caller().credential
    for name in (asked, "locked_by"):
        monkeypatch.setattr(f"quota.api.gateway.crowds.{name}", away)
    assert named(f"Bearer {credential}") == [("unknown", 2)]


@contextmanager
def asked_of_the_database() -> Iterator[list[str]]:
    """In all threads, but for where transactions begin and end."""
    noted: list[str] = []
    execute = psycopg.Cursor.execute

    def note(cursor: psycopg.Cursor[Any], statement: Any, *args: Any, **more: Any) -> Any:
        noted.append(str(statement))
        return execute(cursor, statement, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", note)
        yield noted


def key_of_an_account() -> str:
    return reveal_key(paying_key().texts.get())


def key_without_a_seat() -> str:
    member = make_member(make_team())
    give_credits(member.team, 100 * USD)
    allow_credits(member)
    return key_of(member)


@not_on_a_cluster
@pytest.mark.parametrize(
    ("key", "alone", "in_a_crowd"),
    [(key_of_an_account, (4, 8), (6, 11)), (key_without_a_seat, (5, 8), (7, 11))],
)
def test_a_call_on_the_road_for_one_asks_the_database_so_often_and_in_a_crowd_little_more(
    monkeypatch: pytest.MonkeyPatch,
    key: Callable[[], str],
    alone: tuple[int, int],
    in_a_crowd: tuple[int, int],
) -> None:
    """The authorize and the settle. In a crowd it is asked besides which gateway calls and what is locked,
    and of a report whose hold it is.
    """
    use_test_rate_card()
    text, gateway = key(), gateway_caller()
    crowds = Crowds(GATEWAY, threads=8, shares_of=shares_of, locked_by=locked_by)
    monkeypatch.setattr(gateway_api.threads, "crowds", crowds)

    async def called() -> tuple[int, int]:
        with asked_of_the_database() as authorized:
            ask = {"request_id": uuid4().hex, "key": text, "model": "penny", "estimate": {"calls": 1}}
            held = json.loads((await post(gateway, "authorize", ask))[2])["reservation"]
        with asked_of_the_database() as settled:
            answer = await post(gateway, f"reservations/{held}/settle", {"usage": {"calls": 1}})
        assert answer[0] == 200
        return len(authorized), len(settled)

    async def beside(others: int) -> tuple[int, int]:
        async with AsyncExitStack() as threads:
            for _ in range(others):
                await threads.enter_async_context(crowds.one({}))
            await called()  # some things are read once a process
            return await called()

    try:
        assert [run(beside(0)), run(beside(2))] == [alone, in_a_crowd]
    finally:
        batches.submit(connections.close_all).result()
