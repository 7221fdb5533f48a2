"""Invitations that promise a seat or Credits, and joining by one, which gives what was promised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from quota.errors import NoFreeSeat, SeatRequestOpen
from quota.models import Plan
from quota.services.credit_requests import request_credits
from quota.services.credits import allow_credits
from quota.services.seat_requests import request_seat
from quota.services.seats import give_seat_of_plan
from teams.models import Invitation, Membership, Seat, Team, User
from teams.permissions import Right, may
from teams.services import invitations
from teams.services.invitations import Promise
from teams.services.locks import lock_membership
from tokenplan.kit.errors import InvalidValue, NotFound
from tokenplan.kit.transactions import one_transaction


@dataclass(frozen=True, slots=True)
class Joined:
    """`seat` is the one that was promised and given; None where none was promised or could be given: then
    `waits` says whether a request for it stands in the Team's inbox. `credits_wait` says so of Credits.
    """

    membership: Membership
    seat: Seat | None
    waits: bool
    credits_wait: bool


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
    """`by` joins the Team and gets what the invitation promised, if who promised it may still give it. Where
    that is not so, or no seat of the plan is free, joining goes on without, and a request is made in the name
    of `by`.

    Raises InvitationNotUsable, InvitationForAnotherAddress, AlreadyMember.
    """
    invitation = invitations.find_open(token=token, at=at)
    member = invitations.accept_invitation(token=token, by=by, at=at)
    promise = invitations.promise_of(invitation)
    inviter = _locked_inviter(invitation)
    seat, waits = _give_seat(member, promise, inviter, at)
    credits_wait = promise.gives_credits and not _give_credits(member, promise, inviter, at)
    return Joined(member, seat, waits, credits_wait)


def _locked_inviter(invitation: Invitation) -> Membership | None:
    """Whose rights stay as they are until the end of the transaction; None: no longer a member."""
    found = Membership.objects.for_team(invitation.team).live().filter(user=invitation.invited_by).first()
    try:
        return lock_membership(found) if found else None
    except NotFound:
        return None


def _give_seat(
    member: Membership, promise: Promise, inviter: Membership | None, at: datetime
) -> tuple[Seat | None, bool]:
    plan_code = promise.seat_plan_code
    if not plan_code:
        return None, False
    try:
        if inviter and may(inviter, Right.ASSIGN_SEAT):
            by = inviter.user
            return give_seat_of_plan(membership=member, plan_code=plan_code, by=by, at=at), False
    except NoFreeSeat:
        pass
    return None, _ask_for_seat(member, plan_code, at)


def _give_credits(member: Membership, promise: Promise, inviter: Membership | None, at: datetime) -> bool:
    """Whether they were given; else they are asked for."""
    cap = promise.month_cap_nanousd
    if inviter and may(inviter, Right.SWITCH_CREDITS):
        allow_credits(membership=member, month_cap_nanousd=cap, at=at, by=inviter.user)
        return True
    request_credits(membership=member, wanted_nanousd=cap or None, message="", at=at, by=member.user)
    return False


def _ask_for_seat(member: Membership, plan_code: str, at: datetime) -> bool:
    try:
        request_seat(membership=member, plan_code=plan_code, message="", at=at, by=member.user)
    except (InvalidValue, SeatRequestOpen):  # a plan that is no longer sold cannot be asked for
        return False
    return True
