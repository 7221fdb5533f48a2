"""Another transaction commits exactly between the moment at which a decision has begun and the one at which
it has its lock: it decides by the sums of after that commit, to the nano-dollar.

The controls decide in one snapshot, as one statement would that locks and sums: they sell what is sold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models import F, Sum

from quota.hot_path import accounts, gathered, gathered_draws, gathered_events, lots
from quota.hot_path.authorize import Authorization
from quota.hot_path.batches import LEFT, write_charges
from quota.hot_path.bulk import record_events
from quota.hot_path.draws import Drawn, Report
from quota.hot_path.events import ReportedEvent
from quota.hot_path.gathered import authorize_gathered
from quota.hot_path.gathered_draws import SettleAsk, settle_gathered
from quota.hot_path.gathered_events import record_gathered
from quota.models import CreditGrant, CreditLedgerEntry, Reservation, UsageBucket, UsageEvent
from quota.selectors.reconcile import differences
from teams.models import Seat
from tests.helpers import citus
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import MINUTE, PENNY, parts
from tests.helpers.races import race, waiting
from tests.helpers.roads import ask, hash_of
from tokenplan.kit.errors import Refusal

pytestmark = [pytest.mark.django_db(transaction=True), citus.not_on_a_cluster]

LATER = T0 + MINUTE
Work = Callable[[], Any]


@contextmanager
def begun(*, one_snapshot: bool = False) -> Iterator[None]:
    """A transaction that has asked something already; with `one_snapshot` it sees nothing that is later."""
    with transaction.atomic():
        if one_snapshot:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        UsageEvent.objects.count()
        yield


def in_one_snapshot(work: Work) -> Work:
    def begins_and_works() -> Any:
        with begun(one_snapshot=True):
            return work()

    return begins_and_works


def refused(work: Work) -> Any:
    """What it answers, or how it is refused."""
    try:
        return work()
    except Refusal as refusal:
        return refusal


def waits_for(first: Work, second: Work, *, then: Work = lambda: None, undone: bool = False) -> Any:
    """What `second` answers, which waits for what `first` has locked, until that has done `then`, too, and
    commits, or is undone.
    """

    def apart() -> Any:
        try:
            return refused(second)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            answer = pool.submit(apart)
            waiting("", 1)
            then()
            transaction.set_rollback(undone)
        return answer.result()


def meanwhile(module: Any, function: str, other: Work, batch: Work, *, one_snapshot: bool = False) -> Any:
    """The answers of a batch during which another transaction commits, just before it asks this function."""
    fetch, times = module.fetch_all, []

    def fetch_then(sql: str, params: dict[str, Any]) -> Any:
        if function in sql:
            times.append(race(other))
        return fetch(sql, params)

    with pytest.MonkeyPatch.context() as patch, begun(one_snapshot=one_snapshot):
        patch.setattr(module, "fetch_all", fetch_then)
        answers = batch()
    ((done,),) = times
    assert not isinstance(done, BaseException), done
    return answers


def held() -> tuple[float, float]:
    """Cents of quota and of Credits that open holds have."""
    rows = Reservation.objects.filter(state="held").aggregate(
        quota=Sum("left_quota_nanousd", default=0), credits=Sum("left_credits_nanousd", default=0)
    )
    return rows["quota"] / PENNY, rows["credits"] / PENNY


def left_of_lots() -> list[float]:
    return [lot.remaining_nanousd / PENNY for lot in CreditGrant.objects.order_by("pk")]


def used() -> float:
    """Cents that windows of five hours count."""
    rows = UsageBucket.objects.filter(rule__startswith="rolling")
    return float(rows.aggregate(used=Sum("used_nanousd", default=0))["used"] / PENNY)


def agrees() -> bool:
    return [str(found) for found in differences(LATER)] == []


@pytest.fixture
def seat() -> Scene:
    """Of ten cents one is used."""
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    scene.desk.use(1)  # marks the key as used, so that no call writes into its row
    return scene


@pytest.fixture
def desks() -> list[Desk]:
    """Two members of a Team whose windows are used up, and whose Credits are two lots of five cents."""
    scene = make_scene(limits(PENNY, 100 * PENNY))
    for _ in range(2):
        give_credits(scene.team, 5 * PENNY)
    member = make_member(scene.team, credits=True)
    make_seat(scene.team, scene.plan, holder=member)
    desks = [scene.desk, make_desk(member)]
    for desk in desks:
        desk.use(1)
    return desks


def settling(desk: Desk, hold: Authorization, calls: int) -> SettleAsk:
    return SettleAsk(
        hash_of(desk.gateway), hold.reservation_id, Report(usage={"calls": calls}, model="penny")
    )


def unasked(desk: Desk) -> list[ReportedEvent]:
    """Calls of four cents and of one."""
    return [ReportedEvent(f"{calls}", desk.key, "penny", {"calls": calls}, T0) for calls in (4, 1)]


# The road for one, which waits.


def test_control_in_one_snapshot_a_call_that_waited_for_a_seat_takes_what_is_taken(seat: Scene) -> None:
    second = in_one_snapshot(lambda: seat.desk.ask(5))
    assert isinstance(waits_for(lambda: seat.desk.ask(5), second), Authorization)
    assert (used(), held()) == (1, (10, 0))


def test_a_call_that_waited_for_a_key_decides_by_what_was_held_meanwhile(seat: Scene) -> None:
    assert isinstance(waits_for(lambda: seat.desk.ask(5), lambda: seat.desk.ask(5)), Refusal)
    assert held() == (5, 0)
    assert seat.desk.ask(4).from_quota_nanousd == 4 * PENNY


def test_what_was_held_meanwhile_and_is_undone_is_there_to_be_had(seat: Scene) -> None:
    answer = waits_for(lambda: seat.desk.ask(5), lambda: seat.desk.ask(9), undone=True)
    assert isinstance(answer, Authorization)
    assert held() == (9, 0)


def test_a_call_that_waited_for_a_seat_decides_by_what_was_used_meanwhile(seat: Scene) -> None:
    def use_five() -> None:
        UsageBucket.objects.update(used_nanousd=F("used_nanousd") + 5 * PENNY)

    lock = lambda: Seat.objects.select_for_update().get(pk=seat.seat.pk)  # noqa: E731
    assert isinstance(waits_for(lock, lambda: seat.desk.ask(5), then=use_five), Refusal)
    assert held() == (0, 0)
    assert seat.desk.ask(4).from_quota_nanousd == 4 * PENNY


def test_control_in_one_snapshot_a_call_that_waited_for_credits_takes_what_is_taken(
    desks: list[Desk],
) -> None:
    second = in_one_snapshot(lambda: desks[1].ask(6))
    assert isinstance(waits_for(lambda: desks[0].ask(6), second), Authorization)
    assert held() == (0, 12)


def test_a_call_that_waited_for_credits_decides_by_what_was_held_meanwhile(desks: list[Desk]) -> None:
    assert isinstance(waits_for(lambda: desks[0].ask(6), lambda: desks[1].ask(5)), Refusal)
    assert held() == (0, 6)
    assert desks[1].ask(4).from_credits_nanousd == 4 * PENNY


def test_a_report_that_waited_for_credits_draws_on_what_was_left_meanwhile(desks: list[Desk]) -> None:
    holds = [desk.ask(4) for desk in desks]
    event = waits_for(lambda: desks[0].settle(holds[0], 4), lambda: desks[1].settle(holds[1], 4))
    assert parts(event) == (0, 4, 0)
    drawn = CreditLedgerEntry.objects.filter(event_id=event.pk).order_by("grant_id")
    assert [entry.amount_nanousd // PENNY for entry in drawn] == [-1, -3]
    assert left_of_lots() == [0, 2]
    assert agrees()


@pytest.mark.parametrize(("undone", "paid"), [(False, (2, 0, 1)), (True, (3, 0, 0))])
def test_a_draw_that_waited_for_its_hold_takes_what_is_left_of_it(
    undone: bool, paid: tuple[int, int, int]
) -> None:
    desk = make_scene(limits(6 * PENNY, 100 * PENNY)).desk
    lease = desk.lease(6 * PENNY)
    drawn = waits_for(lambda: desk.draw(lease, 4), lambda: desk.draw(lease, 3), undone=undone)
    assert isinstance(drawn, Drawn)
    assert parts(drawn.event) == paid
    assert used() == (3 if undone else 7)
    assert agrees()


def test_reported_calls_that_waited_for_a_key_are_charged_by_what_was_used_meanwhile(seat: Scene) -> None:
    desk = seat.desk
    rows = waits_for(
        lambda: desk.use(5), lambda: record_events(gateway=desk.gateway, events=unasked(desk), at=LATER)
    )
    assert [row.is_new for row in rows] == [True, True]
    charged = {event.external_id: parts(event) for event in UsageEvent.objects.exclude(external_id=None)}
    assert charged == {"4": (4, 0, 0), "1": (0, 0, 1)}
    assert used() == 11
    assert agrees()


# Batches, which do not wait: another transaction is through just before they lock.


@pytest.mark.parametrize("one_snapshot", [True, False], ids=["control in one snapshot", "as it is"])
def test_a_batch_of_calls_decides_by_what_was_held_since_it_began(seat: Scene, one_snapshot: bool) -> None:
    asks = [ask(seat.desk, 5, "too much"), ask(seat.desk, 4, "fits")]
    first, second = meanwhile(
        gathered,
        "quota_gather_calls",
        lambda: seat.desk.ask(5),
        lambda: authorize_gathered(asks, at=T0),
        one_snapshot=one_snapshot,
    )
    assert isinstance(second, Authorization)
    assert isinstance(first, Authorization) if one_snapshot else first is LEFT
    assert (used(), held()) == (1, (14 if one_snapshot else 9, 0))


@pytest.mark.parametrize("one_snapshot", [True, False], ids=["control in one snapshot", "as it is"])
def test_a_batch_of_calls_holds_of_credits_what_was_left_since_it_began(
    desks: list[Desk], one_snapshot: bool
) -> None:
    asks = [ask(desks[0], 5, "too much"), ask(desks[0], 4, "fits")]
    first, second = meanwhile(
        accounts,
        "quota_usable_of_many",
        lambda: desks[1].ask(6),
        lambda: authorize_gathered(asks, at=T0),
        one_snapshot=one_snapshot,
    )
    assert isinstance(second, Authorization)
    assert isinstance(first, Authorization) if one_snapshot else first is LEFT
    assert held() == (0, 15 if one_snapshot else 10)


@pytest.mark.parametrize("one_snapshot", [True, False], ids=["control in one snapshot", "as it is"])
def test_a_batch_of_reports_decides_by_what_its_seat_has_used_since_it_began(
    seat: Scene, one_snapshot: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = [seat.desk.ask(3) for _ in range(2)]
    if one_snapshot:  # PostgreSQL refuses to write what such a transaction has decided
        monkeypatch.setattr(gathered_draws, "write_charges", lambda *_: None)
    # Of ten cents seven are used by then. The others are not all of a call of four.
    answers = meanwhile(
        gathered_draws,
        "quota_gather_holds",
        lambda: seat.desk.settle(holds[0], 6),
        lambda: settle_gathered([settling(seat.desk, holds[1], calls) for calls in (4, 3)], at=LATER),
        one_snapshot=one_snapshot,
    )
    if one_snapshot:
        assert parts(answers[0]) == (4, 0, 0)
        return
    assert answers[0] is LEFT
    assert parts(answers[1]) == (3, 0, 0)
    assert (used(), held()) == (10, (0, 0))
    assert agrees()


def test_a_batch_of_reports_takes_what_is_left_of_a_hold_since_it_began() -> None:
    desk = make_scene(limits(6 * PENNY, 100 * PENNY)).desk
    lease = desk.lease(6 * PENNY)
    first, second = meanwhile(
        gathered_draws,
        "quota_gather_holds",
        lambda: desk.draw(lease, 4),
        lambda: settle_gathered([settling(desk, lease, calls) for calls in (3, 2)], at=LATER),
    )
    assert first is LEFT
    assert parts(second) == (2, 0, 0)
    assert (used(), held()) == (6, (0, 0))
    assert agrees()


def test_control_in_one_snapshot_a_hold_that_was_drawn_from_since_is_not_even_locked() -> None:
    desk = make_scene(limits(6 * PENNY, 100 * PENNY)).desk
    lease = desk.lease(6 * PENNY)
    with pytest.raises(OperationalError, match="could not serialize"):
        meanwhile(
            gathered_draws,
            "quota_gather_holds",
            lambda: desk.draw(lease, 4),
            lambda: settle_gathered([settling(desk, lease, 2)], at=LATER),
            one_snapshot=True,
        )
    assert used() == 4


@pytest.mark.parametrize("one_snapshot", [True, False], ids=["control in one snapshot", "as it is"])
def test_a_batch_of_reports_draws_on_what_is_left_of_lots_since_it_began(
    desks: list[Desk], one_snapshot: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = [desk.ask(4) for desk in desks]
    decided: list[int] = []

    def note_and_write(charged: Any, at: Any) -> None:
        decided.extend(part.nanousd // PENNY for charging in charged for part in charging.draws)
        if not one_snapshot:
            write_charges(charged, at)

    monkeypatch.setattr(gathered_draws, "write_charges", note_and_write)
    (event,) = meanwhile(
        lots,
        "quota_locked_lots",
        lambda: desks[1].settle(holds[1], 4),
        lambda: settle_gathered([settling(desks[0], holds[0], 4)], at=LATER),
        one_snapshot=one_snapshot,
    )
    assert parts(event) == (0, 4, 0)
    # Of the first lot the other has left one.
    assert decided == ([4] if one_snapshot else [1, 3])
    assert left_of_lots() == ([1, 5] if one_snapshot else [0, 2])
    assert agrees()


@pytest.mark.parametrize("one_snapshot", [True, False], ids=["control in one snapshot", "as it is"])
def test_a_batch_of_reported_calls_decides_by_what_its_seat_has_used_since_it_began(
    seat: Scene, one_snapshot: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if one_snapshot:
        monkeypatch.setattr(gathered_events, "write_charges", lambda *_: None)
    desk = seat.desk
    first, second = meanwhile(
        gathered_events,
        "quota_gather_events",
        lambda: desk.use(5),
        lambda: record_gathered(unasked(desk), gateway=desk.gateway, at=LATER),
        one_snapshot=one_snapshot,
    )
    assert parts(first) == (4, 0, 0)
    if one_snapshot:
        assert parts(second) == (1, 0, 0)
        return
    assert second is LEFT
    assert used() == 10
    assert agrees()
