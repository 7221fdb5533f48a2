"""A key stays locked, and 64 callers wait for it: whoever calls with another Team's key is answered."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.db.models import QuerySet

from quota.api.gateway.crowds import GATEWAY
from quota.hot_path.free_rows import locked_of, needed_by_key
from quota.hot_path.state import id_and_kind_of
from quota.models import TeamCredits
from quota.services.balance import add_to_balance
from teams.models import ApiKey
from teams.services.keys import reveal_key
from tests.helpers.api_client import Caller, gateway_caller
from tests.helpers.asgi import asked, request
from tests.helpers.event_loop import run
from tests.helpers.factories import T0, make_api_key, make_team, owner_of, use_test_rate_card
from tests.helpers.races import waiting
from tokenplan import asgi
from tokenplan.web.crowds import Crowds

pytestmark = pytest.mark.django_db(transaction=True)

CALLERS = 64
CENT = 10_000_000


def paying_key() -> ApiKey:
    owner = owner_of(make_team())
    source = f"pi_{owner.team.pk}"
    add_to_balance(team=owner.team, nanousd=1000 * CENT, source=source, cause="Bought", at=T0, by=None)
    return make_api_key(owner)


@contextmanager
def locked(rows: QuerySet[Any]) -> Iterator[Callable[[], object]]:
    """Somebody has locked the rows inside, until the value is called."""
    is_locked, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                assert list(rows.select_for_update(no_key=True))
                is_locked.set()
                go_on.wait(30)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        try:
            assert is_locked.wait(30)
            yield go_on.set
        finally:
            go_on.set()
            holding.result()


def post(gateway: Caller, path: str, body: object = None) -> Any:
    content = b"" if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {gateway.credential}", "content-type": "application/json"}
    headers["content-length"] = str(len(content))
    return asked(asgi.gateway_api, request(GATEWAY + path, method="POST", headers=headers), [content])


def call(gateway: Caller, key: ApiKey) -> Any:
    ask = {"request_id": uuid4().hex, "key": reveal_key(key.texts.get()), "model": "penny"}
    return partial(post, gateway, "authorize", ask | {"estimate": {"calls": 1}})


def statuses(tasks: Sequence[asyncio.Task[Any]]) -> Counter[int]:
    return Counter(task.result()[0] for task in tasks if task.done())


async def refused_of(tasks: Sequence[asyncio.Task[Any]], many: int) -> list[Any]:
    """The answers of the first that are done, once so many are."""
    async with asyncio.timeout(30):
        while sum(task.done() for task in tasks) < many:
            await asyncio.sleep(0)
    return [task.result() for task in tasks if task.done()]


async def all_wait(many: int) -> None:
    """So many threads wait for the key."""

    def wait() -> None:
        try:
            waiting("", many)
        finally:
            connections.close_all()

    await asyncio.to_thread(wait)


async def stranger_waits(
    stranger: Any, calls: Sequence[Any], release: Sequence[Callable[[], object]]
) -> None:
    """While the calls wait for what is locked, the stranger is not answered; all are, once it is released."""
    waits = [asyncio.create_task(one()) for one in calls]
    await all_wait(8)
    late = asyncio.create_task(stranger())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not late.done()
    for each in release:
        each()
    await asyncio.gather(late, *waits)


@pytest.fixture
def gateway() -> Iterator[Caller]:
    use_test_rate_card()
    yield gateway_caller()


def fresh(monkeypatch: pytest.MonkeyPatch, shares_of: Any = asgi.shares_of, **more: Any) -> None:
    crowds = Crowds(GATEWAY, threads=8, shares_of=shares_of, **{"locked_by": asgi.locked_by, **more})
    monkeypatch.setattr(asgi.gateway_api.threads, "crowds", crowds)


def test_a_key_that_stays_locked_keeps_no_other_team_waiting(
    gateway: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(monkeypatch, most_waiting=16, turn_seconds=60)
    stuck, other = paying_key(), paying_key()
    calls, others = [call(gateway, stuck) for _ in range(CALLERS)], [call(gateway, other) for _ in range(5)]

    async def crowd(release: Callable[[], object]) -> None:
        waits = [asyncio.create_task(one()) for one in calls]
        # Four have threads, sixteen wait without one, all others are refused at once.
        refused = await refused_of(waits, CALLERS - 4 - 16)
        await all_wait(4)
        for one in others:
            status, _, body = await one()
            assert status == 201, body
            held = json.loads(body)["reservation"]
            settled = await post(gateway, f"reservations/{held}/settle", {"usage": {"calls": 1}})
            assert settled[0] == 200, settled
        assert 201 not in statuses(waits)
        assert {headers["retry-after"] for _, headers, _ in refused} == {"1"}
        for _, _, body in refused:
            problem = json.loads(body)
            assert problem["code"] == "unavailable"
            assert problem["relay"]
        release()
        await asyncio.gather(*waits)
        assert statuses(waits).keys() == {503, 201}

    with locked(stuck.texts.all()) as release:
        run(crowd(release))


def test_reports_of_its_calls_keep_no_other_team_waiting_either(
    gateway: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is of a hold of its own: that they have a key in common says the database."""
    fresh(monkeypatch, most_waiting=16, turn_seconds=60)
    stuck, other = paying_key(), paying_key()
    asks = [call(gateway, stuck) for _ in range(CALLERS)]
    stranger = call(gateway, other)

    async def held() -> list[str]:
        return [json.loads((await one())[2])["reservation"] for one in asks]

    async def crowd(release: Callable[[], object]) -> None:
        paths = [f"reservations/{hold}/settle" for hold in holds]
        waits = [asyncio.create_task(post(gateway, path, {"usage": {"calls": 1}})) for path in paths]
        await refused_of(waits, CALLERS - 4 - 16)
        await all_wait(4)
        assert (await stranger())[0] == 201
        assert 200 not in statuses(waits)
        release()
        await asyncio.gather(*waits)
        assert statuses(waits).keys() == {503, 200}

    holds = run(held())
    with locked(stuck.texts.all()) as release:
        run(crowd(release))


def kinds_of_locks() -> list[tuple[ApiKey, QuerySet[Any]]]:
    """Keys of different Teams, and what of each will be locked: its text, or the Team's Credits."""
    keys = [paying_key() for _ in range(6)]
    return [
        (key, TeamCredits.objects.filter(team=key.team_id) if number % 2 else key.texts.all())
        for number, key in enumerate(keys)
    ]


def test_what_somebody_has_locked_is_found_and_what_is_free_is_not_kept(gateway: Caller) -> None:
    key = paying_key()
    needed = needed_by_key(*id_and_kind_of(reveal_key(key.texts.get())))
    credits = TeamCredits.objects.filter(team=key.team_id)
    for _ in range(2):
        for rows, name in ((key.texts.all(), "key"), (credits, "team")):
            assert locked_of(needed) is None
            with locked(rows):
                assert locked_of(needed) == name


@pytest.mark.parametrize("stuck", [1, 2, 3, 6])
def test_however_many_keys_or_credits_are_stuck_other_teams_are_answered(
    gateway: Caller, monkeypatch: pytest.MonkeyPatch, stuck: int
) -> None:
    fresh(monkeypatch, turn_seconds=60)
    kinds, other = kinds_of_locks()[:stuck], paying_key()
    calls = [call(gateway, key) for key, _ in kinds for _ in range(12)]
    others = [call(gateway, other) for _ in range(5)]

    async def crowd(release: list[Callable[[], object]]) -> None:
        waits = [asyncio.create_task(one()) for one in calls]
        await all_wait(4)
        assert [(await one())[0] for one in others] == [201] * 5
        assert not statuses(waits)
        for each in release:
            each()
        await asyncio.gather(*waits)

    with ExitStack() as locks:
        run(crowd([locks.enter_context(locked(rows)) for _, rows in kinds]))


def test_control_where_nobody_asks_what_is_locked_three_stuck_keys_take_every_thread(
    gateway: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(monkeypatch, locked_by=lambda environ: None, turn_seconds=60)
    kinds, stranger = kinds_of_locks()[:3], call(gateway, paying_key())
    calls = [call(gateway, key) for key, _ in kinds for _ in range(12)]

    with ExitStack() as locks:
        run(stranger_waits(stranger, calls, [locks.enter_context(locked(rows)) for _, rows in kinds]))


def test_control_without_shares_its_callers_take_every_thread(
    gateway: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(monkeypatch, lambda environ: [])
    stuck, other = paying_key(), paying_key()
    calls, stranger = [call(gateway, stuck) for _ in range(CALLERS)], call(gateway, other)

    with locked(stuck.texts.all()) as release:
        run(stranger_waits(stranger, calls, [release]))
