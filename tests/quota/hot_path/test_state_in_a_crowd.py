"""What a decision reads is of one key, one seat, one member, one Team and one moment.

Each scene has a second of each, whose rows would be seen if a filter were missing; and each bound of time is
tried on both of its sides.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models import Model, QuerySet

from quota.hot_path.accounts import usable_credits
from quota.hot_path.state import CallState, id_and_kind_of, locked_call_state, seat_usage
from quota.models import CreditGrant, Entitlement, OwedUsage, Reservation, UsageBucket, UsageEvent
from quota.services.credits import set_credit_access, set_team_credits
from quota.services.rate_cards import load_rate_card, withdraw_rate_card
from quota.windows import Limit, Policy, Rule
from teams.models import Membership, SeatHolding, SubscriptionKey, User
from teams.services.memberships import end_membership
from tests.helpers.factories import (
    MONDAY,
    RATE_CARD,
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    key_of,
    make_desk,
    make_member,
    make_plan,
    make_scene,
    make_seat,
    make_team,
    owner_of,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND

pytestmark = pytest.mark.django_db

TICK = timedelta(microseconds=1)
SHORT = Rule(Policy.ROLLING, 3600)
SESSION = Rule(Policy.FIRST_USE, 3600)
LATER = T0 + HOUR


def state_of(key: str, moment: datetime, *, request_id: str | None = None) -> CallState:
    with transaction.atomic():
        return locked_call_state(
            id_and_kind_of(key)[0],
            key_text=key,
            request_id=request_id,
            occurred_at=moment,
            at=moment,
        )


def usable(membership: Membership, *, at: datetime = T0, seated: bool = False, **more: Any) -> int:
    return usable_credits(
        team_id=membership.team_id, membership_id=membership.pk, seated=seated, at=at, **more
    )


def test_the_usage_of_a_seat_is_that_of_no_other_seat(scene: Scene) -> None:
    other = make_member(scene.team)
    make_seat(scene.team, make_plan("plus", [Limit("1h", SHORT, USD)]), holder=other)
    desk = make_desk(other)
    desk.use(2)
    desk.ask(3)
    of_the_same_plan = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=of_the_same_plan)
    make_desk(of_the_same_plan).use(4)
    scene.desk.use(5)
    held = scene.desk.ask(7)
    usage = seat_usage(scene.seat.pk, T0)
    assert {rule.key for rule in usage.rules} == {"rolling/18000", "fixed/604800@345600"}
    assert {key: [bucket.used for bucket in buckets] for key, buckets in usage.buckets.items()} == {
        "rolling/18000": [5 * PENNY],
        "fixed/604800@345600": [5 * PENNY],
    }
    assert [live.reservation_id for live in usage.live] == [held.reservation_id]


def test_holds_count_while_they_are_open_and_live(scene: Scene) -> None:
    settled, live = scene.desk.ask(1), scene.desk.ask(2)
    scene.desk.settle(settled, 1)
    assert [one.reservation_id for one in seat_usage(scene.seat.pk, live.expires_at - TICK).live] == [
        live.reservation_id
    ]
    assert seat_usage(scene.seat.pk, live.expires_at).live == ()


def test_only_buckets_that_a_window_around_the_moment_may_count_are_read() -> None:
    scene = make_scene([Limit("1h", SHORT, USD), Limit("session", SESSION, USD)])
    for rule, lengths in ((SHORT, 1), (SESSION, 3)):
        for start in (T0 - lengths * HOUR, T0 - lengths * HOUR + TICK, T0, T0 + HOUR, T0 + HOUR + TICK):
            UsageBucket.objects.create(
                team=scene.team, seat=scene.seat, rule=rule.key, starts_at=start, used_nanousd=1
            )
    buckets = seat_usage(scene.seat.pk, T0).buckets
    assert sorted(bucket.starts_at for bucket in buckets[SHORT.key]) == [T0 - HOUR + TICK, T0, T0 + HOUR]
    assert sorted(bucket.starts_at for bucket in buckets[SESSION.key]) == [
        T0 - 3 * HOUR + TICK,
        T0,
        T0 + HOUR,
    ]


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (SubscriptionKey, "revoked_at"),
        (SubscriptionKey, "expires_at"),
        (Membership, "ended_at"),
        (User, "deactivated_at"),
    ],
)
def test_a_key_works_for_calls_until_the_very_moment_it_ended(
    scene: Scene, model: type[Model], field: str
) -> None:
    other = make_member(scene.team)
    rows: dict[type[Model], QuerySet[Any]] = {
        SubscriptionKey: SubscriptionKey.objects.filter(membership=scene.owner),
        Membership: Membership.objects.filter(pk=scene.owner.pk),
        User: User.objects.filter(pk=scene.owner.user_id),
    }
    rows[model].update(**{field: LATER}, **({"is_active": False} if model is User else {}))
    assert state_of(scene.desk.key, LATER - TICK).key_works
    assert not state_of(scene.desk.key, LATER).key_works
    assert state_of(key_of(other), LATER).key_works
    # Before a call the rows as they stand decide, and the caller's clock only when an overlap ends.
    assert state_of(scene.desk.key, LATER - TICK, request_id="r").key_works == (field == "expires_at")
    assert not state_of(scene.desk.key, LATER, request_id="r").key_works
    assert state_of(key_of(other), LATER, request_id="r").key_works


def test_a_key_works_for_calls_from_five_seconds_before_it_was_made(scene: Scene) -> None:
    assert state_of(scene.desk.key, T0 - 5 * SECOND).key_works
    assert not state_of(scene.desk.key, T0 - 5 * SECOND - TICK).key_works


@pytest.mark.parametrize("left", [0, 1])
def test_a_person_owes_what_is_left_and_nobody_else_does(scene: Scene, left: int) -> None:
    give_credits(scene.team, PENNY)
    member = make_member(scene.team, credits=True)
    desk = make_desk(member)
    desk.settle(desk.ask(1), 2)
    OwedUsage.objects.update(left_nanousd=left)
    assert state_of(desk.key, T0).owes == bool(left)
    assert not state_of(scene.desk.key, T0).owes
    end_membership(membership=member, by=None, at=T0 + SECOND)
    back = make_member(scene.team, member.user, at=T0 + 2 * SECOND)
    assert state_of(key_of(back), T0 + MINUTE).owes == bool(left)


def test_a_seat_is_the_members_from_the_moment_it_was_assigned_until_it_was_given_up(scene: Scene) -> None:
    holding = SeatHolding.objects.filter(membership=scene.owner)
    holding.update(started_at=T0 + MINUTE, ended_at=LATER)
    moments = (T0 + MINUTE - TICK, T0 + MINUTE, LATER - TICK, LATER)
    seen = [state_of(scene.desk.key, moment).seat_id for moment in moments]
    assert seen == [None, scene.seat.pk, scene.seat.pk, None]


def test_of_two_seats_that_two_clocks_make_overlap_the_later_one_counts(scene: Scene) -> None:
    other = make_seat(scene.team, scene.plan)
    SeatHolding.objects.filter(membership=scene.owner).update(ended_at=LATER)
    SeatHolding.objects.create(
        team=scene.team, seat=other, membership=scene.owner, started_at=T0 + MINUTE, ended_at=LATER
    )
    assert state_of(scene.desk.key, T0 + 2 * MINUTE).seat_id == other.pk
    assert state_of(scene.desk.key, T0 + MINUTE - TICK).seat_id == scene.seat.pk


@pytest.mark.parametrize("field", ["ends_at", "superseded_at", "suspended_at"])
def test_a_plan_works_until_the_very_moment_it_ended(scene: Scene, field: str) -> None:
    Entitlement.objects.filter(seat=scene.seat).update(**{field: LATER})
    make_seat(scene.team, make_plan("plus"))
    assert state_of(scene.desk.key, LATER - TICK).plan_id == scene.plan.pk
    assert state_of(scene.desk.key, LATER).plan_id is None


def test_a_plan_works_from_the_moment_it_starts(scene: Scene) -> None:
    Entitlement.objects.filter(seat=scene.seat).update(starts_at=LATER)
    seen = [state_of(scene.desk.key, moment, request_id="r").plan_id for moment in (LATER - TICK, LATER)]
    assert seen == [None, scene.plan.pk]


def test_of_two_plans_of_a_seat_the_later_one_counts(scene: Scene) -> None:
    later = make_plan("ultra")
    for plan, starts_at in ((later, T0 + MINUTE), (make_plan("plus"), T0 + SECOND)):
        Entitlement.objects.create(
            team=scene.team,
            seat=scene.seat,
            plan=plan,
            starts_at=starts_at,
            superseded_at=LATER,
            source="test",
            created_at=T0,
        )
    assert state_of(scene.desk.key, T0 + 2 * MINUTE).plan_id == later.pk


def test_the_rate_card_is_the_newest_that_is_in_force(scene: Scene) -> None:
    first = state_of(scene.desk.key, T0).rate_card_id
    newer, _ = load_rate_card(text=RATE_CARD, effective_from=T0 + MINUTE, at=T0, by=None)
    load_rate_card(text=RATE_CARD, effective_from=LATER, at=T0, by=None)
    wrong, _ = load_rate_card(text=RATE_CARD + "x,y,z,1,1,,\n", effective_from=T0 + 30 * TICK, at=T0, by=None)
    withdraw_rate_card(card=wrong, at=T0, by=None)
    seen = [state_of(scene.desk.key, moment).rate_card_id for moment in (T0 + MINUTE - TICK, T0 + MINUTE)]
    assert seen == [first, newer.pk]
    assert state_of(scene.desk.key, MONDAY - TICK).rate_card_id is None


def test_an_earlier_reservation_is_found_by_its_gateway_and_its_request(scene: Scene) -> None:
    held = scene.desk.ask(1, request_id="one")
    scene.desk.ask(1, request_id="two")

    make_scene().desk.ask(1, request_id="three")

    def prior(request_id: str | None) -> UUID | None:
        return state_of(scene.desk.key, T0, request_id=request_id).prior_reservation_id

    assert prior("one") == held.reservation_id
    assert prior("three") is prior(None) is None


def test_the_usable_credits_are_those_of_the_team(scene: Scene) -> None:
    member = make_member(scene.team, credits=True)
    rich = make_team()
    give_credits(rich, USD)
    assert usable(member) == 0
    give_credits(scene.team, 1)
    assert usable(member) == 1
    make_desk(owner_of(rich)).ask(9)
    assert usable(member) == 1
    assert usable(owner_of(rich)) == USD - 9 * PENNY


def test_a_hold_of_one_nano_dollar_counts_until_it_lapses_and_for_no_one_who_made_it(scene: Scene) -> None:
    give_credits(scene.team, 10)
    member = make_member(scene.team)
    allow_credits(member, month_cap=5)
    held = make_desk(member).ask(1, model="nano")
    assert usable(scene.owner) == 9
    assert usable(member) == 4
    assert usable(member, except_id=held.reservation_id) == 5
    assert usable(scene.owner, except_id=held.reservation_id) == 10
    assert usable(member, at=held.expires_at - TICK) == 4
    assert usable(member, at=held.expires_at) == 5
    assert usable(scene.owner, at=held.expires_at) == 10
    Reservation.objects.update(state="released", closed_at=T0)
    assert (usable(member), usable(scene.owner)) == (5, 10)


def test_a_cap_counts_what_the_member_used_and_holds_in_the_month_alone(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member, other = make_member(scene.team, credits=True), make_member(scene.team, credits=True)
    for desk in (make_desk(member), make_desk(other)):
        desk.use(3)
        desk.ask(4, at=T0 + MINUTE)
    allow_credits(member, month_cap=10 * PENNY)
    assert usable(member, at=T0 + MINUTE) == 3 * PENNY
    assert usable(other, at=T0 + MINUTE) == USD - 14 * PENNY
    june, july = T0.replace(day=30, hour=23, minute=55), T0.replace(month=7, day=1, hour=0, minute=5)
    make_desk(member).ask(2, at=june)
    # What is held since June is of June, and what is held now is of the month of the call.
    assert usable(member, at=july) == 10 * PENNY
    assert usable(member, at=july, occurred_at=june) == 5 * PENNY


def test_a_cap_counts_what_the_person_used_in_this_team_alone(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team)
    allow_credits(member, month_cap=10 * PENNY)
    elsewhere = owner_of(make_team())
    give_credits(elsewhere.team, USD)
    also = make_member(elsewhere.team, member.user, credits=True)
    make_desk(also).use(3)
    make_desk(also).ask(4, at=T0 + MINUTE)
    assert usable(member, at=T0 + MINUTE) == 10 * PENNY


def test_a_cap_gives_no_more_than_there_is_and_never_less_than_nothing(scene: Scene) -> None:
    give_credits(scene.team, 4 * PENNY)
    member = make_member(scene.team)
    allow_credits(member, month_cap=10 * PENNY)
    assert usable(member) == 4 * PENNY
    make_desk(member).use(3)
    allow_credits(member, month_cap=2 * PENNY)
    assert usable(member, at=T0 + MINUTE) == 0
    allow_credits(member, month_cap=3 * PENNY)
    assert usable(member, at=T0 + MINUTE) == 0


def test_held_credits_that_are_frozen_meanwhile_leave_nothing_and_not_less(scene: Scene) -> None:
    give_credits(scene.team, 4 * PENNY)
    member = make_member(scene.team, credits=True)
    make_desk(member).ask(3)
    CreditGrant.objects.filter(team=scene.team).update(frozen_at=T0)
    assert usable(member) == 0


def test_access_ends_with_the_membership_and_is_the_founders_from_the_start(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team, credits=True)
    assert usable(scene.owner) == usable(scene.owner, seated=True) == usable(member) == USD
    assert usable(make_member(scene.team)) == 0
    end_membership(membership=member, by=None, at=T0 + SECOND)
    assert usable(member, at=T0 + MINUTE) == 0
    assert usable(member, at=T0 + MINUTE, occurred_at=T0 + SECOND - TICK) == USD
    assert usable(member, at=T0 + MINUTE, occurred_at=T0 + SECOND) == 0


def test_a_call_now_is_judged_by_the_rows_as_they_stand_and_a_late_report_by_its_moment(scene: Scene) -> None:
    """Access and overflow were switched off by a server whose clock is a second ahead."""
    give_credits(scene.team, USD)
    member, soon = make_member(scene.team, credits=True), T0 + SECOND
    set_credit_access(
        membership=member, allowed=False, overflow="allow", month_cap_nanousd=None, at=soon, by=None
    )
    assert (usable(member), usable(member, at=T0 + MINUTE)) == (0, 0)
    assert usable(member, at=T0 + MINUTE, occurred_at=T0) == USD
    assert usable(member, at=T0 + MINUTE, occurred_at=soon) == 0
    nobody = make_member(scene.team)
    assert usable(nobody, at=T0 + MINUTE, occurred_at=T0) == usable(nobody, seated=True) == 0
    set_team_credits(team=scene.team, overflow="never", low_balance_nanousd=0, at=soon, by=None)
    owner = scene.owner
    assert (usable(owner, seated=True), usable(owner)) == (0, USD)
    assert usable(owner, seated=True, at=T0 + MINUTE, occurred_at=T0) == USD
    assert usable(owner, seated=True, at=T0 + MINUTE, occurred_at=soon) == 0


def test_the_overflow_policies_are_for_members_with_a_working_seat(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team)
    allow_credits(member, overflow="never")
    assert (usable(member), usable(member, seated=True)) == (USD, 0)
    assert UsageEvent.objects.count() == 0
