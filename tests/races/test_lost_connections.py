"""PostgreSQL ends a connection in the middle of a request, at each address: the thread goes on by itself.

Requests are answered as the web server has them answered, by one thread that keeps its connection's state
from one to the next, unlike the test client.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
import time_machine
from django.conf import settings
from django.contrib import admin
from django.core.handlers.wsgi import WSGIHandler
from django.db import OperationalError, connection, connections, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory
from django.urls import reverse

from quota.services.gateways import create_gateway
from teams.models import Membership, User
from tests.helpers import address_table as table
from tests.helpers import signed
from tests.helpers.factories import T0, key_of, make_scene
from tests.keepers import test_tenancy as tenancy

pytestmark = pytest.mark.django_db(transaction=True)
# Some page that asks the database and needs no credential.
PROBE = "/api/v1/plans"
# Of pages that differ by a word in their address.
PAGES_OF = {"tool": "quickstart", "docs-page": "api"}
# After which statements of a page: what is left open there is left open by the first ones, or at the end.
READ = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)
NOBODYS = "0b8f6a2e-7c4a-4a54-9f1e-0d3b9d0d3b9d"


class Handler(WSGIHandler):
    """As the web server's, but that forms need no token against cross-site requests."""

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        return super().get_response(request)


@dataclass(frozen=True)
class Call:
    """A request that can be sent again and again."""

    name: str
    method: str
    url: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    form: bool = False

    def environ(self) -> dict[str, Any]:
        kind = "application/x-www-form-urlencoded" if self.form else "application/json"
        request = RequestFactory().generic(
            self.method, self.url, self.body, content_type=kind, headers=self.headers
        )
        return request.environ


@dataclass
class Thread:
    """One thread of the web server. `killer` is a connection of its own."""

    killer: psycopg.Connection[Any]
    pool: ThreadPoolExecutor
    handler: Handler = field(default_factory=Handler)

    def answer(self, call: Call) -> int:
        return self.pool.submit(self._answer, call).result()

    def answer_and_lose(self, call: Call, *, after: int) -> tuple[int, bool]:
        """The status, and whether there were so many statements that the connection was ended."""
        return self.pool.submit(self._answer_and_lose, call, after).result()

    def is_in_a_transaction(self) -> bool:
        return self.pool.submit(lambda: connection.in_atomic_block).result()

    def _answer(self, call: Call) -> int:
        statuses: list[str] = []
        start: Any = lambda status, headers, *rest: statuses.append(status)  # noqa: E731
        response: Any = self.handler(call.environ(), start)
        try:
            list(response)
        finally:
            response.close()
        return int(statuses[0].split()[0])

    def _answer_and_lose(self, call: Call, after: int) -> tuple[int, bool]:
        seen = [0]

        def count(execute: Callable[..., Any], *args: Any) -> Any:
            if after == seen[0] == 0:
                self.kill()
            result = execute(*args)
            seen[0] += 1
            if seen[0] == after:
                self.kill()
            return result

        with connection.execute_wrapper(count):
            status = self._answer(call)
        return status, seen[0] >= after

    def kill(self) -> None:
        """Ends the server's process behind this thread's connection, and waits until it has ended."""
        pid = connection.connection.info.backend_pid
        self.killer.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@pytest.fixture
def thread(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Thread]:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)
    params = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    where = {name: params[name] for name in names if params.get(name)}
    with (
        time_machine.travel(T0, tick=False),
        psycopg.connect(**where, autocommit=True) as killer,
        ThreadPoolExecutor(1) as pool,
    ):
        yield Thread(killer, pool)
        pool.submit(connections.close_all).result()


def cookies(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"}


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def events_of(scene: Any, number: int = 3) -> bytes:
    key = key_of(scene.owner)
    row = {"key": key, "model": "penny", "usage": {"calls": 1}, "occurred_at": T0.isoformat()}
    return json.dumps({"events": [{**row, "id": f"event-{i}"} for i in range(number)]}).encode()


def test_a_connection_that_is_lost_while_events_are_recorded_poisons_no_thread(thread: Thread) -> None:
    scene = make_scene()
    gateway = bearer(create_gateway(name="g", at=T0, by=None)[1])
    call = Call("api-events", "POST", reverse("api-events"), events_of(scene), gateway)
    for after in range(40):
        status, lost = thread.answer_and_lose(call, after=after)
        assert status == (503 if lost else 200), after
        assert not thread.is_in_a_transaction(), after
        assert thread.answer(Call("probe", "GET", PROBE)) == 200, after
        if not lost:
            break
    else:
        pytest.fail("the request never came to its end")


def test_a_transaction_that_lost_its_connection_ends_with_the_request_whoever_left_it_open(
    thread: Thread,
) -> None:
    """Nothing of ours leaves one open; a library could."""

    def break_inside() -> None:
        transaction.atomic().__enter__()
        thread.kill()
        with suppress(OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    thread.pool.submit(break_inside).result()
    assert thread.is_in_a_transaction()
    assert [thread.answer(Call("probe", "GET", PROBE)) for _ in range(3)] == [200] * 3
    assert not thread.is_in_a_transaction()


def calls_of_a_team(scene: tenancy.Scene, name: str) -> Iterator[Call]:
    """Every method of an address that names a Team, by the Owner, as tests/keepers/test_tenancy.py asks."""
    for method in table.TEAMS[name].methods:
        url = scene.url(name)
        body = b""
        if url.startswith("/api/") and method != "GET":
            body = json.dumps(table.CREDIT_ACCESS if url.endswith("/credits") else {}).encode()
        yield Call(name, method, url, body, cookies(scene.people["owner"]), form=not url.startswith("/api/"))


def calls_of_ones_own(scene: tenancy.Scene, name: str) -> Iterator[Call]:
    url = reverse(name, kwargs={"pk": 1} if name in table.OWN_ROWS | {"api-token"} else None)
    for method in ("GET", "POST"):
        body = b"" if not url.startswith("/api/") else b"{}"
        yield Call(name, method, url, body, cookies(scene.people["owner"]), form=not url.startswith("/api/"))


def calls_with_other_credentials(scene: tenancy.Scene, name: str) -> Iterator[Call]:
    team = Membership.objects.get(user=scene.people["owner"], team__slug=scene.slug)
    key = key_of(team)
    gateway = bearer(create_gateway(name=f"g {name}", at=T0, by=None)[1])
    url = reverse(name, kwargs=table.OTHER_CREDENTIALS[name])
    bodies: dict[str, Any] = {
        "api-authorize": {"request_id": "r", "key": key, "model": "penny", "estimate": {"calls": 1}},
        "api-settle": {"usage": {"calls": 1}},
        "api-draw": {"id": "d", "usage": {"calls": 1}},
        "api-extend": {"lifetime_seconds": 60},
        "api-settlements": {"settlements": [{"reservation": NOBODYS, "usage": {"calls": 1}}] * 2},
        "api-events": json.loads(events_of(make_scene())),
        "api-release": {},
    }
    if name in bodies:
        yield Call(name, "POST", url, json.dumps(bodies[name]).encode(), gateway)
    elif name in ("api-reservation", "api-reservations", "api-refusals"):
        yield Call(name, "GET", f"{url}?state=held&request_id=r", headers=gateway)
    else:
        yield Call(name, "GET", url, headers=bearer(key))


def calls_of_everybody(scene: tenancy.Scene, name: str) -> Iterator[Call]:
    if name == "stripe-webhook":
        body = json.dumps(signed.event("invoice.paid", {"object": "invoice", "id": "in_1"})).encode()
        headers = {"Stripe-Signature": signed.signature(body, at=T0)}
        yield Call(name, "POST", reverse(name), body, headers)
    elif name == "join":
        yield Call(name, "GET", reverse(name, args=["token"]), headers=cookies(scene.people["owner"]))
    elif name in PAGES_OF:
        yield Call(name, "GET", reverse(name, args=[PAGES_OF[name]]))
    elif name == "invite":
        yield Call(name, "GET", reverse(name, args=["a2b3c4d5e6f7"]), headers=cookies(scene.people["owner"]))
    else:
        key = key_of(Membership.objects.get(user=scene.people["owner"], team__slug=scene.slug))
        yield Call(name, "GET", reverse(name), headers=bearer(key))


def calls_of_signing_in(scene: tenancy.Scene, name: str) -> Iterator[Call]:
    form = b"email=ada@example.com&login=ada@example.com&password=x&password1=a-horse-b&password2=a-horse-b"
    for method in ("GET", "POST"):
        yield Call(name, method, reverse(name), form if method == "POST" else b"", form=True)


def calls_of_operators(scene: tenancy.Scene, name: str) -> Iterator[Call]:
    User.objects.filter(pk=scene.people["owner"].pk).update(is_staff=True, is_superuser=True)
    yield Call(name, "GET", reverse(name), headers=cookies(scene.people["owner"]))


KINDS: list[tuple[Callable[[tenancy.Scene, str], Iterator[Call]], set[str]]] = [
    (calls_of_a_team, set(table.TEAMS)),
    (calls_of_ones_own, table.OWN_PAGES | table.OWN_API),
    (calls_with_other_credentials, set(table.OTHER_CREDENTIALS)),
    (calls_of_everybody, table.OPEN | table.SIGNED),
    (
        calls_of_signing_in,
        {"account_login", "account_signup", "account_reset_password", "mfa_login_webauthn"},
    ),
    (
        calls_of_operators,
        {"admin:index"}
        | {f"admin:{m._meta.app_label}_{m._meta.model_name}_changelist" for m in admin.site._registry},
    ),
]
ADDRESSES = [(name, make) for make, names in KINDS for name in sorted(names)]


def test_every_address_is_walked() -> None:
    named = {pattern.name for _, pattern in tenancy.addresses()}
    assert named - {name for name, _ in ADDRESSES} == set()


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_whatever_statement_loses_its_connection_no_thread_keeps_the_fault(thread: Thread, part: int) -> None:
    """At each address, after each statement; a quarter of the addresses at a time."""
    wrong: list[tuple[str, str, int, object]] = []
    walked = 0
    scene = tenancy.make_everything()
    for name, make in ADDRESSES[part::4]:
        for call in make(scene, name):
            walked += walk(thread, call, wrong)
            if call.method != "GET":
                scene = tenancy.make_everything()  # it may have done what it is for
    assert wrong == []
    assert walked > 100


def walk(thread: Thread, call: Call, wrong: list[tuple[str, str, int, object]]) -> int:
    """Ends the connection after each statement of the call in turn, of one that only reads after ever fewer of
    them; how many they are.
    """
    for walked, after in enumerate(READ if call.method == "GET" else range(200)):
        status, lost = thread.answer_and_lose(call, after=after)
        if status == 500:
            wrong.append((call.name, call.method, after, status))
        if thread.is_in_a_transaction():
            wrong.append((call.name, call.method, after, "a transaction is left open"))
        probe = thread.answer(Call("probe", "GET", PROBE))
        if probe != 200:
            wrong.append((call.name, call.method, after, f"then {probe}"))
        if not lost:
            return walked
    raise AssertionError(f"{call.method} {call.url} never came to its end")


@pytest.mark.slow
def test_after_a_restart_of_the_database_no_request_meets_a_connection_from_before(thread: Thread) -> None:
    """Three threads each had one, which wait in the pool when all of them end at once."""
    probe = Call("probe", "GET", PROBE)
    together = threading.Barrier(3)

    def hold(call: Call) -> int:
        connection.ensure_connection()
        together.wait()
        return thread._answer(call)

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(hold, [probe] * 3)) == [200] * 3
    connections.close_all()
    thread.killer.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert [thread.answer(probe) for _ in range(6)] == [200] * 6
