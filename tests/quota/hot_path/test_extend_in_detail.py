"""By which moment, which lots and which rows a hold is raised, and what it locks for that."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from quota.errors import LargerThanTheWindow, NoUsableResources, QuotaExhausted
from quota.hot_path.authorize import Authorization
from quota.hot_path.extend import Extension, extend
from quota.hot_path.settle import release
from quota.models import Reservation
from quota.windows import Limit, Policy, Rule
from teams.errors import KeyInvalid
from teams.services.seats import assign_seat, free_seat
from tests.helpers.factories import (
    MONDAY,
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_gateway,
    make_member,
    make_scene,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, asked_of_credits

pytestmark = pytest.mark.django_db

HOURLY = Rule(Policy.FIXED, 3600, MONDAY)


def ask(held: Authorization, at: datetime = T0 + MINUTE, **changes: Any) -> Reservation:
    return extend(reservation_id=held.reservation_id, extension=Extension(**changes), at=at)


def parts(row: Reservation) -> tuple[int, int, int, int]:
    """Quota and Credits that were held in all, and what is left of each, in cents."""
    row.refresh_from_db()
    amounts = (
        row.from_quota_nanousd,
        row.from_credits_nanousd,
        row.left_quota_nanousd,
        row.left_credits_nanousd,
    )
    return tuple(amount // PENNY for amount in amounts)  # type: ignore[return-value]


def test_each_part_grows_by_what_is_added_to_what_draws_have_left(scene: Scene) -> None:
    give_credits(scene.team, 50 * PENNY)
    held = scene.desk.lease(992 * PENNY)
    scene.desk.draw(held, 991)
    assert parts(ask(held, hold_nanousd=4 * PENNY)) == (990, 5, 0, 4)
    member = make_member(scene.team, credits=True)
    of_member = make_desk(member).lease(PENNY)
    assert parts(ask(of_member, hold_nanousd=3 * PENNY)) == (0, 3, 0, 3)


def test_a_raise_to_what_it_holds_already_changes_nothing(scene: Scene) -> None:
    give_credits(scene.team, 50 * PENNY)
    other = scene.desk.ask(985)
    held = scene.desk.ask(10)
    release(reservation_id=other.reservation_id, at=T0)
    assert parts(ask(held, estimate={"calls": 10})) == (5, 5, 5, 5)
    assert parts(ask(held, estimate={"calls": 11})) == (11, 0, 11, 0)


def test_a_call_is_raised_in_the_window_of_its_authorize_and_a_lease_in_that_of_now() -> None:
    scene = make_scene([Limit("hour", HOURLY, 10 * PENNY)])
    made, now = T0.replace(minute=59), T0.replace(hour=11, minute=1)
    scene.desk.use(6, at=made)
    call, lease = scene.desk.ask(2, at=made), scene.desk.lease(2 * PENNY, at=made)
    with pytest.raises(QuotaExhausted):
        ask(call, now, estimate={"calls": 3})
    assert parts(ask(lease, now, hold_nanousd=10 * PENNY)) == (10, 0, 10, 0)


def test_a_call_is_raised_within_the_month_of_its_authorize_and_a_lease_within_that_of_now(
    scene: Scene,
) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team)
    allow_credits(member, month_cap=10 * PENNY)
    desk = make_desk(member)
    made, now = T0.replace(day=30, hour=23, minute=55), T0.replace(month=7, day=1, hour=0, minute=1)
    desk.use(7, at=made)
    call = desk.ask(1, at=made)
    with pytest.raises(NoUsableResources):
        ask(call, now, estimate={"calls": 4})
    release(reservation_id=call.reservation_id, at=made)
    lease = desk.lease(PENNY, at=made)
    assert parts(ask(lease, now, hold_nanousd=10 * PENNY)) == (0, 10, 0, 10)


def test_a_raise_draws_on_the_lots_that_lived_at_the_authorize(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + 2 * MINUTE)
    held = make_desk(make_member(scene.team, credits=True)).ask(3)
    assert parts(ask(held, T0 + 3 * MINUTE, estimate={"calls": 5})) == (0, 5, 0, 5)
    with pytest.raises(NoUsableResources):
        ask(held, T0 + 3 * MINUTE, estimate={"calls": 6})


def test_the_overflow_policy_is_for_raises_on_a_working_seat(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team)
    for membership in (scene.owner, member):
        allow_credits(membership, overflow="never")
    with pytest.raises(LargerThanTheWindow):
        ask(scene.desk.ask(990), estimate={"calls": 991})
    assert parts(ask(make_desk(member).ask(1), estimate={"calls": 2})) == (0, 2, 0, 2)


def test_one_nano_dollar_beyond_the_window_needs_one_of_credits() -> None:
    scene = make_scene(limits(five_hours=10))
    held = scene.desk.ask(10, model="nano")
    with pytest.raises(LargerThanTheWindow):
        ask(held, estimate={"calls": 11})
    give_credits(scene.team, 1)
    assert ask(held, estimate={"calls": 11}).left_credits_nanousd == 1


def test_credits_are_locked_and_asked_for_only_where_the_windows_have_no_room(scene: Scene) -> None:
    give_credits(scene.team, USD)
    held = scene.desk.ask(1)
    assert asked_of_credits(lambda: ask(held, estimate={"calls": 990})) == []
    assert asked_of_credits(lambda: ask(held, estimate={"calls": 991})) == [True]


def test_a_lease_is_neither_lengthened_nor_raised_once_its_seat_has_gone(scene: Scene) -> None:
    lease, call = scene.desk.lease(PENNY), scene.desk.ask(1)
    free_seat(seat=scene.seat, at=T0, by=None)
    for held, changes in (
        (lease, {"lifetime_seconds": 7200}),
        (lease, {"hold_nanousd": 2 * PENNY}),
        (call, {"estimate": {"calls": 2}}),
    ):
        with pytest.raises(KeyInvalid):
            ask(held, **changes)
    assert ask(call, lifetime_seconds=7200).expires_at == T0 + MINUTE + 2 * HOUR


def test_a_lease_that_has_ended_stays_so_though_its_seat_is_back(scene: Scene) -> None:
    lease = scene.desk.lease(5 * PENNY)
    free_seat(seat=scene.seat, at=T0, by=None)
    assert scene.desk.draw(lease, 1).state == "ended"
    assign_seat(seat=scene.seat, membership=scene.owner, by=None, at=T0)
    with pytest.raises(KeyInvalid):
        ask(lease, lifetime_seconds=7200)


def test_an_extension_is_of_its_own_hold_and_gateway_alone(scene: Scene) -> None:
    make_gateway()
    held, other = scene.desk.ask(1), scene.desk.ask(1)
    before = Reservation.objects.filter(pk=other.reservation_id).values().get()
    row = ask(held, lifetime_seconds=3600, estimate={"calls": 5})
    assert (row.pk, row.expires_at) == (held.reservation_id, T0 + MINUTE + HOUR)
    assert Reservation.objects.filter(pk=other.reservation_id).values().get() == before
