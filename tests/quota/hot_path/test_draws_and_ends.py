"""When a draw counts, and what becomes of a lease that lapses, or whose key or seat goes in the middle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from quota.errors import (
    LeaseNotAllowed,
    MomentOutOfRange,
    QuotaExhausted,
    ReportedTooLate,
)
from quota.hot_path.draws import Drawn, Report, draw_from
from quota.hot_path.settle import release
from quota.hot_path.state import locked_reservation_state
from quota.models import KeptCalls, OwedUsage, Reservation
from quota.selectors.reconcile import differences
from quota.services.entitlements import entitle_seat, suspend_seat, withdraw_seat
from quota.services.reservations import expire_reservations
from teams.models import Membership, Seat, User
from teams.services.keys import revoke_keys, rotate_key
from teams.services.memberships import end_membership
from teams.services.seats import free_seat, move_seat
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_plan,
    make_seat,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND, bar, counts, left, parts, reported

pytestmark = pytest.mark.django_db

DAY = 24 * HOUR


# --- the moment of a draw, and the end of a lease


def test_a_draw_counts_at_its_own_moment_within_the_lease(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY, seconds=600)
    now = T0 + 5 * MINUTE
    assert scene.desk.draw(held, 1, at=now).event.occurred_at == now
    assert scene.desk.draw(held, 1, at=now, occurred_at=T0).event.occurred_at == T0
    # A gateway whose clock is a little behind is believed.
    assert scene.desk.draw(held, 1, at=now, occurred_at=T0 - 5 * SECOND).event.occurred_at == T0
    late = T0 + 20 * MINUTE
    last = held.expires_at - timedelta(microseconds=1)
    assert scene.desk.draw(held, 1, at=late, occurred_at=last).event.occurred_at == last
    # Without a moment of its own it is as late as may be.
    assert scene.desk.draw(held, 1, at=late).event.occurred_at == last


@pytest.mark.parametrize(
    ("at", "occurred_at"),
    [
        (T0 + MINUTE, T0 - 5 * SECOND - timedelta(microseconds=1)),
        (T0 + 20 * MINUTE, T0 + 10 * MINUTE),
        (T0, T0 + 5 * MINUTE),
    ],
)
def test_a_moment_outside_of_the_lease_is_refused(scene: Scene, at: datetime, occurred_at: datetime) -> None:
    held = scene.desk.lease(100 * PENNY, seconds=600)
    before = counts()
    with pytest.raises(MomentOutOfRange) as refused:
        scene.desk.draw(held, 1, at=at, occurred_at=occurred_at)
    assert (refused.value.pointer, counts(), left(held)) == ("/occurred_at", before, (100, 0, "held"))


def test_a_lease_keeps_its_room_for_draws_that_are_flushed_late_and_then_lapses(scene: Scene) -> None:
    held = scene.desk.lease(600 * PENNY, seconds=600)
    kept_until = T0 + 10 * MINUTE + 15 * MINUTE
    assert expire_reservations(at=kept_until - SECOND) == 0
    assert bar(scene, kept_until - SECOND)[0] == (0, 600)
    reported(scene, "others", 800, T0 + SECOND, at=kept_until - SECOND)
    in_time = scene.desk.draw(held, 10, at=kept_until - SECOND, occurred_at=T0 + MINUTE)
    assert (parts(in_time.event), left(held)) == ((10, 0, 0), (590, 0, "held"))
    assert bar(scene, kept_until)[0] == (810, 0)
    too_late = scene.desk.draw(held, 200, at=kept_until, occurred_at=T0 + MINUTE)
    assert (parts(too_late.event), left(held)) == ((180, 0, 20), (590, 0, "held"))
    assert expire_reservations(at=kept_until) == 1
    scene.desk.draw(held, 1, at=kept_until + MINUTE, occurred_at=T0 + MINUTE)
    row = Reservation.objects.get()
    assert (row.state, row.expired, row.closed_at) == ("released", True, kept_until)
    assert not list(differences(kept_until + MINUTE))


def test_where_a_plan_counts_agents_there_are_no_leases(scene: Scene) -> None:
    member = make_member(scene.team)
    make_seat(scene.team, make_plan("strict", agents=(1, 2), agents_enforced=True), holder=member)
    desk = make_desk(member)
    with pytest.raises(LeaseNotAllowed) as refused:
        desk.lease(PENNY)
    assert (refused.value.pointer, Reservation.objects.count()) == ("/hold_nanousd", 0)
    assert desk.ask(1).from_quota_nanousd == PENNY


# --- a lease whose key or seat goes in the middle


def holder_of_a_seat(scene: Scene) -> tuple[Desk, Seat]:
    """A member of the Team, with a Max seat and leave to use Credits."""
    member = make_member(scene.team, credits=True)
    return make_desk(member), make_seat(scene.team, scene.plan, holder=member)


GONE: dict[str, Callable[[Membership, Seat, datetime], object]] = {
    "key revoked": lambda member, seat, at: revoke_keys(membership=member, at=at, by=None),
    "key rotated": lambda member, seat, at: rotate_key(
        membership=member, overlap=timedelta(0), at=at, by=member.user
    ),
    "member removed": lambda member, seat, at: end_membership(membership=member, at=at, by=None),
    "account deactivated": lambda member, seat, at: User.objects.filter(pk=member.user_id).update(
        deactivated_at=at, is_active=False
    ),
    "seat freed": lambda member, seat, at: free_seat(seat=seat, at=at, by=None),
    "seat moved": lambda member, seat, at: move_seat(seat=seat, to=make_member(seat.team), at=at, by=None),
    "seat suspended": lambda member, seat, at: suspend_seat(seat=seat, at=at, by=None),
    "seat withdrawn": lambda member, seat, at: withdraw_seat(seat=seat, at=at, by=None),
}


@pytest.mark.parametrize("how", GONE)
def test_a_lease_whose_key_or_seat_has_gone_pays_one_more_draw_of_what_it_holds(
    scene: Scene, how: str
) -> None:
    give_credits(scene.team, 20 * PENNY)
    desk, seat = holder_of_a_seat(scene)
    held = desk.lease(995 * PENNY)
    desk.draw(held, 900)
    GONE[how](Reservation.objects.get().membership, seat, T0 + MINUTE)
    # Ninety of quota and five of Credits are held; nothing else pays.
    drawn = desk.draw(held, 100, at=T0 + 2 * MINUTE, draw_id="last")
    assert (drawn.state, parts(drawn.event)) == ("ended", (90, 5, 5))
    assert desk.draw(held, 100, at=T0 + 2 * MINUTE, draw_id="last").state == "ended"
    after = desk.draw(held, 7, at=T0 + 3 * MINUTE)
    assert (after.state, parts(after.event)) == ("ended", (0, 0, 7))
    assert left(held) == (0, 0, "ended")
    assert not list(differences(T0 + 3 * MINUTE))
    assert release(reservation_id=held.reservation_id, at=T0 + HOUR).state == "ended"


def test_after_the_end_of_its_key_a_lapsed_lease_takes_nothing_of_the_next_holders_quota(
    scene: Scene,
) -> None:
    desk, seat = holder_of_a_seat(scene)
    held = desk.lease(10 * PENNY, seconds=60)
    GONE["seat freed"](Reservation.objects.get().membership, seat, T0 + MINUTE)
    drawn = desk.draw(held, 3, at=T0 + 2 * HOUR, occurred_at=T0)
    assert (drawn.state, parts(drawn.event)) == ("held", (0, 0, 3))


def test_what_an_ended_lease_did_not_use_is_free_for_the_next_holder(scene: Scene) -> None:
    desk, seat = holder_of_a_seat(scene)
    held = desk.lease(990 * PENNY)
    holder = make_member(scene.team)
    move_seat(seat=seat, to=holder, at=T0 + SECOND, by=None)
    with pytest.raises(QuotaExhausted):
        make_desk(holder).ask(1, at=T0 + MINUTE)
    assert desk.draw(held, 10, at=T0 + MINUTE).state == "ended"
    assert make_desk(holder).ask(980, at=T0 + 2 * MINUTE).from_quota_nanousd == 980 * PENNY


def test_an_upgrade_in_the_middle_ends_no_lease(scene: Scene) -> None:
    held = scene.desk.lease(10 * PENNY)
    ultra = make_plan("ultra", limits(24_750_000_000, 247_500_000_000))
    entitle_seat(
        seat=scene.seat,
        plan=ultra,
        starts_at=T0 + MINUTE,
        ends_at=None,
        source="test",
        at=T0 + MINUTE,
        by=None,
    )
    drawn = scene.desk.draw(held, 3, at=T0 + 2 * MINUTE)
    assert (drawn.state, parts(drawn.event), left(held)) == ("held", (3, 0, 0), (7, 0, "held"))


def test_a_lease_on_credits_that_ended_leaves_the_rest_to_be_owed(scene: Scene) -> None:
    member = make_member(scene.team, credits=True)
    give_credits(scene.team, 20 * PENNY)
    desk = make_desk(member)
    held = desk.lease(10 * PENNY)
    revoke_keys(membership=member, at=T0, by=None)
    drawn = desk.draw(held, 12, at=T0 + MINUTE)
    assert (drawn.state, parts(drawn.event)) == ("ended", (0, 10, 2))
    assert OwedUsage.objects.get().left_nanousd == 2 * PENNY


def test_a_settle_of_a_lease_whose_key_has_gone_closes_it_within_what_it_holds(scene: Scene) -> None:
    held = scene.desk.lease(10 * PENNY)
    revoke_keys(membership=scene.owner, at=T0, by=None)
    event = scene.desk.report(held, {"calls": 12}, model="penny", at=T0 + MINUTE)
    assert (parts(event), left(held)[2]) == ((10, 0, 2), "settled")


def test_a_call_that_was_allowed_is_charged_as_ever_though_its_key_has_gone(scene: Scene) -> None:
    held = scene.desk.ask(10)
    revoke_keys(membership=scene.owner, at=T0, by=None)
    assert parts(scene.desk.settle(held, 12, at=T0 + MINUTE)) == (12, 0, 0)


def test_a_draw_says_that_its_hold_has_lapsed_once_a_sweep_has_marked_it(scene: Scene) -> None:
    held = scene.desk.lease(9 * PENNY, seconds=60)
    late = T0 + HOUR
    assert scene.desk.draw(held, 1, at=late, draw_id="one").state == "held"
    expire_reservations(at=late)
    assert scene.desk.draw(held, 1, at=late, draw_id="two").state == "lapsed"
    assert scene.desk.draw(held, 1, at=late, draw_id="two").state == "lapsed"


def test_usage_is_taken_for_sixty_days_after_the_end_of_its_hold_and_no_longer(scene: Scene) -> None:
    one, two, lease = scene.desk.ask(1), scene.desk.ask(1), scene.desk.lease(PENNY)
    last = one.expires_at + 60 * DAY
    assert scene.desk.settle(one, 1, at=last).amount_nanousd == PENNY
    before = counts()
    with pytest.raises(ReportedTooLate):
        scene.desk.settle(two, 1, at=last + timedelta(microseconds=1))
    with pytest.raises(ReportedTooLate):
        scene.desk.draw(lease, 1, at=last + timedelta(microseconds=1))
    assert counts() == before


def test_a_draw_that_is_repeated_as_the_last_one_settles_the_lease_and_is_said_again(scene: Scene) -> None:
    lease = scene.desk.lease(10 * PENNY)
    drawn = scene.desk.draw(lease, 2, draw_id="d")
    report = Report(draw_id="d", usage={"calls": 2}, model="penny")
    locked = locked_reservation_state(lease.reservation_id, at=T0 + MINUTE)
    again = draw_from(locked, report, gateway=scene.desk.gateway, closes=True, at=T0 + MINUTE)
    assert again == Drawn(drawn.event, is_new=False, state="settled")
    row = Reservation.objects.get()
    assert (row.state, row.closed_at) == ("settled", T0 + MINUTE)


def test_what_an_operator_replays_of_a_hold_whose_calls_are_all_kept_is_recorded(scene: Scene) -> None:
    lease = scene.desk.lease(10 * PENNY)
    KeptCalls.objects.create(events_from=lease.reservation_id)  # what is older was dropped
    report = Report(draw_id="d", usage={"calls": 2}, model="penny")
    late = T0 + 90 * DAY
    locked = locked_reservation_state(lease.reservation_id, at=late)
    drawn = draw_from(
        locked, report, gateway=scene.desk.gateway, closes=False, at=late, replayed_from=T0 + MINUTE
    )
    assert (drawn.is_new, drawn.event.amount_nanousd) == (True, 2 * PENNY)
