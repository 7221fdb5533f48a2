"""How many mails with invitations go out: they reach people who have not asked for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from teams.errors import TooManyInvitations
from teams.models import Invitation, Mail, Membership, Role, User
from teams.services import invitations, seats
from teams.services.invitations import A_DAY, MOST_TO_ONE
from tests.helpers.people import NOON, member, person, team
from tests.helpers.races import race

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def few(settings: Any) -> None:
    settings.INVITATIONS_PER_DAY, settings.INVITATIONS_PER_DAY_WITHOUT_SEATS = 4, 2


def invite(owner: Membership, number: int, *, after: timedelta = timedelta(0)) -> Invitation:
    return invitations.invite(
        team=owner.team, email=f"p{number}@example.com", role="member", by=owner.user, at=NOON + after
    )


def resend(invitation: Invitation, by: User, *, after: timedelta = timedelta(0)) -> Invitation:
    return invitations.resend(invitation=invitation, by=by, at=NOON + after)


def test_a_team_without_a_seat_sends_few_in_24_hours_and_says_when_more_may_go() -> None:
    owner, other = team(), team("Globex")
    first = invite(owner, 1)
    invite(owner, 2, after=SECOND)
    invite(other, 1)
    soon = A_DAY - SECOND
    for again in (
        partial(invite, owner, 3, after=soon),
        partial(resend, first, owner.user, after=soon),
    ):
        with pytest.raises(TooManyInvitations) as refused:
            again()
        assert "at most 2 invitations in 24 hours. Buy a seat, or wait." in refused.value.detail
        assert refused.value.retry_after == 1
    assert (Invitation.objects.for_team(owner.team).count(), first.times_sent) == (2, 1)

    invite(owner, 3, after=A_DAY)


def test_with_a_seat_a_team_sends_more_and_then_no_more() -> None:
    owner = team()
    seats.add_seat(team=owner.team, by=None, at=NOON)
    for number in range(4):
        invite(owner, number)
    with pytest.raises(TooManyInvitations, match="This Team has sent 4 invitations in 24 hours"):
        invite(owner, 4)


def test_a_person_has_no_more_by_making_more_teams_but_for_those_with_a_seat() -> None:
    owner = team()
    paid = team("Paid", owner=owner.user)
    seats.add_seat(team=paid.team, by=None, at=NOON)
    for number in range(3):
        invite(paid, number)
    invite(owner, 1)
    second = team("Second", owner=owner.user)
    invite(second, 2)
    with pytest.raises(TooManyInvitations):
        invite(second, 3)
    invite(paid, 4)


def test_one_address_gets_five_from_a_team_in_24_hours_however_it_is_done(settings: Any) -> None:
    settings.INVITATIONS_PER_DAY_WITHOUT_SEATS = 50
    owner = team()
    row = invite(owner, 1)
    for _ in range(MOST_TO_ONE - 2):
        row = resend(row, owner.user)
    invitations.revoke(invitation=row, by=owner.user, at=NOON)
    row = invite(owner, 1)
    with pytest.raises(TooManyInvitations, match="5 invitations went to this address in 24 hours"):
        resend(row, owner.user)
    invitations.revoke(invitation=row, by=owner.user, at=NOON)
    with pytest.raises(TooManyInvitations):
        invite(owner, 1)
    invite(owner, 2)
    assert Mail.objects.filter(kind="invitation", to="p1@example.com").count() == 5


def test_an_operator_may_send_one_again_all_the_same() -> None:
    owner = team()
    row = invite(owner, 1)
    invite(owner, 2)
    operator = person("operator@example.com")
    invitations.resend(invitation=row, by=operator, at=NOON, for_inviter=True)
    row.refresh_from_db()
    assert row.times_sent == 2


@pytest.mark.django_db(transaction=True)
def test_two_who_invite_at_once_send_no_more_than_may_be(settings: Any) -> None:
    owner = team()
    admin = member(owner.team, "admin@example.com", Role.ADMIN)
    invite(owner, 0)

    def one(number: int, by: Membership) -> Callable[[], Invitation]:
        return lambda: invite(by, number)

    answers = race(*[one(number, by) for number, by in enumerate((owner, admin) * 3, start=1)])

    assert sum(isinstance(answer, Invitation) for answer in answers) == 1
    assert sum(isinstance(answer, TooManyInvitations) for answer in answers) == 5
