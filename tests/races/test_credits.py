"""The Team's Credits have one lock, which covers also a lot that is being granted meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models import Sum

from quota.errors import NoUsableResources
from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.hot_path.locks import lock_credits
from quota.models import CreditGrant, CreditLedgerEntry, OwedUsage, Reservation, TeamCredits
from quota.services.credits import adjust_lot, expire_lots, freeze_lot, set_team_credits
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    give_credits,
    key_of,
    make_desk,
    make_member,
    make_scene,
)
from tests.helpers.races import waiting

pytestmark = pytest.mark.django_db(transaction=True)

PENNY = 10_000_000
NEXT = "    SELECT m.is_founder"
LOCK = "        PERFORM quota_lock_credits(p_team_id);\n"
LOTS_LOCK = """
        PERFORM 1 FROM quota_creditgrant g WHERE g.team_id = p_team_id AND g.remaining_nanousd > 0
            ORDER BY g.id FOR NO KEY UPDATE;
"""
DOOR = 4711  # of an advisory lock, behind which a decision stops between its lock and its sum
PAUSE = f"        PERFORM pg_advisory_xact_lock_shared({DOOR});\n"


@contextmanager
def deciding_by(lock: str | None = None) -> Iterator[None]:
    """Decisions on Credits lock so, or as they do, and then stop at the door; then they are as before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('quota_usable_credits'::regproc)")
        before = cursor.fetchone()[0]
        assert LOCK in before
        locked = before if lock is None else before.replace(LOCK, lock)
        cursor.execute(locked.replace(NEXT, f"    IF p_lock THEN {PAUSE}    END IF;\n{NEXT}"))
        try:
            yield
        finally:
            cursor.execute(before)


def start(pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Future[Any]:
    def run() -> Any:
        try:
            return work()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    return pool.submit(run)


def two_desks(scene: Scene) -> list[Desk]:
    desks = [make_desk(make_member(scene.team, credits=True)) for _ in range(2)]
    set_team_credits(team=scene.team, overflow="allow", low_balance_nanousd=0, at=T0, by=None)
    return desks


def held() -> int:
    total: int = Reservation.objects.aggregate(total=Sum("from_credits_nanousd", default=0))["total"]
    return total


def test_control_with_a_lock_of_the_lots_alone_two_members_take_a_lot_that_was_just_granted() -> None:
    scene = make_scene()
    desks = two_desks(scene)
    both_asked = threading.Barrier(2)

    def ask(desk: Desk) -> None:
        with transaction.atomic():
            desk.ask(6)
            both_asked.wait(30)

    with deciding_by(LOTS_LOCK), ThreadPoolExecutor(2) as pool, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [DOOR])
        asked = [start(pool, partial(ask, desk)) for desk in desks]
        waiting("advisory", 2)
        give_credits(scene.team, 10 * PENNY)
        cursor.execute("SELECT pg_advisory_unlock(%s)", [DOOR])
        assert [one.result(30) for one in asked] == [None, None]
    assert held() == 12 * PENNY


def test_a_lot_is_not_granted_between_the_lock_and_the_sum() -> None:
    scene = make_scene()
    desks = two_desks(scene)
    with deciding_by(), ThreadPoolExecutor(3) as pool, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [DOOR])
        asked = [start(pool, partial(desk.ask, 6)) for desk in desks]
        waiting("advisory", 1)
        granted = start(pool, lambda: give_credits(scene.team, 10 * PENNY))
        waiting("transactionid", 1)
        assert not CreditGrant.objects.exists()
        cursor.execute("SELECT pg_advisory_unlock(%s)", [DOOR])
        assert granted.result(30) is None
        assert sum(not isinstance(one.result(30), Exception) for one in asked) <= 1
    assert held() <= 6 * PENNY
    assert CreditGrant.objects.all().remaining() == 10 * PENNY


NO_ROW_NO_LOCK = """
        PERFORM 1 FROM quota_teamcredits t WHERE t.team_id = p_team_id FOR NO KEY UPDATE;
"""


def first_lot_during_usage_that_nothing_covers(
    lock: str | None, the_grant_waits: str | None
) -> tuple[int, int]:
    """What is owed at the end, and what the lot holds. The usage is of a member without a seat, in a Team
    that has never had Credits; the lot is granted while the usage stands between its lock and its end.
    """
    scene = make_scene()
    key = key_of(make_member(scene.team))
    TeamCredits.objects.all().delete()
    used = ReportedEvent("late", key, "penny", {"calls": 4}, T0)
    with deciding_by(lock), ThreadPoolExecutor(2) as pool, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [DOOR])
        report = partial(record_events, gateway=scene.desk.gateway, events=[used], at=T0)
        recorded = start(pool, report)
        waiting("advisory", 1)
        granted = start(pool, lambda: give_credits(scene.team, 10 * PENNY))
        if the_grant_waits:
            waiting(the_grant_waits, 1)
        else:
            assert granted.result(30) is None
        cursor.execute("SELECT pg_advisory_unlock(%s)", [DOOR])
        assert [row.is_new for row in recorded.result(30)] == [True]
        assert granted.result(30) is None
    return OwedUsage.objects.get().left_nanousd, CreditGrant.objects.get().remaining_nanousd


def test_control_without_a_row_to_lock_a_first_lot_does_not_pay_what_is_owed_in_that_moment() -> None:
    assert first_lot_during_usage_that_nothing_covers(NO_ROW_NO_LOCK, None) == (4 * PENNY, 10 * PENNY)


def test_a_first_lot_pays_what_is_owed_in_the_moment_of_its_grant() -> None:
    assert first_lot_during_usage_that_nothing_covers(None, "transactionid") == (0, 6 * PENNY)


def test_a_row_that_another_has_just_made_is_locked_before_anything_is_summed() -> None:
    scene = make_scene()
    desk = make_desk(make_member(scene.team, credits=True))
    other = make_scene().team
    give_credits(other, PENNY)
    TeamCredits.objects.filter(team=scene.team).delete()
    with deciding_by(), ThreadPoolExecutor(3) as pool, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [DOOR])
        with transaction.atomic():
            lock_credits(scene.team)
            asked = start(pool, desk.ask)
            waiting("transactionid", 1)
        waiting("advisory", 1)
        assert start(pool, lambda: give_credits(other, PENNY)).result(30) is None  # waits for nobody
        granted = start(pool, lambda: give_credits(scene.team, 10 * PENNY))
        waiting("transactionid", 1)
        cursor.execute("SELECT pg_advisory_unlock(%s)", [DOOR])
        assert isinstance(asked.result(30), NoUsableResources)
        assert granted.result(30) is None


CHANGES: dict[str, Callable[[CreditGrant], Any]] = {
    "an adjustment": lambda lot: adjust_lot(
        lot=lot, nanousd=-PENNY, kind=CreditLedgerEntry.Kind.ADJUSTMENT, cause="a", at=T0, by=None
    ),
    "a refund": lambda lot: adjust_lot(
        lot=lot, nanousd=-PENNY, kind=CreditLedgerEntry.Kind.REFUND, cause="r", at=T0, by=None
    ),
    "a freeze": lambda lot: freeze_lot(lot=lot, frozen=True, at=T0, by=None),
    "a grant": lambda lot: give_credits(lot.team, PENNY),
    "an expiry": lambda lot: expire_lots(at=T0.replace(year=T0.year + 2)),
    "a call": lambda lot: make_desk(lot.team.memberships.get()).ask(1000),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_or_holds_credits_waits_for_the_teams_row_of_them(change: str) -> None:
    scene = make_scene()
    give_credits(scene.team, 20 * PENNY)
    lot = CreditGrant.objects.get()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            TeamCredits.objects.select_for_update(no_key=True).get(team=scene.team)
            done = start(pool, lambda: CHANGES[change](lot))
            waiting("transactionid", 1)
            lot.refresh_from_db()
            assert (lot.remaining_nanousd, lot.frozen_at, held()) == (20 * PENNY, None, 0)
        assert not isinstance(done.result(30), Exception)


def test_the_expiry_of_one_team_does_not_touch_what_a_call_drew_while_it_waited() -> None:
    scene = make_scene()
    give_credits(scene.team, 20 * PENNY)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            make_desk(make_member(scene.team, credits=True)).use(5)
            done = start(pool, lambda: expire_lots(at=T0.replace(year=T0.year + 2)))
            waiting("transactionid", 1)
        assert done.result(30) == 1
    assert CreditLedgerEntry.objects.get(kind="expiry").amount_nanousd == -15 * PENNY
