"""A call waits for each row that it decides by, and for no other row of the same kind.

The controls, which show what happens without these locks, are in test_hot_path.py, test_credits.py and
test_same_id.py.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models import QuerySet

from quota.hot_path.accounts import usable_credits
from quota.models import Reservation, TeamCredits
from quota.services.corrections import correct_charge
from teams.models import Seat, SubscriptionKey
from teams.services import seats
from tests.helpers.factories import (
    T0,
    USD,
    Desk,
    Scene,
    give_credits,
    key_of,
    make_desk,
    make_member,
    make_scene,
    make_seat,
    make_team,
)
from tests.helpers.hot_path import PENNY, SECOND
from tests.helpers.races import waiting

pytestmark = pytest.mark.django_db(transaction=True)


def start(pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Future[Any]:
    def run() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    return pool.submit(run)


@pytest.mark.parametrize(
    ("verb", "waits_for"),
    [
        *(("ask", "key"), ("ask", "seat")),
        *(("settle", "reservation"), ("settle", "key"), ("settle", "seat")),
    ],
)
def test_a_call_waits_for_the_rows_that_it_decides_by(verb: str, waits_for: str) -> None:
    scene = make_scene()
    scene.desk.use(1)  # marks the key as used, so that an authorize does not write it
    held = scene.desk.ask(2)
    verbs: dict[str, Callable[[], Any]] = {
        "ask": lambda: scene.desk.ask(3),
        "settle": lambda: scene.desk.settle(held, 2),
    }
    rows: dict[str, QuerySet[Any]] = {
        "key": SubscriptionKey.objects.filter(membership=scene.owner),
        "seat": Seat.objects.filter(pk=scene.seat.pk),
        "reservation": Reservation.objects.filter(team=scene.team, pk=held.reservation_id),
    }
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert len(rows[waits_for].select_for_update(no_key=True)) == 1
            done = start(pool, verbs[verb])
            waiting("transactionid", 1)
            assert not done.done()
        assert not isinstance(done.result(30), Exception)


def test_a_call_waits_for_no_row_of_anybody_else() -> None:
    """Of the same gateway, and even of the same Team, but for the Credits, which are the Team's."""
    scene = make_scene()
    give_credits(scene.team, USD)
    other = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=other)
    rich = make_team()
    give_credits(rich, USD)
    busy = Desk(scene.desk.gateway, key_of(other)).ask(1)

    def call() -> int:
        held = scene.desk.ask(995)
        return scene.desk.settle(held, 995).from_credits_nanousd

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        for rows in (
            SubscriptionKey.objects.exclude(membership=scene.owner),
            Seat.objects.exclude(pk=scene.seat.pk),
            Reservation.objects.filter(team=scene.team, pk=busy.reservation_id),
            TeamCredits.objects.filter(team=rich),
        ):
            assert list(rows.select_for_update(no_key=True))
        assert start(pool, call).result(30) == 5 * PENNY


def test_what_is_shown_waits_for_nobody() -> None:
    scene = make_scene()
    give_credits(scene.team, USD)

    def shown() -> int:
        return usable_credits(team_id=scene.team.pk, membership_id=scene.owner.pk, seated=True, at=T0)

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        assert len(TeamCredits.objects.filter(team=scene.team).select_for_update(no_key=True)) == 1
        assert start(pool, shown).result(30) == USD


def test_a_call_that_waited_for_a_seat_uses_the_seat_that_its_member_holds_now() -> None:
    scene = make_scene()
    second = make_seat(scene.team, scene.plan)
    scene.desk.use(1)

    def move(scene: Scene) -> None:
        seats.free_seat(seat=scene.seat, by=None, at=T0 + SECOND)
        seats.assign_seat(seat=second, membership=scene.owner, by=None, at=T0 + SECOND)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Seat.objects.select_for_update(no_key=True).get(pk=scene.seat.pk)
            asked = start(pool, lambda: scene.desk.ask(2, at=T0 + 2 * SECOND))
            waiting("transactionid", 1)
            move(scene)
        held = asked.result(30)
    assert Reservation.objects.get(pk=held.reservation_id).seat_id == second.pk


def test_no_call_waits_longer_than_three_seconds_for_any_row() -> None:
    make_scene().desk.use(1)  # by these functions
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, proconfig FROM pg_proc WHERE prosrc LIKE '%FOR NO KEY UPDATE%'"
            " AND prosrc NOT LIKE '%SKIP LOCKED%'"  # which waits for nothing
            " AND proname LIKE 'quota%' AND prokind = 'f' ORDER BY proname"
        )
        limits = cursor.fetchall()
    assert [(name, settings[0]) for name, settings in limits] == [
        ("quota_api_call_state", "lock_timeout=3s"),
        ("quota_call_state", "lock_timeout=3s"),
        ("quota_gather_events", "lock_timeout=1s"),  # then its rows go alone
        ("quota_lock_credits", "lock_timeout=3s"),
        ("quota_reservation_state", "lock_timeout=3s"),
    ]


def test_a_call_of_a_member_without_seat_waits_for_the_credits_it_is_paid_from() -> None:
    scene = make_scene()
    give_credits(scene.team, USD)
    desk = make_desk(make_member(scene.team, credits=True))
    held = desk.ask(2)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            TeamCredits.objects.select_for_update(no_key=True).get(team=scene.team)
            done = start(pool, lambda: desk.settle(held, 2))
            waiting("transactionid", 1)
        assert done.result(30).from_credits_nanousd == 2 * PENNY


def test_a_correction_waits_for_the_hold_of_its_charge_and_has_locked_nothing_by_then() -> None:
    """A report that has locked the hold asks for the seat next: it must be free."""
    scene = make_scene()
    give_credits(scene.team, USD)
    held = scene.desk.ask(2)
    event = scene.desk.settle(held, 2)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            of_team = Reservation.objects.filter(team=scene.team)
            assert of_team.select_for_update(no_key=True).get(pk=held.reservation_id)
            done = start(
                pool,
                lambda: correct_charge(event=event, usage={"calls": 1}, reason="x", at=T0, by=None),
            )
            waiting("transactionid", 1)
            assert Seat.objects.select_for_update(no_key=True, nowait=True).get(pk=scene.seat.pk)
            assert TeamCredits.objects.select_for_update(no_key=True, nowait=True).get(team=scene.team)
        assert done.result(30).right.amount_nanousd == PENNY
