"""Invitations that promise a seat or Credits, and joining by one, which gives what was promised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from quota.errors import NoFreeSeat
from quota.invitation_lines import Line
from quota.models import Plan
from quota.services.credit_requests import request_credits
from quota.services.credits import allow_credits
from quota.services.seat_requests import request_seat
from quota.services.seats import give_seat_of_plan
from teams.models import Invitation, Membership, Seat, Team, User
from teams.permissions import Right, may
from teams.services import invitations
from teams.services.invitations import Promise
from tokenplan.kit.errors import InvalidValue, Refusal
from tokenplan.kit.transactions import one_transaction


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of the promise. `seat` is the one that was given; where one was promised and could not be,
    `waits` says whether a request for it stands in the Team's inbox. `has_credits` and `credits_wait` say so
    of Credits. What was promised and neither came nor waits is gone.
    """

    membership: Membership
    promise: Promise
    seat: Seat | None
    waits: bool
    has_credits: bool
    credits_wait: bool

    @property
    def seat_gone(self) -> bool:
        return bool(self.promise.seat_plan_code) and not (self.seat or self.waits)

    @property
    def credits_gone(self) -> bool:
        return self.promise.gives_credits and not (self.has_credits or self.credits_wait)


@one_transaction()
def invite(*, team: Team, email: str, role: str, promise: Promise, by: User, at: datetime) -> Invitation:
    """As the service of `teams`, with a promise of a plan that is, or was, on sale. No seat is set aside.

    Raises what that one does, and InvalidValue for a plan that there is not.
    """
    if promise.seat_plan_code and not Plan.objects.published().filter(code=promise.seat_plan_code).exists():
        raise InvalidValue(_("There is no such plan."), pointer="/plan")
    return invitations.invite(team=team, email=email, role=role, promise=promise, by=by, at=at)


def invite_line(*, team: Team, line: Line, by: User, at: datetime) -> str:
    """One line of many, and what became of it. Raises InvalidValue for what is wrong with it, and what
    `invite` raises.
    """
    if line.problem:
        raise InvalidValue(line.problem, pointer="/lines")
    promise = Promise(line.plan_code, line.credits, line.month_cap_nanousd)
    invite(team=team, email=line.email, role=line.role, promise=promise, by=by, at=at)
    return _("Invited.")


@one_transaction()
def join(*, token: str, by: User, at: datetime) -> Joined:
    """`by` joins the Team and gets what the invitation promised, if who promised it may still give it. Where
    that is not so, or no seat of the plan is free, joining goes on without, and a request is made in the name
    of `by`, if it can be made.

    Raises InvitationNotUsable, InviterMayNotInvite, InvitationForAnotherAddress, AlreadyMember.
    """
    invitation = invitations.find_open(token=token, at=at)
    member = invitations.accept_invitation(token=token, by=by, at=at)
    promise = invitations.promise_of(invitation)
    inviter = invitations.lock_inviter(invitation)
    seat = _give_seat(member, promise, inviter, at) if promise.seat_plan_code else None
    waits = bool(promise.seat_plan_code) and seat is None and _ask_for_seat(member, promise, at)
    has_credits = promise.gives_credits and _give_credits(member, promise, inviter, at)
    credits_wait = promise.gives_credits and not has_credits and _ask_for_credits(member, promise, at)
    return Joined(member, promise, seat, waits, has_credits, credits_wait)


def _give_seat(member: Membership, promise: Promise, inviter: Membership, at: datetime) -> Seat | None:
    if not may(inviter, Right.ASSIGN_SEAT):
        return None
    plan_code = promise.seat_plan_code
    try:
        return give_seat_of_plan(membership=member, plan_code=plan_code, by=inviter.user, at=at)
    except NoFreeSeat:
        return None


def _give_credits(member: Membership, promise: Promise, inviter: Membership, at: datetime) -> bool:
    if not may(inviter, Right.SWITCH_CREDITS):
        return False
    allow_credits(membership=member, month_cap_nanousd=promise.month_cap_nanousd, at=at, by=inviter.user)
    return True


def _ask_for_seat(member: Membership, promise: Promise, at: datetime) -> bool:
    """Whether a request waits: a plan that is no longer sold cannot be asked for."""
    code = promise.seat_plan_code
    try:
        request_seat(membership=member, plan_code=code, message="", at=at, by=member.user)
    except Refusal:
        return False
    return True


def _ask_for_credits(member: Membership, promise: Promise, at: datetime) -> bool:
    """Whether a request waits."""
    wanted = promise.month_cap_nanousd or None
    try:
        request_credits(membership=member, wanted_nanousd=wanted, message="", at=at, by=member.user)
    except Refusal:
        return False
    return True
