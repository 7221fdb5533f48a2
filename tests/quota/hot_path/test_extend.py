"""A hold is lengthened or raised while it is open, and stays as it was where there is no room."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from quota.errors import (
    AlreadyReleased,
    AlreadySettled,
    InvalidUsage,
    LargerThanTheWindow,
    NoUsableResources,
    QuotaExhausted,
    ReservationLapsed,
    ReservationUnknown,
)
from quota.hot_path.authorize import Authorization
from quota.hot_path.extend import Extension, extend
from quota.hot_path.settle import release
from quota.models import Gateway, Reservation
from quota.selectors.reconcile import differences
from teams.errors import KeyInvalid
from teams.services.keys import revoke_keys
from tests.helpers.factories import T0, USD, Scene, give_credits, make_desk, make_member
from tests.helpers.hot_path import DAY, HOUR, MINUTE, PENNY, SECOND
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db


def ask(held: Authorization, at: Any = T0 + MINUTE, **changes: Any) -> Reservation:
    return extend(reservation_id=held.reservation_id, extension=Extension(**changes), at=at)


def row_of(held: Authorization) -> dict[str, Any]:
    return dict(Reservation.objects.filter(pk=held.reservation_id).values().get())


def refused(held: Authorization, error: type[Exception], at: Any = T0 + MINUTE, **changes: Any) -> Any:
    """It raises this, and the hold stays as it was."""
    before = row_of(held)
    with pytest.raises(error) as raised:
        ask(held, at, **changes)
    assert row_of(held) == before
    return raised.value


def held_cents(row: Reservation) -> tuple[int, int, int]:
    """Of quota and of Credits, still, and all that was ever held."""
    amounts = row.left_quota_nanousd, row.left_credits_nanousd, row.estimate_nanousd
    return tuple(amount // PENNY for amount in amounts)  # type: ignore[return-value]


def test_a_call_is_lengthened_from_now_and_never_shortened(scene: Scene) -> None:
    held = scene.desk.ask(5)
    row = ask(held, T0 + 10 * MINUTE, lifetime_seconds=3600)
    assert row.expires_at == row.holds_until == T0 + 70 * MINUTE
    assert ask(held, T0 + 11 * MINUTE, lifetime_seconds=10).expires_at == T0 + 70 * MINUTE
    assert scene.desk.settle(held, 5, at=T0 + HOUR).from_quota_nanousd == 5 * PENNY


def test_a_lease_is_lengthened_with_its_time_to_flush(scene: Scene) -> None:
    held = scene.desk.lease(5 * PENNY, seconds=60)
    row = ask(held, T0 + 50 * SECOND, lifetime_seconds=60)
    assert (row.expires_at, row.holds_until) == (T0 + 110 * SECOND, T0 + 110 * SECOND + 15 * MINUTE)


def test_the_longest_lifetime_is_that_of_the_gateway_that_authorized(scene: Scene) -> None:
    held = scene.desk.ask(5)
    Gateway.objects.filter(pk=scene.desk.gateway.pk).update(max_lifetime_seconds=60)
    for seconds in (61, 9):
        error = refused(held, InvalidValue, lifetime_seconds=seconds)
        assert (error.pointer, "from 10 to 60 seconds" in str(error)) == ("/lifetime_seconds", True)


def test_a_hold_ends_after_30_days_however_often_it_is_lengthened(scene: Scene) -> None:
    Gateway.objects.filter(pk=scene.desk.gateway.pk).update(max_lifetime_seconds=7 * 86_400, charge_hold=True)
    gateway = Gateway.objects.get(pk=scene.desk.gateway.pk)
    held = replace(scene.desk, gateway=gateway).lease(PENNY, seconds=7 * 86_400)
    for day in (6, 12, 18, 23):
        row = ask(held, T0 + day * DAY, lifetime_seconds=7 * 86_400)
    assert row.expires_at == T0 + 30 * DAY
    error = refused(held, InvalidValue, at=T0 + 29 * DAY, lifetime_seconds=86_401)
    assert (error.pointer, "30 days at most" in str(error)) == ("/lifetime_seconds", True)
    row.refresh_from_db()
    assert (row.expires_at, row.holds_until) == (T0 + 30 * DAY, T0 + 90 * DAY + 15 * MINUTE)


def test_a_call_is_raised_to_another_estimate_and_never_lowered(scene: Scene) -> None:
    held = scene.desk.ask(5)
    assert held_cents(ask(held, estimate={"calls": 8})) == (8, 0, 8)
    assert held_cents(ask(held, estimate={"calls": 7})) == (8, 0, 8)
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(983, at=T0 + MINUTE)
    scene.desk.ask(982, at=T0 + MINUTE)


def test_a_lease_is_raised_to_what_shall_be_held_from_now_on(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY)
    scene.desk.draw(held, 80)
    assert held_cents(ask(held, hold_nanousd=100 * PENNY)) == (100, 0, 180)
    # Asked twice, it is the same: nothing was drawn between.
    assert held_cents(ask(held, hold_nanousd=100 * PENNY)) == (100, 0, 180)
    row = ask(held, hold_nanousd=910 * PENNY, lifetime_seconds=7200)
    assert (held_cents(row), row.expires_at) == ((910, 0, 990), T0 + MINUTE + 2 * HOUR)


def test_quota_first_and_credits_for_the_rest(scene: Scene) -> None:
    give_credits(scene.team, 50 * PENNY)
    held = scene.desk.lease(980 * PENNY)
    assert held_cents(ask(held, hold_nanousd=1000 * PENNY)) == (990, 10, 1000)
    assert held_cents(ask(held, hold_nanousd=1040 * PENNY)) == (990, 50, 1040)
    refused(held, LargerThanTheWindow, hold_nanousd=1041 * PENNY)
    assert not list(differences(T0 + MINUTE))
    # Nobody else can have these Credits.
    with pytest.raises(NoUsableResources):
        make_desk(make_member(scene.team, credits=True)).ask(1)


def test_what_it_holds_already_is_room_though_the_window_is_full_since(scene: Scene) -> None:
    held, other = scene.desk.ask(500), scene.desk.ask(490)
    scene.desk.settle(other, 600)
    # 1,100 of 990 are used or held: no room for more, and what is held stays.
    assert refused(held, QuotaExhausted, estimate={"calls": 501}).retry_after > 0
    assert held_cents(ask(held, estimate={"calls": 500})) == (500, 0, 500)


def test_where_there_is_no_room_the_hold_stays_as_it_was(scene: Scene) -> None:
    held = scene.desk.ask(5)
    scene.desk.ask(980)
    error = refused(held, QuotaExhausted, estimate={"calls": 11}, lifetime_seconds=7200)
    assert error.retry_after == 14 * 60
    assert held_cents(ask(held, estimate={"calls": 10})) == (10, 0, 10)
    member = make_member(scene.team, credits=True)
    give_credits(scene.team, 10 * PENNY)
    refused(make_desk(member).ask(4), NoUsableResources, estimate={"calls": 11})
    refused(scene.desk.ask(0), InvalidUsage, estimate={"songs": 1})


def test_each_kind_of_hold_is_raised_in_its_own_way(scene: Scene) -> None:
    call, lease = scene.desk.ask(1), scene.desk.lease(PENNY)
    assert refused(call, InvalidValue, hold_nanousd=USD).pointer == "/hold_nanousd"
    assert refused(lease, InvalidValue, estimate={"calls": 1}).pointer == "/estimate"


def test_what_is_closed_or_has_lapsed_cannot_be_extended(scene: Scene) -> None:
    settled, released, lapsed = (scene.desk.ask(1) for _ in range(3))
    scene.desk.settle(settled, 1)
    release(reservation_id=released.reservation_id, at=T0)
    refused(settled, AlreadySettled, lifetime_seconds=60)
    refused(released, AlreadyReleased, lifetime_seconds=60)
    refused(lapsed, ReservationLapsed, lapsed.expires_at, lifetime_seconds=60)
    lease = scene.desk.lease(PENNY)
    # Its room is kept for late draws, but it cannot be drawn on any further.
    refused(lease, ReservationLapsed, lease.expires_at, lifetime_seconds=60)
    before_the_end = lapsed.expires_at - timedelta(microseconds=1)
    assert ask(lapsed, before_the_end, lifetime_seconds=60).expires_at == before_the_end + MINUTE
    Reservation.objects.filter(pk=lapsed.reservation_id).update(state="released", expired=True)
    refused(lapsed, ReservationLapsed, lifetime_seconds=60)
    with pytest.raises(ReservationUnknown):
        extend(reservation_id=UUID(int=1), extension=Extension(60), at=T0)


def test_of_a_dead_key_a_call_is_lengthened_and_nothing_else(scene: Scene) -> None:
    call, lease = scene.desk.ask(1), scene.desk.lease(PENNY)
    revoke_keys(membership=scene.owner, at=T0, by=None)
    assert ask(call, lifetime_seconds=7200).expires_at == T0 + MINUTE + 2 * HOUR
    refused(call, KeyInvalid, estimate={"calls": 2})
    refused(lease, KeyInvalid, lifetime_seconds=60)
    scene.desk.draw(lease, 1, at=T0 + MINUTE)
    refused(lease, KeyInvalid, hold_nanousd=PENNY)


def test_a_repeat_of_the_authorize_tells_the_new_end(scene: Scene) -> None:
    held = scene.desk.ask(5, request_id="one")
    ask(held, lifetime_seconds=3600)
    again = scene.desk.ask(5, request_id="one", at=T0 + 30 * MINUTE)
    assert (again.repeated, again.expires_at) == (True, T0 + 61 * MINUTE)
