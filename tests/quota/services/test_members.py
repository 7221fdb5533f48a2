"""One verb for many members, each by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from quota.models import CreditAccess
from quota.services.credits import set_credit_access
from quota.services.members import Terms, Verb, act_on_each, counted
from teams.models import Membership, Role, SeatHolding, Team
from teams.services import memberships
from tests.helpers.factories import (
    CREDIT,
    T0,
    allow_credits,
    make_member,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.people import everything

pytestmark = pytest.mark.django_db
LATER = T0 + timedelta(hours=1)
NOTHING = Terms()


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def people(team: Team) -> list[Membership]:
    """The Owner and two members."""
    return [owner_of(team), *(make_member(team, make_user(f"{name}@example.com")) for name in ("ann", "bob"))]


@pytest.mark.parametrize(
    ("verb", "one", "many"),
    [
        (Verb.GIVE_SEAT, "Give one person a seat", "Give 12 people a seat"),
        (Verb.TAKE_SEAT, "Free the seat of one person", "Free the seats of 12 people"),
        (Verb.ALLOW_CREDITS, "Allow Credits for one person", "Allow Credits for 12 people"),
        (Verb.STOP_CREDITS, "Stop Credits for one person", "Stop Credits for 12 people"),
        (Verb.MAKE_ADMIN, "Make one person Admin", "Make 12 people Admins"),
        (Verb.MAKE_MEMBER, "Make one person Member", "Make 12 people Members"),
        (Verb.REMOVE, "Remove one person", "Remove 12 people"),
    ],
)
def test_the_button_of_a_verb_says_what_it_does_and_for_how_many(verb: Verb, one: str, many: str) -> None:
    assert [verb.said_of(1), verb.said_of(12)] == [one, many]


def done(verb: Verb, people: list[Membership], terms: Terms = NOTHING) -> list[tuple[bool, str]]:
    by = owner_of(people[0].team).user
    outcomes = act_on_each(verb=verb, members=people, terms=terms, by=by, at=LATER)
    assert [outcome.member for outcome in outcomes] == people
    return [(outcome.done, outcome.text) for outcome in outcomes]


def test_seats_of_a_plan_are_given_as_long_as_there_are_some(team: Team, people: list[Membership]) -> None:
    plan = make_plan("max")
    make_seat(team, make_plan("plus"))
    make_seat(team, plan, holder=people[0])
    make_seat(team, plan)
    assert done(Verb.GIVE_SEAT, people, Terms(plan_code="max")) == [
        (False, "This member already holds a seat in this Team"),
        (True, "Holds Seat 3 now."),
        (False, "No seat of this plan is free"),
    ]
    held = SeatHolding.objects.current().filter(membership__in=people)
    assert {holding.membership: holding.seat.number for holding in held} == {people[0]: 2, people[1]: 3}


def test_seats_are_taken_from_those_who_hold_some(team: Team, people: list[Membership]) -> None:
    make_seat(team, holder=people[1])
    assert done(Verb.TAKE_SEAT, people[1:]) == [(True, "Seat 1 is free now."), (False, "Holds no seat.")]
    assert not SeatHolding.objects.current().exists()


def test_access_to_credits_is_given_with_a_cap_and_taken(people: list[Membership]) -> None:
    allow_credits(people[1], overflow="never")
    terms = Terms(month_cap_nanousd=7 * CREDIT)
    assert done(Verb.ALLOW_CREDITS, people[1:], terms) == [(True, "May use Credits now.")] * 2
    access = CreditAccess.objects.of(people[1:])
    # What happens when a window is full stays as it was for each.
    assert [(row.allowed, row.overflow, row.month_cap_nanousd) for row in access.values()] == [
        (True, "never", 7 * CREDIT),
        (True, "allow", 7 * CREDIT),
    ]
    assert done(Verb.STOP_CREDITS, people[1:2]) == [(True, "May not use Credits any more.")]
    assert not CreditAccess.objects.get(membership=people[1]).allowed
    assert CreditAccess.objects.get(membership=people[2]).allowed


def test_who_is_stopped_keeps_the_cap_and_what_happens_at_a_full_window(people: list[Membership]) -> None:
    set_credit_access(
        membership=people[1], allowed=True, overflow="never", month_cap_nanousd=7 * CREDIT, at=T0, by=None
    )
    done(Verb.STOP_CREDITS, people[1:2])
    access = CreditAccess.objects.get(membership=people[1])
    assert (access.allowed, access.overflow, access.month_cap_nanousd) == (False, "never", 7 * CREDIT)
    done(Verb.ALLOW_CREDITS, people[1:2], Terms(month_cap_nanousd=9 * CREDIT))
    access.refresh_from_db()
    assert (access.allowed, access.overflow, access.month_cap_nanousd) == (True, "never", 9 * CREDIT)


def test_what_fails_for_one_is_said_and_stops_no_other(
    people: list[Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    change = memberships.change_role

    def fails_for_one(*, membership: Membership, **more: Any) -> Membership:
        if membership == people[1]:
            raise ZeroDivisionError
        return change(membership=membership, **more)

    monkeypatch.setattr(memberships, "change_role", fails_for_one)
    assert done(Verb.MAKE_ADMIN, people[1:]) == [
        (False, "Failed for a reason that is not known. It was logged."),
        (True, "Is an Admin now."),
    ]
    roles = {member.user.email: member.role for member in Membership.objects.filter(team=people[0].team)}
    assert (roles["ann@example.com"], roles["bob@example.com"]) == (Role.MEMBER, Role.ADMIN)


def test_who_loses_the_right_in_the_middle_is_refused_from_then_on(
    team: Team, people: list[Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in another tab: the page that asks for it all was let in while the right was there."""
    owner, ann, bob = people
    admin = make_member(team, role=Role.ADMIN)
    end = memberships.end_membership

    def demoted_after_ann(*, membership: Membership, **more: Any) -> Membership:
        ended = end(membership=membership, **more)
        memberships.change_role(membership=admin, role="member", by=owner.user, at=LATER)
        return ended

    monkeypatch.setattr(memberships, "end_membership", demoted_after_ann)
    outcomes = act_on_each(verb=Verb.REMOVE, members=[ann, bob], terms=NOTHING, by=admin.user, at=LATER)
    assert [(outcome.done, outcome.text) for outcome in outcomes] == [
        (True, "Is no longer a member. The key stopped working."),
        (
            False,
            f"To remove a member, you need to be Owner or Admin of this Team. Ask {owner.user.display_name}.",
        ),
    ]
    assert set(Membership.objects.for_team(team).live()) == {owner, bob, admin}


@pytest.mark.parametrize("verb", list(Verb))
def test_each_verb_asks_for_each_whether_the_actor_is_still_there(
    verb: Verb, team: Team, people: list[Membership]
) -> None:
    make_seat(team, make_plan("max"))
    make_seat(team, holder=people[1])
    memberships.end_membership(membership=people[2], by=None, at=T0)
    before = everything()
    terms = Terms("max")
    outcomes = act_on_each(verb=verb, members=people[1:2], terms=terms, by=people[2].user, at=LATER)
    assert [(outcome.done, outcome.text) for outcome in outcomes] == [
        (False, "Whoever asked for this is no longer a member of the Team.")
    ]
    assert everything() == before


def test_an_outage_ends_it_all(people: list[Membership], monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(memberships, "change_role", away)
    with pytest.raises(OperationalError):
        done(Verb.MAKE_ADMIN, people[1:])


def test_roles_change_but_for_the_owner(people: list[Membership]) -> None:
    outcomes = done(Verb.MAKE_ADMIN, people)
    assert [is_done for is_done, _text in outcomes] == [False, True, True]
    assert {member.role for member in Membership.objects.filter(pk__in=[row.pk for row in people[1:]])} == {
        Role.ADMIN
    }
    assert done(Verb.MAKE_MEMBER, people[1:2]) == [(True, "Is a Member now.")]


def test_members_are_removed_but_for_the_owner_and_oneself(team: Team, people: list[Membership]) -> None:
    admin = make_member(team, role=Role.ADMIN)
    outcomes = act_on_each(verb=Verb.REMOVE, members=[*people, admin], terms=NOTHING, by=admin.user, at=LATER)
    assert [outcome.done for outcome in outcomes] == [False, True, True, False]
    assert outcomes[3].text == "This is you: leave the Team on its Overview."
    assert set(Membership.objects.for_team(team).live()) == {people[0], admin}
    assert counted(outcomes) == "Done for 2 people. 2 were refused."
    assert counted(outcomes[1:2]) == "Done for 1 person."
