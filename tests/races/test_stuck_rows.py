"""A report in bulk about a key that stays locked: other rows are recorded, and it is waited for once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from quota.hot_path import bulk
from quota.hot_path.bulk import RowResult, record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.free_rows import InTheWay
from quota.models import TeamCredits, UsageEvent
from teams import keytext
from teams.errors import KeyInvalid
from teams.models import ApiKeyText, Seat, SubscriptionKey
from tests.helpers.citus import not_on_a_cluster
from tests.helpers.factories import Scene, give_credits, make_api_key, owner_of
from tests.helpers.hot_path import database_clock
from tests.quota.hot_path.test_state_by_the_clock import ONE, ask, scene_of_now

pytestmark = pytest.mark.django_db(transaction=True)

# What waits for a lock, besides many rows at once, and how long it does so here.
WAITS = (
    "quota_call_state(text, text, timestamptz, timestamptz, boolean)",
    "quota_api_call_state(text, text, timestamptz, timestamptz, boolean)",
    "quota_reservation_state(uuid, timestamptz)",
    "quota_lock_credits(bigint)",
)
MORE_THAN_ALL = {"calls": 2000}


@pytest.fixture(autouse=True)
def short_waits() -> Iterator[None]:
    with connection.cursor() as cursor:
        for function in WAITS:
            cursor.execute(f"ALTER FUNCTION {function} SET lock_timeout = '50ms'")
        try:
            yield
        finally:
            for function in WAITS:
                cursor.execute(f"ALTER FUNCTION {function} SET lock_timeout = '3s'")


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What became of each row that went alone: a result, or what it raised."""
    noted: list[Any] = []
    row = bulk._row

    def note(record: Any) -> Any:
        try:
            noted.append(row(record))
        except Exception as error:
            noted.append(type(error))
            raise
        return noted[-1]

    monkeypatch.setattr(bulk, "_row", note)
    return noted


@contextmanager
def locked(rows: Any) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """The rows are locked inside. The value calls something by another connection."""

    def by_another(act: Callable[[], Any]) -> Any:
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as another, transaction.atomic():
        assert list(rows.select_for_update())
        yield lambda act: another.submit(by_another, act).result()


def events(scene: Scene, name: str, many: int, calls: dict[str, int] = ONE) -> list[ReportedEvent]:
    now = database_clock()
    return [ReportedEvent(f"{name} {n}", scene.desk.key, "penny", calls, now) for n in range(many)]


def key_of(scene: Scene) -> Any:
    id = keytext.key_id_of(scene.desk.key, keytext.SUBSCRIPTION_KEY)
    return SubscriptionKey.objects.filter(key_id=id)


def reported(scene: Scene, rows: Sequence[Any]) -> Callable[[], list[RowResult]]:
    gateway = scene.desk.gateway
    if isinstance(rows[0], Settlement):
        return lambda: settle_many(gateway=gateway, settlements=rows)
    return lambda: record_events(gateway=gateway, events=rows)


def sent_twice(scene: Scene, rows: Sequence[Any], stuck: Any) -> list[bool]:
    """Which rows are new when the report is sent again, after it was sent while `stuck` was locked."""
    report = reported(scene, rows)
    with locked(stuck) as by_another, pytest.raises((OperationalError, InTheWay)):
        by_another(report)
    return [row.is_new for row in report()]


@pytest.mark.slow
@not_on_a_cluster
def test_one_row_about_a_locked_key_costs_the_others_nothing(tried: list[Any]) -> None:
    stuck, other = scene_of_now(), scene_of_now()
    rows = [*events(stuck, "stuck", 1), *events(other, "other", 154)]
    report = reported(stuck, rows)
    with locked(key_of(stuck)) as by_another:
        for tries in (1, 2):  # however often it comes
            with pytest.raises(OperationalError, match="lock timeout"):
                by_another(report)
            assert (UsageEvent.objects.count(), tried) == (154, [OperationalError] * tries)
    assert [row.is_new for row in report()] == [True] + [False] * 154
    assert UsageEvent.objects.count() == 155


@not_on_a_cluster
def test_a_locked_key_is_waited_for_once_however_many_rows_name_it(tried: list[Any]) -> None:
    stuck, other = scene_of_now(), scene_of_now()
    rows = [*events(stuck, "stuck", 105), *events(other, "other", 105)]
    assert sent_twice(stuck, rows, key_of(stuck)) == [True] * 105 + [False] * 105
    assert tried == [OperationalError] + [InTheWay] * 104


def test_a_locked_seat_is_in_the_way_of_its_settlements_alone(tried: list[Any]) -> None:
    stuck, other = scene_of_now(), scene_of_now()
    calls = [ask(stuck, f"{n}") for n in range(3)] + [ask(other, f"{n}") for n in range(3)]
    rows = [Settlement(call.pk, Report(usage=ONE)) for call in calls]
    seat = Seat.objects.filter(pk__in=[calls[0].seat_id])
    assert sent_twice(stuck, rows, seat) == [True] * 3 + [False] * 3
    # Sent again, what is settled goes alone: it is a repeat.
    assert tried[:3] == [OperationalError, InTheWay, InTheWay]


def test_a_locked_key_is_in_the_way_of_its_draws_that_go_alone(tried: list[Any]) -> None:
    """Draws at once lock no key; one that the windows do not cover does."""
    stuck, other = scene_of_now(), scene_of_now()
    calls = [ask(stuck, "one"), ask(stuck, "two"), ask(other, "one"), ask(other, "two")]
    rows = [Settlement(call.pk, Report(usage=MORE_THAN_ALL)) for call in calls]
    assert sent_twice(stuck, rows, key_of(stuck)) == [True, True, False, False]
    assert tried[:2] == [OperationalError, InTheWay]


def test_locked_credits_are_in_the_way_of_what_they_would_pay_and_of_no_other_row(tried: list[Any]) -> None:
    stuck, other = scene_of_now(), scene_of_now()
    give_credits(stuck.team, 10**15, at=database_clock())
    rows = [*events(stuck, "dear", 2, MORE_THAN_ALL), *events(other, "dear", 2, MORE_THAN_ALL)]
    credits = TeamCredits.objects.filter(team=stuck.team)
    assert sent_twice(stuck, rows, credits) == [True, True, False, False]
    assert tried[:2] == [OperationalError, InTheWay]


def test_a_locked_api_key_is_in_the_way_of_its_own_calls_alone(tried: list[Any]) -> None:
    stuck, other = scene_of_now(), scene_of_now()
    api_key = make_api_key(owner_of(stuck.team))
    text = ApiKeyText.objects.filter(api_key=api_key)
    made = text.get()
    handle = keytext.handle(made.key_id)
    moment = database_clock()
    rows: list[Any] = [ReportedEvent(f"{n}", "", "penny", ONE, moment, key_handle=handle) for n in range(2)]
    rows += events(other, "other", 2)
    assert sent_twice(stuck, rows, text) == [True, True, False, False]
    assert tried[:2] == [OperationalError, InTheWay]


@pytest.mark.slow
def test_a_row_with_nothing_to_lock_says_what_is_wrong_with_it_though_others_are_in_the_way(
    tried: list[Any],
) -> None:
    stuck = scene_of_now()
    forged = stuck.desk.key[:-2] + ("aa" if stuck.desk.key[-2:] != "aa" else "bb")
    moment = database_clock()
    wrong = [
        ReportedEvent("forged", forged, "penny", ONE, moment),
        ReportedEvent("none", "x", "penny", ONE, moment),
    ]
    report = reported(stuck, [*events(stuck, "stuck", 1), *wrong])
    with locked(key_of(stuck)) as by_another, pytest.raises(OperationalError):
        by_another(report)
    assert tried[0] is OperationalError
    assert [type(row.refusal) for row in tried[1:]] == [KeyInvalid, KeyInvalid]
