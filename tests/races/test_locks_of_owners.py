"""Whoever gets a Team, while they leave it, their account is closed, or somebody else gets it.

Each race begins by showing that it is one: without locks it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from teams.models import AuditEntry, Membership, Team, User
from teams.services import accounts, memberships, teams
from tests.helpers.factories import T0 as NOON
from tests.helpers.factories import make_member, make_team, make_user, owner_of
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tokenplan.kit.errors import InvalidValue, NotFound

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LATER = NOON + timedelta(hours=1)


@dataclass
class People:
    """A Team with an Owner and two members, somebody who is none, and an operator."""

    team: Team = field(default_factory=make_team)

    def __post_init__(self) -> None:
        self.owner = owner_of(self.team)
        self.bob, self.eve, self.new = make_member(self.team), make_member(self.team), make_user()
        self.operator = make_user()
        User.objects.filter(pk=self.operator.pk).update(is_staff=True)
        self.operator.refresh_from_db()

    def transfer(self, to: Membership) -> Membership:
        return teams.transfer_ownership(team=self.team, to=to, by=self.owner.user, at=NOON)

    def hand_over(self, to: User) -> Membership:
        email = to.email
        return teams.hand_team_over(team=self.team, email=email, reason="gone", by=self.operator, at=LATER)

    def leave(self, who: Membership) -> Membership:
        return memberships.end_membership(membership=who, by=None, at=NOON)

    def owns(self, who: Membership) -> bool:
        return Membership.objects.owner_of(self.team) == who

    def handed_over(self) -> int:
        return AuditEntry.objects.filter(team=self.team, action="ownership.handed_over").count()


def handed_over_to_who_leaves() -> Case:
    we = People()
    return Case(
        lambda: we.leave(we.bob),
        lambda: we.hand_over(we.bob.user),
        lambda: we.owns(we.owner) and not we.bob.user.memberships.live().filter(team=we.team).exists(),
        InvalidValue,
    )


def handed_over_to_an_account_that_is_closed() -> Case:
    we = People()
    return Case(
        lambda: accounts.deactivate(user=we.bob.user, by=None, at=NOON),
        lambda: we.hand_over(we.bob.user),
        lambda: we.owns(we.owner),
        InvalidValue,
    )


def handed_over_to_a_stranger_whose_account_is_closed() -> Case:
    we = People()
    return Case(
        lambda: accounts.deactivate(user=we.new, by=None, at=NOON),
        lambda: we.hand_over(we.new),
        lambda: we.owns(we.owner) and not we.new.memberships.filter(team=we.team).exists(),
        InvalidValue,
    )


def handed_over_twice() -> Case:
    we = People()
    return Case(
        lambda: we.hand_over(we.bob.user),
        lambda: we.hand_over(we.bob.user),
        lambda: we.owns(we.bob) and we.handed_over() == 1,
        InvalidValue,
    )


def handed_over_while_it_is_transferred_to_another() -> Case:
    we = People()
    return Case(
        lambda: we.transfer(we.eve),
        lambda: we.hand_over(we.bob.user),
        lambda: we.owns(we.bob) and Membership.objects.get(pk=we.eve.pk).role == "admin",
    )


def handed_over_while_it_is_deleted() -> Case:
    we = People()
    return Case(
        lambda: teams.delete_team(team=we.team, by=None, at=NOON),
        lambda: we.hand_over(we.bob.user),
        lambda: we.handed_over() == 0,
        NotFound,
    )


def transferred_to_an_account_that_is_closed() -> Case:
    we = People()
    return Case(
        lambda: accounts.deactivate(user=we.bob.user, by=None, at=NOON),
        lambda: we.transfer(we.bob),
        lambda: we.owns(we.owner),
        InvalidValue,
    )


CASES: list[Callable[[], Case]] = [
    handed_over_to_who_leaves,
    handed_over_to_an_account_that_is_closed,
    handed_over_to_a_stranger_whose_account_is_closed,
    handed_over_twice,
    handed_over_while_it_is_transferred_to_another,
    handed_over_while_it_is_deleted,
    transferred_to_an_account_that_is_closed,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)


@pytest.mark.parametrize("verb", ["transfer", "hand_over"])
def test_whoever_gives_a_team_waits_for_the_account_before_anything_else_is_locked(verb: str) -> None:
    """In another order it and what locks an account first would wait for each other."""
    we = People()

    def first() -> None:
        User.objects.select_for_update(no_key=True).get(pk=we.bob.user_id)

    def not_locked() -> None:
        Team.objects.select_for_update(no_key=True, nowait=True).get(pk=we.team.pk)
        list(we.team.memberships.select_for_update(no_key=True, nowait=True))

    case = Case(
        first,
        lambda: we.transfer(we.bob) if verb == "transfer" else we.hand_over(we.bob.user),
        lambda: we.owns(we.bob),
        meanwhile=not_locked,
    )
    case.run()
    assert not case.is_lost(), case.answer
