"""Seats of a plan that several people are given at once: none is given twice, and none of another plan."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial

import pytest
from django.db import IntegrityError

from quota.errors import NoFreeSeat
from quota.selectors.seats import free_seats
from quota.services.invitations import Joined, invite, join
from quota.services.seats import give_seat_of_plan
from teams.invitation_tokens import token_of
from teams.models import Membership, Seat, SeatHolding, Team, User
from teams.services.invitations import Promise
from tests.helpers.factories import T0, make_member, make_plan, make_seat, make_team, make_user, owner_of
from tests.helpers.races import race

pytestmark = pytest.mark.django_db(transaction=True)

LATER = T0 + timedelta(hours=1)
MANY = 6


def test_without_the_locks_many_find_the_same_seat_free_and_fail_to_take_it() -> None:
    """The control: the race is real, and the database lets one of them have the seat."""
    team = make_team()
    seat = make_seat(team, make_plan("max"))
    members = [make_member(team) for _ in range(MANY)]
    all_have_read = threading.Barrier(MANY)

    def take(member: Membership) -> bool:
        found = free_seats(team, LATER, plan_code="max").get()
        all_have_read.wait(30)
        SeatHolding.objects.create(team=team, seat=found, membership=member, started_at=LATER)
        return True

    results = race(*(partial(take, member) for member in members))
    assert results.count(True) == 1
    assert sum(isinstance(result, IntegrityError) for result in results) == MANY - 1
    assert SeatHolding.objects.current().filter(seat=seat).count() == 1


def test_of_many_who_are_given_a_seat_of_the_plan_at_once_as_many_get_one_as_there_are() -> None:
    team = make_team()
    plan = make_plan("max")
    free = [make_seat(team, plan) for _ in range(2)]
    make_seat(team, make_plan("plus"))
    give = partial(give_seat_of_plan, plan_code="max", by=None, at=LATER)
    results = race(*(partial(give, membership=make_member(team)) for _ in range(MANY)))
    assert sorted(one.pk for one in results if isinstance(one, Seat)) == [seat.pk for seat in free]
    assert sum(isinstance(result, NoFreeSeat) for result in results) == MANY - 2


def test_of_two_who_join_at_once_by_promises_of_the_last_seat_one_gets_it_and_one_waits() -> None:
    team = make_team()
    seat = make_seat(team, make_plan("max"))
    people = [make_user(f"p{number}@example.com") for number in range(2)]
    tokens = [promised(team, person) for person in people]
    runners = [
        partial(join, token=token, by=person, at=LATER) for token, person in zip(tokens, people, strict=True)
    ]
    results = [one for one in race(*runners) if isinstance(one, Joined)]
    assert sorted((one.seat == seat, one.waits) for one in results) == [(False, True), (True, False)]


def promised(team: Team, person: User) -> str:
    by = owner_of(team).user
    made = invite(team=team, email=person.email, role="member", promise=Promise("max"), by=by, at=T0)
    return token_of(made.pk, 1)
