"""Invitations that promise a seat or Credits, and joining by one, which gives what was promised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from quota.errors import NoFreeSeat, SeatRequestOpen
from quota.models import Plan
from quota.services.credits import set_credit_access
from quota.services.seat_requests import request_seat
from quota.services.seats import give_seat_of_plan
from teams.models import Invitation, Membership, Seat, Team, User
from teams.services import invitations
from teams.services.invitations import Promise
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import one_transaction


@dataclass(frozen=True, slots=True)
class Joined:
    """`seat` is the one that was promised and given; None where none was promised, or none was free: then
    `waits` says whether a request for it stands in the Team's inbox.
    """

    membership: Membership
    seat: Seat | None
    waits: bool


@one_transaction()
def invite(*, team: Team, email: str, role: str, promise: Promise, by: User, at: datetime) -> Invitation:
    """As the service of `teams`, with a promise of a plan that is, or was, on sale. No seat is set aside.

    Raises what that one does, and InvalidValue for a plan that there is not.
    """
    if promise.seat_plan_code and not Plan.objects.published().filter(code=promise.seat_plan_code).exists():
        raise InvalidValue(_("There is no such plan."), pointer="/plan")
    return invitations.invite(team=team, email=email, role=role, promise=promise, by=by, at=at)


@one_transaction()
def join(*, token: str, by: User, at: datetime) -> Joined:
    """`by` joins the Team and gets what the invitation promised. Where no seat of the plan is free, joining
    goes on without one, and a request for it is made in their name.

    Raises InvitationNotUsable, InvitationForAnotherAddress, AlreadyMember.
    """
    invitation = invitations.find_open(token=token, at=at)
    member = invitations.accept_invitation(token=token, by=by, at=at)
    promise = invitations.promise_of(invitation)
    seat, waits = _give_seat(member, promise, invitation.invited_by, at)
    if promise.gives_credits:
        set_credit_access(
            membership=member,
            allowed=True,
            overflow="allow",
            month_cap_nanousd=promise.month_cap_nanousd,
            at=at,
            by=invitation.invited_by,
        )
    return Joined(member, seat, waits)


def _give_seat(member: Membership, promise: Promise, inviter: User, at: datetime) -> tuple[Seat | None, bool]:
    if not promise.seat_plan_code:
        return None, False
    try:
        seat = give_seat_of_plan(membership=member, plan_code=promise.seat_plan_code, by=inviter, at=at)
    except NoFreeSeat:
        return None, _ask_for_seat(member, promise.seat_plan_code, at)
    return seat, False


def _ask_for_seat(member: Membership, plan_code: str, at: datetime) -> bool:
    try:
        request_seat(membership=member, plan_code=plan_code, message="", at=at, by=member.user)
    except (InvalidValue, SeatRequestOpen):  # a plan that is no longer sold cannot be asked for
        return False
    return True
