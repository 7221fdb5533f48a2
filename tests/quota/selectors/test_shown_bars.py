"""What is said beside a bar: since when Credits pay, which lot expires, whom to ask, what can be done."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota.selectors.shown_bars import NextExpiry, OnCredits, ShownBar, WaysOut, shown_bars
from quota.services.credit_requests import request_credits
from quota.services.entitlements import suspend_seat
from quota.services.seat_requests import request_seat
from teams.models import Membership
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_plan,
    make_scene,
    make_seat,
    owner_of,
)

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
CENT = USD // 100


@pytest.fixture
def scene() -> Scene:
    """A dollar in five hours, ten a week."""
    return make_scene(limits(five_hours=USD, week=10 * USD))


def shown(membership: Membership, at: object = T0, *, viewer: Membership | None = None) -> ShownBar:
    (one,) = shown_bars([membership], at, viewer_id=(viewer or membership).user_id)  # type: ignore[arg-type]
    return one


def test_credits_pay_since_the_first_call_after_the_last_one_that_quota_alone_paid(scene: Scene) -> None:
    give_credits(scene.team, 5000 * CREDIT)
    scene.desk.use(95)
    assert shown(scene.owner).on_credits is None
    split, paid = (scene.desk.use(calls, at=T0 + calls * MINUTE) for calls in (20, 30))
    assert (split.from_quota_nanousd, split.from_credits_nanousd) == (5 * CENT, 15 * CENT)
    now = shown(scene.owner, T0 + 40 * MINUTE)
    assert now.state == "on_credits"
    assert now.on_credits == OnCredits(split.occurred_at, split.from_credits_nanousd + 30 * CENT)
    assert paid.from_quota_nanousd == 0
    # What was before a call that quota paid whole is over.
    later = T0 + timedelta(hours=6)
    assert shown(scene.owner, later).on_credits is None
    scene.desk.use(100, at=later)
    again = scene.desk.use(1, at=later + MINUTE)
    assert shown(scene.owner, later + 2 * MINUTE).on_credits == OnCredits(again.occurred_at, CENT)


def test_without_a_seat_the_lot_that_expires_first_is_named(scene: Scene) -> None:
    member = make_member(scene.team, credits=True)
    assert shown(member).state == "nothing"
    give_credits(scene.team, 700 * CREDIT)
    year = T0 + timedelta(days=365)
    assert shown(member).expiry == NextExpiry(700 * CREDIT, year)
    soon = T0 + timedelta(days=9)
    give_credits(scene.team, 500 * CREDIT, expires_at=soon)
    give_credits(scene.team, 900 * CREDIT, expires_at=soon + MINUTE)
    assert (shown(member).state, shown(member).expiry) == ("credits_only", NextExpiry(500 * CREDIT, soon))
    assert shown(scene.owner).expiry is None


def test_whoever_is_stopped_reads_whom_to_ask_and_what_they_asked_for(scene: Scene) -> None:
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    assert (shown(member).state, shown(member).owner, shown(member).ways) == ("open", None, WaysOut())
    make_desk(member).use(100)
    now = shown(member)
    assert (now.state, now.owner, now.ways) == ("stopped", owner_of(scene.team), WaysOut())
    assert not now.best_to_wait

    make_plan("ultra")
    request_seat(membership=member, plan_code="ultra", message="", at=T0, by=member.user)
    request_credits(membership=member, wanted_nanousd=None, message="", at=T0, by=member.user)
    assert shown(member).ways == WaysOut(asked_for_seat=True, asked_for_credits=True)
    assert shown(member, viewer=scene.owner).ways == WaysOut()
    assert shown(member, viewer=scene.owner).mine is False
    allow_credits(member)
    assert shown(member).ways.has_all
    soon = shown(member, T0 + timedelta(hours=4, minutes=28))
    assert (soon.best_to_wait, soon.state) == (True, "stopped")


def test_a_suspended_seat_has_a_state_of_its_own(scene: Scene) -> None:
    suspend_seat(seat=scene.seat, at=T0, by=None)
    assert (shown(scene.owner).state, shown(scene.owner).owner) == ("suspended", None)


def test_the_number_of_statements_does_not_grow_with_the_bars(scene: Scene) -> None:
    give_credits(scene.team, 5000 * CREDIT, expires_at=T0 + timedelta(days=9))
    kinds = []
    for _ in range(2):
        on_credits, stopped, without = (make_member(scene.team, credits=yes) for yes in (True, False, True))
        for member in (on_credits, stopped):
            make_seat(scene.team, scene.plan, holder=member)
            make_desk(member).use(100)
        make_desk(on_credits).use(1, at=T0 + MINUTE)
        kinds.append([on_credits, stopped, without, make_member(scene.team)])
    counts = []
    for members in (kinds[0], kinds[0] + kinds[1]):
        with CaptureQueriesContext(connection) as caught:
            bars = shown_bars(members, T0 + 2 * MINUTE, viewer_id=scene.owner.user_id)
        counts.append(len(caught))
    assert [bar.state for bar in bars] == ["on_credits", "stopped", "credits_only", "nothing"] * 2
    assert counts == [4, 4]  # since when twice, the lots, the Owners
