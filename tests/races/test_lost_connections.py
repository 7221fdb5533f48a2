"""PostgreSQL ends a connection in the middle of a request, at each address: the thread goes on by itself.
What becomes of writes is in `test_lost_writes`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.contrib import admin
from django.db import OperationalError, connection, connections, transaction
from django.test import Client
from django.urls import reverse

from quota.services.gateways import create_gateway
from teams.models import Membership, User
from tests.helpers import address_table as table
from tests.helpers.factories import T0, key_of, make_scene
from tests.helpers.lost_connections import Call, Thread, bearer, cookies_of, one_thread
from tests.helpers.writes import events_of
from tests.keepers import test_tenancy as tenancy

pytestmark = pytest.mark.django_db(transaction=True)
# Some page that asks the database and needs no credential.
PROBE = "/api/v1/plans"
# Of pages that differ by a word in their address.
PAGES_OF = {"tool": "quickstart", "docs-page": "api"}
# After which statements of a page: what is left open there is left open by the first ones, or at the end.
READ = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)


@pytest.fixture
def thread(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Thread]:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)
    with one_thread() as thread:
        yield thread


def cookies(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return cookies_of(client)


def test_a_connection_that_is_lost_while_events_are_recorded_poisons_no_thread(thread: Thread) -> None:
    scene = make_scene()
    gateway = bearer(create_gateway(name="g", at=T0, by=None)[1])
    call = Call("api-events", "POST", reverse("api-events"), events_of(key_of(scene.owner)), gateway)
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
    """An address that names a Team, read by the Owner."""
    if "GET" in table.TEAMS[name].methods:
        yield Call(name, "GET", scene.url(name), headers=cookies(scene.people["owner"]))


def calls_of_ones_own(scene: tenancy.Scene, name: str) -> Iterator[Call]:
    url = reverse(name, kwargs={"pk": 1} if name in table.OWN_ROWS | {"api-token"} else None)
    yield Call(name, "GET", url, headers=cookies(scene.people["owner"]))


def calls_with_other_credentials(scene: tenancy.Scene, name: str) -> Iterator[Call]:
    membership = Membership.objects.get(user=scene.people["owner"], team__slug=scene.slug)
    kwargs = table.OTHER_CREDENTIALS[name]
    if "pk" in kwargs:
        kwargs = {"pk": str(scene.events["owner"])}
    credential = key_of(membership)
    if "gateway/" in reverse(name, kwargs=kwargs):
        credential = create_gateway(name=f"g {name}", at=T0, by=None)[1]
    url = f"{reverse(name, kwargs=kwargs)}?state=held&request_id=r"
    yield Call(name, "GET", url, headers=bearer(credential))


def calls_of_everybody(scene: tenancy.Scene, name: str) -> Iterator[Call]:
    if name == "join":
        yield Call(name, "GET", reverse(name, args=["token"]), headers=cookies(scene.people["owner"]))
    elif name in PAGES_OF:
        yield Call(name, "GET", reverse(name, args=[PAGES_OF[name]]))
    elif name == "invite":
        yield Call(name, "GET", reverse(name, args=["a2b3c4d5e6f7"]), headers=cookies(scene.people["owner"]))
    else:
        key = key_of(Membership.objects.get(user=scene.people["owner"], team__slug=scene.slug))
        yield Call(name, "GET", reverse(name), headers=bearer(key))


def calls_of_signing_in(scene: tenancy.Scene, name: str) -> Iterator[Call]:
    yield Call(name, "GET", reverse(name))


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
    """At each address that is read; a quarter of them at a time."""
    wrong: list[tuple[str, str, int, object]] = []
    walked = 0
    scene = tenancy.make_everything()
    for name, make in ADDRESSES[part::4]:
        for call in make(scene, name):
            walked += walk(thread, call, wrong)
    assert wrong == []
    assert walked > 100


def walk(thread: Thread, call: Call, wrong: list[tuple[str, str, int, object]]) -> int:
    """Ends the connection after some statements of the call; how many they are."""
    for walked, after in enumerate(READ):
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
