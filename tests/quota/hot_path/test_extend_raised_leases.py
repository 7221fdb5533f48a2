"""A lease is raised at a moment: what it holds is promised to the calls from then on. Those of before find as
much room, and as many Credits of their month, as there are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import Sum

from quota.hot_path.authorize import Authorization
from quota.hot_path.extend import Extension, extend
from quota.models import CreditGrant, CreditMonth, Reservation, UsageEvent
from quota.selectors.reconcile import differences
from quota.services.entitlements import suspend_seat
from quota.services.gateways import set_hold_limits
from quota.windows import Limit, Policy, Rule
from teams.services.keys import revoke_keys
from tests.helpers.factories import (
    T0,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_scene,
)
from tests.helpers.hot_path import (
    HOUR,
    MINUTE,
    PENNY,
    SECOND,
    charging,
    left,
    parts,
    reported,
    windows_after,
    windows_before,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
# The window of T0 is over by then, and so is a `first_use` window that began at T0.
LATER = T0 + 5 * HOUR + 5 * MINUTE
POLICIES = {"rolling": Rule(Policy.ROLLING, 5 * 3600), "first_use": Rule(Policy.FIRST_USE, 5 * 3600)}


def raised(held: Authorization, cents: int, *, at: datetime) -> None:
    extend(reservation_id=held.reservation_id, extension=Extension(hold_nanousd=cents * PENNY), at=at)


def from_quota() -> int:
    """Cents."""
    total: int = UsageEvent.objects.aggregate(sum=Sum("from_quota_nanousd", default=0))["sum"]
    return total // PENNY


@pytest.mark.parametrize("policy", POLICIES)
def test_a_draw_of_before_the_raise_finds_no_more_room_than_its_window_has(policy: str) -> None:
    scene = make_scene([Limit("5h", POLICIES[policy], 10 * PENNY)])
    held = scene.desk.lease(10 * PENNY, seconds=9 * 3600)
    scene.desk.draw(held, 7, at=T0 + MINUTE)
    raised(held, 10, at=LATER)
    assert parts(scene.desk.draw(held, 5, at=LATER, occurred_at=T0 + HOUR).event) == (3, 0, 2)
    # From that very moment on it is promised.
    assert parts(scene.desk.draw(held, 5, at=LATER, occurred_at=LATER).event) == (5, 0, 0)
    assert not list(differences(LATER))


def test_a_draw_of_before_the_raise_takes_no_more_credits_than_its_month_has_left() -> None:
    scene = make_scene()
    member = make_member(scene.team)
    allow_credits(member, month_cap=10 * PENNY)
    give_credits(scene.team, 100 * PENNY, expires_at=T0 + 90 * DAY)
    desk = make_desk(member)
    july = datetime(2026, 7, 1, tzinfo=UTC)
    held = desk.lease(10 * PENNY, at=july - HOUR, seconds=4 * 3600)
    desk.draw(held, 10, at=july - 30 * MINUTE)
    raised(held, 10, at=july + MINUTE)
    late = desk.draw(held, 10, at=july + 2 * MINUTE, occurred_at=july - 20 * MINUTE)
    assert parts(late.event) == (0, 0, 10)
    used = CreditMonth.objects.values_list("month", "used_nanousd")
    assert dict(used) == {(july - HOUR).date().replace(day=1): 10 * PENNY}
    assert not list(differences(july + 2 * MINUTE))


def test_a_raised_lease_whose_key_has_gone_pays_for_a_draw_of_before_as_far_as_there_is_room() -> None:
    scene = make_scene(limits(10 * PENNY, 50 * PENNY))
    held = scene.desk.lease(10 * PENNY, seconds=9 * 3600)
    scene.desk.draw(held, 7, at=T0 + MINUTE)
    raised(held, 8, at=LATER)
    revoke_keys(membership=scene.owner, at=LATER, by=None)
    drawn = scene.desk.draw(held, 5, at=LATER, occurred_at=T0 + HOUR)
    assert (drawn.state, parts(drawn.event)) == ("ended", (3, 0, 2))


def test_from_the_moment_of_the_raise_on_it_is_promised_whatever_is_reported_since() -> None:
    scene = make_scene(limits(10 * PENNY, 50 * PENNY))
    held = scene.desk.lease(2 * PENNY, seconds=3600)
    moment = T0 + 2 * MINUTE
    raised(held, 10, at=moment)
    assert parts(reported(scene, "e", 10, moment, at=moment)) == (0, 0, 10)
    assert parts(scene.desk.draw(held, 9, at=moment, occurred_at=moment).event) == (9, 0, 0)
    of_before = scene.desk.draw(held, 1, at=moment, occurred_at=moment - SECOND)
    assert parts(of_before.event) == (0, 0, 1)


@pytest.mark.parametrize(("gone", "paid"), [(False, (7, 0, 0)), (True, (5, 0, 2))])
def test_a_draw_of_before_the_raise_is_beyond_the_lease_where_there_is_room_and_the_key_works(
    gone: bool, paid: tuple[int, int, int]
) -> None:
    scene = make_scene(limits(10 * PENNY, 50 * PENNY))
    held = scene.desk.lease(2 * PENNY, seconds=3600)
    raised(held, 5, at=T0 + 2 * MINUTE)
    if gone:
        revoke_keys(membership=scene.owner, at=T0 + 3 * MINUTE, by=None)
    drawn = scene.desk.draw(held, 7, at=T0 + 4 * MINUTE, occurred_at=T0 + MINUTE)
    assert parts(drawn.event) == paid


def test_a_raised_lease_whose_key_has_gone_pays_from_credits_no_more_than_it_holds() -> None:
    scene = make_scene(limits(PENNY, PENNY))
    give_credits(scene.team, 100 * PENNY)
    held = scene.desk.lease(3 * PENNY, seconds=3600)
    raised(held, 6, at=T0 + MINUTE)
    revoke_keys(membership=scene.owner, at=T0 + 2 * MINUTE, by=None)
    drawn = scene.desk.draw(held, 9, at=T0 + 3 * MINUTE, occurred_at=T0 + SECOND)
    assert (drawn.state, parts(drawn.event)) == ("ended", (1, 5, 3))


def test_credits_that_were_held_before_the_raise_are_not_promised_after_access_has_ended() -> None:
    scene = make_scene(limits(PENNY, PENNY))
    give_credits(scene.team, 100 * PENNY)
    held = scene.desk.lease(3 * PENNY, seconds=3600)
    raised(held, 6, at=T0 + MINUTE)
    allow_credits(scene.owner, overflow="never", at=T0 + 2 * MINUTE)
    of_before = scene.desk.draw(held, 2, at=T0 + 3 * MINUTE, occurred_at=T0 + SECOND)
    assert parts(of_before.event) == (1, 1, 0)
    assert parts(scene.desk.draw(held, 2, at=T0 + 3 * MINUTE).event) == (0, 2, 0)


def test_a_call_that_is_raised_is_promised_all_of_it() -> None:
    scene = make_scene(limits(10 * PENNY, 50 * PENNY))
    held = scene.desk.ask(4)
    extend(reservation_id=held.reservation_id, extension=Extension(estimate={"calls": 8}), at=T0 + MINUTE)
    assert Reservation.objects.get().raised_at is None
    assert parts(scene.desk.settle(held, 8, at=T0 + 2 * MINUTE)) == (8, 0, 0)


def test_extending_shortens_no_room_though_less_time_to_flush_is_given_since() -> None:
    scene = make_scene()
    charging(scene)
    held = scene.desk.lease(5 * PENNY, seconds=600)
    before = Reservation.objects.get()
    set_hold_limits(
        gateway=scene.desk.gateway,
        max_lifetime_seconds=86_400,
        flush_seconds=0,
        charge_hold=True,
        at=T0,
        by=None,
    )
    extension = Extension(lifetime_seconds=60)
    extend(reservation_id=held.reservation_id, extension=extension, at=T0 + MINUTE)
    row = Reservation.objects.get()
    ends = (row.expires_at, row.charges_at, row.holds_until)
    assert ends == (before.expires_at, before.charges_at, before.holds_until)


def test_in_the_days_of_grace_leases_are_drawn_from_raised_and_lengthened() -> None:
    scene = make_scene()
    suspend_seat(seat=scene.seat, since=T0 + 7 * DAY, at=T0, by=None)
    held, call = scene.desk.lease(8 * PENNY, seconds=8 * 86_400 // 8), scene.desk.ask(1)
    assert [scene.desk.draw(held, 1, at=T0 + n * MINUTE).state for n in (1, 2)] == ["held", "held"]
    raised(held, 9, at=T0 + MINUTE)
    extend(reservation_id=call.reservation_id, extension=Extension(estimate={"calls": 2}), at=T0 + MINUTE)
    assert left(held) == (9, 0, "held")
    # When they are over it is over.
    Reservation.objects.update(expires_at=T0 + 8 * DAY, holds_until=T0 + 8 * DAY)
    assert scene.desk.draw(held, 1, at=T0 + 7 * DAY, occurred_at=T0 + HOUR).state == "ended"


def test_the_windows_after_a_draw_show_what_the_lease_still_holds() -> None:
    scene = make_scene(limits(10 * PENNY, 50 * PENNY))
    held = scene.desk.lease(8 * PENNY)
    scene.desk.ask(1)
    scene.desk.ask(1)
    event = scene.desk.draw(held, 3).event
    shown = [(w.used, w.held) for w in windows_after(event)]
    assert shown == [(3 * PENNY, 7 * PENNY)] * 2
    assert [w.held for w in windows_before(event)] == [10 * PENNY] * 2
    last = scene.desk.report(held, {"calls": 2}, at=T0 + MINUTE, model="penny")
    assert [w.held for w in windows_after(last)] == [2 * PENNY] * 2


def test_frozen_lots_pay_for_no_raise() -> None:
    scene = make_scene(limits(PENNY, PENNY))
    give_credits(scene.team, 10 * PENNY)
    held = scene.desk.lease(3 * PENNY)
    raised(held, 6, at=T0 + MINUTE)
    CreditGrant.objects.update(frozen_at=T0 + 2 * MINUTE)
    assert parts(scene.desk.draw(held, 4, at=T0 + 3 * MINUTE, occurred_at=T0 + SECOND).event) == (1, 0, 3)
    assert from_quota() == 1
