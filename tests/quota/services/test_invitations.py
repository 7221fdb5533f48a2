"""Invitations that promise, and what joining by them gives."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from quota.models import CreditAccess, CreditRequest, SeatRequest
from quota.money import MAX_NANOUSD
from quota.selectors.invitations import promised_seats
from quota.services.invitations import invite, join
from teams.invitation_tokens import token_of
from teams.models import AuditEntry, Invitation, SeatHolding, Team
from teams.permissions import TABLE, Right
from teams.services.invitations import Promise
from tests.helpers.factories import (
    CREDIT,
    T0,
    make_member,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db
LATER = T0 + timedelta(hours=1)


def invited(team: Team, promise: Promise, email: str = "new@example.com") -> str:
    """The token of the invitation's link."""
    by = owner_of(team).user
    invitation = invite(team=team, email=email, role="member", promise=promise, by=by, at=T0)
    return token_of(invitation.pk, 1)


def test_joining_gives_the_seat_and_the_credits_that_were_promised() -> None:
    team = make_team()
    plan = make_plan("max")
    make_seat(team, make_plan("plus"))
    taken, free, _more = (make_seat(team, plan) for _ in range(3))
    make_seat(make_team(), plan)
    SeatHolding.objects.create(team=team, seat=taken, membership=make_member(team), started_at=T0)
    token = invited(team, Promise("max", gives_credits=True, month_cap_nanousd=5000 * CREDIT))

    joined = join(token=token, by=make_user("new@example.com"), at=LATER)

    assert (joined.seat, joined.waits) == (free, False)
    holding = SeatHolding.objects.current().get(membership=joined.membership)
    assert (holding.seat, holding.started_at) == (free, LATER)
    access = CreditAccess.objects.get(membership=joined.membership)
    assert (access.allowed, access.overflow, access.month_cap_nanousd) == (True, "allow", 5000 * CREDIT)
    assigned = AuditEntry.objects.get(action="seat.assigned", details={"seat": free.pk})
    assert assigned.by == owner_of(team).user
    sent = AuditEntry.objects.get(action="invitation.sent")
    assert sent.details == {
        "role": "member",
        "times_sent": 1,
        "plan": "max",
        "credits": True,
        "month_cap_nanousd": 5000 * CREDIT,
    }


def test_an_invitation_without_a_promise_gives_nothing() -> None:
    team = make_team()
    make_seat(team, make_plan("max"))
    joined = join(token=invited(team, Promise()), by=make_user("new@example.com"), at=LATER)
    assert (joined.seat, joined.waits) == (None, False)
    assert not SeatHolding.objects.exists()
    assert not CreditAccess.objects.filter(membership=joined.membership).exists()
    assert not SeatRequest.objects.exists()


def test_without_a_free_seat_joining_goes_on_and_a_request_waits() -> None:
    team = make_team()
    plan = make_plan("max")
    make_seat(team, plan, holder=owner_of(team))
    joined = join(token=invited(team, Promise("max")), by=make_user("new@example.com"), at=LATER)
    assert (joined.seat, joined.waits) == (None, True)
    request = SeatRequest.objects.get()
    assert (request.membership, request.plan_code, request.closed_at) == (joined.membership, "max", None)


def test_what_the_inviter_may_not_give_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    team = make_team()
    make_seat(team, make_plan("max"))
    token = invited(team, Promise("max", gives_credits=True, month_cap_nanousd=5000 * CREDIT))
    for right in (Right.ASSIGN_SEAT, Right.SWITCH_CREDITS):
        monkeypatch.setitem(TABLE, right, frozenset())

    joined = join(token=token, by=make_user("new@example.com"), at=LATER)

    assert (joined.seat, joined.waits, joined.seat_gone) == (None, True, False)
    assert (joined.has_credits, joined.credits_wait, joined.credits_gone) == (False, True, False)
    assert not SeatHolding.objects.current().filter(membership=joined.membership).exists()
    assert not CreditAccess.objects.filter(membership=joined.membership, allowed=True).exists()
    asked = SeatRequest.objects.get(membership=joined.membership)
    assert (asked.plan_code, asked.closed_at) == ("max", None)
    assert CreditRequest.objects.get(membership=joined.membership).wanted_nanousd == 5000 * CREDIT


def test_what_can_neither_be_given_nor_asked_for_stops_nobody_from_joining(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Credits to which nobody may give access, and of which more are promised than can be asked for."""
    team = make_team()
    plan = make_plan("max")
    token = invited(team, Promise("max", gives_credits=True, month_cap_nanousd=MAX_NANOUSD + 1))
    type(plan).objects.filter(pk=plan.pk).update(sellable=False)
    monkeypatch.setitem(TABLE, Right.SWITCH_CREDITS, frozenset())

    joined = join(token=token, by=make_user("new@example.com"), at=LATER)

    assert (joined.seat, joined.waits, joined.seat_gone) == (None, False, True)
    assert (joined.has_credits, joined.credits_wait, joined.credits_gone) == (False, False, True)
    assert joined.membership.ended_at is None
    assert not SeatRequest.objects.exists()
    assert not CreditRequest.objects.exists()


def test_a_plan_that_there_is_not_is_not_promised() -> None:
    team = make_team()
    with pytest.raises(InvalidValue, match="There is no such plan"):
        invited(team, Promise("gold"))
    assert not Invitation.objects.exists()


def test_the_database_refuses_a_cap_of_credits_that_are_not_promised() -> None:
    team = make_team()
    invited(team, Promise())
    with pytest.raises(IntegrityError, match="a_promised_cap_is_one_of"), transaction.atomic():
        Invitation.objects.update(month_cap_nanousd=1)


def test_promised_seats_are_counted_beside_the_free_ones() -> None:
    team = make_team()
    plan = make_plan("max")
    make_seat(team, plan)
    invited(team, Promise("max"))
    invited(team, Promise("max"), "two@example.com")
    invited(make_team(), Promise("max"), "three@example.com")
    (counted,) = promised_seats(team, LATER, ["max", ""])
    assert (counted.plan, counted.promised, counted.free, counted.missing) == ("Max", 3, 1, 2)
    # Whoever is invited may accept for seven days.
    assert promised_seats(team, T0 + timedelta(days=7)) == []
