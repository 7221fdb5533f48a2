"""What members may ask for, who answers, and what the inbox offers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.models import SeatRequest
from quota.selectors.member_requests import (
    FRESH,
    answered_of,
    answered_rows,
    open_requests,
    own_requests,
    plans_above,
    waiting_for_credits,
    waiting_for_seats,
    who_answers,
)
from quota.services.credit_requests import decline_credit_request, request_credits
from quota.services.entitlements import suspend_seat
from quota.services.seat_requests import answer_request, request_seat
from teams.models import Membership, Role, Team
from teams.services.memberships import end_membership
from tests.helpers.factories import T0, make_member, make_plan, make_seat, make_team, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


def ask_for_max(member: Membership, at_hour: int = 0) -> SeatRequest:
    return request_seat(
        membership=member,
        plan_code="max",
        message="",
        at=T0 + timedelta(hours=at_hour),
        by=member.user,
    )


def test_the_owner_and_the_admins_answer_but_never_ones_own_request(team: Team) -> None:
    admin, other = make_member(team, role=Role.ADMIN), make_member(team, role=Role.ADMIN)
    member = make_member(team)
    gone = make_member(team, role=Role.ADMIN)
    end_membership(membership=gone, by=None, at=T0)
    make_member(make_team(), role=Role.ADMIN)

    assert who_answers(member) == [owner_of(team), admin, other]
    assert who_answers(admin) == [owner_of(team), other]


def test_a_plan_is_asked_for_that_is_above_the_seat_that_works(team: Team) -> None:
    plus, _max, _ultra = make_plan("plus"), make_plan("max"), make_plan("ultra")
    member = make_member(team)
    assert [plan.code for plan in plans_above(member, T0)] == ["plus", "max", "ultra"]

    seat = make_seat(team, plus, holder=member)
    make_seat(team, make_plan("ultra"), holder=make_member(team))
    assert [plan.code for plan in plans_above(member, T0)] == ["max", "ultra"]

    suspend_seat(seat=seat, at=T0, by=None)
    assert [plan.code for plan in plans_above(member, T0)] == ["plus", "max", "ultra"]


def test_the_inbox_offers_free_seats_of_the_plan_then_higher_ones_and_a_seat_that_was_raised(
    team: Team,
) -> None:
    plus, max_plan, ultra = make_plan("plus"), make_plan("max"), make_plan("ultra")
    mia, noah = make_member(team), make_member(team)
    held = make_seat(team, plus, holder=mia)
    first, second = ask_for_max(mia, 1), ask_for_max(noah)
    free_plus, free_max, free_ultra = [make_seat(team, plan) for plan in (plus, max_plan, ultra)]
    make_seat(team, max_plan, holder=owner_of(team))
    suspend_seat(seat=make_seat(team, max_plan), at=T0, by=None)
    make_seat(make_team(), max_plan)

    of_noah, of_mia = waiting_for_seats(team, T0)

    assert (of_noah.request, of_mia.request) == (second, first)
    assert of_noah.held is None
    assert [state.seat for state in of_noah.fitting] == [free_max]
    assert [state.seat for state in of_noah.others] == [free_plus, free_ultra]
    assert of_mia.held is not None
    assert of_mia.held.seat == held
    assert [state.seat for state in of_mia.fitting] == [free_max]
    assert [state.seat for state in of_mia.others] == [free_ultra]


def test_only_open_requests_of_the_team_wait(team: Team) -> None:
    make_plan("max")
    mia, noah, other = make_member(team), make_member(team), make_member(make_team())
    seat_request = ask_for_max(mia)
    credit_request = request_credits(membership=mia, wanted_nanousd=1, message="", at=T0, by=mia.user)
    ask_for_max(noah)
    ask_for_max(other)
    request_credits(membership=other, wanted_nanousd=1, message="", at=T0, by=other.user)
    end_membership(membership=noah, by=None, at=T0)

    assert [row.request for row in waiting_for_seats(team, T0)] == [seat_request]
    assert waiting_for_credits(team) == [credit_request]
    assert open_requests(team) == 2
    own = own_requests([mia, noah, owner_of(team)])
    assert set(own) == {mia.pk, noah.pk}
    assert (own[mia.pk].seat, own[mia.pk].credits, own[mia.pk].answered) == (
        seat_request,
        credit_request,
        [],
    )


def test_answers_of_both_kinds_come_the_last_first_and_are_news_for_a_while(team: Team) -> None:
    make_plan("max")
    mia, by = make_member(team), owner_of(team).user
    first, later = ask_for_max(mia), T0 + timedelta(hours=1)
    second = request_credits(membership=mia, wanted_nanousd=None, message="", at=T0, by=mia.user)
    answer_request(request=first, granted=False, seat=None, at=T0, by=by)
    decline_credit_request(request=second, at=later, by=by)

    own = own_requests([mia])[mia.pk]

    assert own.answered == answered_rows(answered_of(team)) == [second, first]
    assert answered_rows(answered_of(team)[:1]) == [second]
    assert own.lately(T0 + FRESH - timedelta(seconds=1)) == [second, first]
    assert own.lately(T0 + FRESH) == [second]
