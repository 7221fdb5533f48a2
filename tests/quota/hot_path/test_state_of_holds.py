"""What is read of a hold: what is left of it, and whether its key and seat still work.

Beside each there are others that work, or do not, whose rows would be seen if a filter were missing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Model, QuerySet

from quota.hot_path.authorize import Authorization
from quota.hot_path.state import LiveHold, ReservationState, locked_reservation_state, seat_usage
from quota.models import Entitlement, RateCard, Reservation, UsageBucket
from quota.windows import Hold
from teams.models import Membership, SeatHolding, SubscriptionKey, User
from teams.services.keys import rotate_key
from teams.services.seats import assign_seat, free_seat
from tests.helpers.factories import (
    FIVE_HOURS,
    T0,
    USD,
    Scene,
    give_credits,
    make_desk,
    make_member,
    make_plan,
    make_seat,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND, charging

pytestmark = pytest.mark.django_db

TICK = timedelta(microseconds=1)
LATER = T0 + HOUR


def state_of(held: Authorization, at: Any = T0) -> ReservationState:
    with transaction.atomic():
        return locked_reservation_state(held.reservation_id, at=at)


def works(held: Authorization, at: Any = T0) -> tuple[bool, bool]:
    """Whether the key works, and the seat."""
    state = state_of(held, at)
    return state.key_works, state.seat_works


def test_a_state_is_all_of_its_own_hold_and_of_no_other(scene: Scene) -> None:
    give_credits(scene.team, USD)
    other = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=other)
    make_desk(other).ask(1)
    held = scene.desk.lease(992 * PENNY, seconds=60, agent="writer", tags=("t",))
    scene.desk.draw(held, 2, at=T0 + SECOND)
    call = scene.desk.ask(0, agent="reader")
    state = state_of(held, T0 + SECOND)
    row = Reservation.objects.get(pk=held.reservation_id)
    assert state == ReservationState(
        at=T0 + SECOND,
        id=held.reservation_id,
        gateway_id=scene.desk.gateway.pk,
        state="held",
        expired=False,
        created_at=T0,
        expires_at=T0 + MINUTE,
        charges_at=None,
        raised_at=None,
        holds_until=T0 + 16 * MINUTE,
        team_id=scene.team.pk,
        membership_id=scene.owner.pk,
        key_id=scene.owner.keys.get().pk,
        seat_id=scene.seat.pk,
        plan_id=scene.plan.pk,
        model="",
        agent="writer",
        tags=["t"],
        left_quota_nanousd=988 * PENNY,
        left_credits_nanousd=2 * PENNY,
        rate_card_id=RateCard.objects.get().pk,
        key_works=True,
        seat_works=True,
        api_key_id=None,
        api_text_id=None,
        left_balance_nanousd=0,
        usage=seat_usage(scene.seat.pk, T0 + SECOND),
    )
    assert state.is_lease
    assert not state_of(call).is_lease
    assert set(state.usage.live) == {
        LiveHold(row.pk, Hold(T0, 988 * PENNY, T0 + 16 * MINUTE, is_lease=True), "writer", T0 + 16 * MINUTE),
        LiveHold(
            call.reservation_id, Hold(T0, 0, T0 + 15 * MINUTE, is_lease=False), "reader", T0 + 15 * MINUTE
        ),
    }


def test_of_a_hold_that_is_over_usage_is_read_around_its_own_moments_however_late(scene: Scene) -> None:
    call, lease = scene.desk.ask(1), scene.desk.lease(PENNY, seconds=3600)
    for hours in (5, 6, 7, 1000):
        at = T0 + hours * HOUR
        UsageBucket.objects.create(
            team=scene.team, seat=scene.seat, rule=FIVE_HOURS.key, starts_at=at, used_nanousd=1
        )

    def hours_of(held: Authorization, at: datetime) -> list[float]:
        (buckets,) = state_of(held, at).usage.buckets.values()
        return sorted((bucket.starts_at - T0) / HOUR for bucket in buckets)

    assert [hours_of(held, T0 + MINUTE) for held in (call, lease)] == [[5, 6, 7, 1000]] * 2
    late = T0 + 59 * 24 * HOUR
    assert [hours_of(held, late) for held in (call, lease)] == [[5], [5, 6]]


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (SubscriptionKey, "revoked_at"),
        (SubscriptionKey, "expires_at"),
        (Membership, "ended_at"),
        (User, "deactivated_at"),
    ],
)
def test_the_key_of_a_hold_works_as_its_row_stands(scene: Scene, model: type[Model], field: str) -> None:
    other = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=other)
    held, of_other = scene.desk.ask(1), make_desk(other).ask(1)
    rows: dict[type[Model], QuerySet[Any]] = {
        SubscriptionKey: SubscriptionKey.objects.filter(membership=scene.owner),
        Membership: Membership.objects.filter(pk=scene.owner.pk),
        User: User.objects.filter(pk=scene.owner.user_id),
    }
    assert works(held) == (True, True)
    rows[model].update(**{field: LATER}, **({"is_active": False} if model is User else {}))
    # The caller's clock decides about the end of an overlap alone.
    assert works(held, LATER - TICK) == (field == "expires_at", True)
    assert works(held, LATER) == (False, True)
    assert works(of_other, LATER) == (True, True)


def test_a_key_that_was_replaced_by_a_faster_clock_has_ended(scene: Scene) -> None:
    held = scene.desk.ask(1)
    rotate_key(membership=scene.owner, overlap=timedelta(0), at=T0 + SECOND, by=scene.owner.user)
    assert works(held, T0) == (False, True)


@pytest.mark.parametrize("field", ["superseded_at", "suspended_at", "ends_at"])
def test_the_seat_of_a_hold_works_while_it_has_a_plan(scene: Scene, field: str) -> None:
    other = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=other)
    held, of_other = scene.desk.ask(1), make_desk(other).ask(1)
    Entitlement.objects.filter(seat=scene.seat).update(**{field: LATER})
    # A suspension is planned: after the days of grace.
    assert works(held, LATER - TICK) == (True, field != "superseded_at")
    assert works(held, LATER) == (True, False)
    assert works(of_other, LATER) == (True, True)
    # Another plan in its place does.
    Entitlement.objects.filter(seat=scene.seat).update(superseded_at=LATER)
    Entitlement.objects.create(
        team=scene.team, seat=scene.seat, plan=make_plan("plus"), starts_at=T0, source="test", created_at=T0
    )
    assert works(held, LATER) == (True, True)


def test_the_seat_of_a_hold_works_while_its_own_member_holds_that_very_seat(scene: Scene) -> None:
    second = make_seat(scene.team, scene.plan)
    held = scene.desk.ask(1)
    free_seat(seat=scene.seat, at=T0, by=None)
    assert works(held) == (True, False)
    assign_seat(seat=second, membership=scene.owner, by=None, at=T0)
    assert works(held) == (True, False)
    assign_seat(seat=scene.seat, membership=make_member(scene.team), by=None, at=T0)
    assert works(held) == (True, False)
    SeatHolding.objects.filter(seat=scene.seat, ended_at=None).update(ended_at=T0)
    free_seat(seat=second, at=T0, by=None)
    assign_seat(seat=scene.seat, membership=scene.owner, by=None, at=T0)
    assert works(held) == (True, True)


def test_a_hold_on_credits_has_no_seat_that_could_go(scene: Scene) -> None:
    give_credits(scene.team, USD)
    held = make_desk(make_member(scene.team, credits=True)).lease(PENNY)
    state = state_of(held)
    assert (state.seat_id, state.plan_id, state.key_works, state.seat_works) == (None, None, True, True)
    assert state.usage.live == ()


def test_a_lease_that_is_charged_counts_from_that_very_moment_on_as_it_will_be(scene: Scene) -> None:
    charging(scene)
    held = scene.desk.lease(5 * PENNY, seconds=600)
    row = Reservation.objects.get(pk=held.reservation_id)
    assert row.charges_at

    def counted(moment: datetime) -> tuple[datetime, bool]:
        (live,) = seat_usage(scene.seat.pk, moment).live
        return live.hold.at, live.hold.is_lease

    assert counted(row.charges_at - TICK) == (T0, True)
    assert counted(row.charges_at) == (row.expires_at, False)
