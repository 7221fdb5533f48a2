"""Invitations: an offer to one e-mail address, good for 7 days and one use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from teams.errors import (
    AlreadyMember,
    DefaultTeamIsPersonal,
    InvitationAlreadyOpen,
    InvitationForAnotherAddress,
    InvitationNotUsable,
    InviterMayNotInvite,
    TooManyInvitations,
)
from teams.invitation_tokens import hash_of, token_of
from teams.models import AuditEntry, Invitation, Membership, Role, Seat, Team, User
from teams.permissions import may, require_now, right_to_invite, with_inviters
from teams.services import audit, mail, memberships
from teams.services.locks import lock_membership, lock_team
from tokenplan.kit.errors import InvalidValue, NotFound
from tokenplan.kit.text import clean_email
from tokenplan.kit.transactions import one_transaction, refused_by

LIFETIME = timedelta(days=7)
A_DAY = timedelta(hours=24)
# Mails that one address gets from a Team in A_DAY.
MOST_TO_ONE = 5


@dataclass(frozen=True, slots=True)
class Promise:
    """What an invitation says that joining brings. It is kept here and given by `quota`, which knows plans:
    `seat_plan_code` is "" for no seat.
    """

    seat_plan_code: str = ""
    gives_credits: bool = False
    month_cap_nanousd: int | None = None

    @property
    def details(self) -> audit.Details:
        """For the audit log: what is promised, and nothing of what is not."""
        said: dict[str, str | int | bool | None] = {}
        if self.seat_plan_code:
            said["plan"] = self.seat_plan_code
        if self.gives_credits:
            said |= {"credits": True, "month_cap_nanousd": self.month_cap_nanousd}
        return said


NOTHING = Promise()


@one_transaction()
def invite(
    *, team: Team, email: str, role: str, by: User, at: datetime, promise: Promise = NOTHING
) -> Invitation:
    """The address gets a mail with a link. Only the Owner invites as Admin.

    An address has one open invitation per Team: send that one again instead.

    Raises InvalidValue, DefaultTeamIsPersonal, AlreadyMember, InvitationAlreadyOpen, TooManyInvitations, and
    PermissionRefused or NotFound for who may not invite with this role now.
    """
    email = clean_email(email, pointer="/email")
    if role not in (Role.ADMIN, Role.MEMBER):
        raise InvalidValue(_("A person is invited as admin or member."), pointer="/role")
    team = lock_team(team)
    require_now(by, team, right_to_invite(role))
    if team.is_default:
        raise DefaultTeamIsPersonal
    if team.memberships.live().filter(user__in=_people_at(email)).exists():
        raise AlreadyMember(pointer="/email")
    _check_may_send(team, email, by=by, at=at)
    invitation_id = uuid4()
    with refused_by(one_open_invitation_per_address_and_team=InvitationAlreadyOpen):
        invitation = Invitation.objects.create(
            id=invitation_id,
            team=team,
            email=email,
            role=role,
            seat_plan_code=promise.seat_plan_code,
            gives_credits=promise.gives_credits,
            month_cap_nanousd=promise.month_cap_nanousd,
            token_hash=hash_of(token_of(invitation_id, 1)),
            invited_by=by,
            created_at=at,
            sent_at=at,
            expires_at=at + LIFETIME,
        )
    _send(invitation, by=by, at=at)
    return invitation


@one_transaction()
def resend(
    *, invitation: Invitation, reason: str = "", by: User, at: datetime, for_inviter: bool = False
) -> Invitation:
    """A new mail with a new link, good for 7 more days; the link sent before stops working. `by` is who
    invites from now on, but for an operator, who sends it for whoever invited.

    Raises InvitationNotUsable, TooManyInvitations, and PermissionRefused or NotFound for who may not invite
    with this role now; for an operator InviterMayNotInvite.
    """
    lock_team(invitation.team)
    invitation = _lock_open(invitation)
    if for_inviter:
        lock_inviter(invitation)
    else:
        require_now(by, invitation.team, right_to_invite(invitation.role))
        _check_may_send(invitation.team, invitation.email, by=by, at=at)
        invitation.invited_by = by
    invitation.times_sent += 1
    invitation.token_hash = hash_of(token_of(invitation.pk, invitation.times_sent))
    invitation.sent_at = at
    invitation.expires_at = at + LIFETIME
    invitation.save(update_fields=["times_sent", "invited_by", "token_hash", "sent_at", "expires_at"])
    _send(invitation, reason=reason, by=by, at=at)
    return invitation


@one_transaction()
def revoke(*, invitation: Invitation, reason: str = "", by: User | None, at: datetime) -> Invitation:
    """The link stops working."""
    invitation = _lock_open(invitation)
    invitation.revoked_at = at
    invitation.save(update_fields=["revoked_at"])
    audit.record(
        team=invitation.team,
        by=by,
        action="invitation.revoked",
        subject=invitation.email,
        details=audit.because(reason),
        at=at,
    )
    return invitation


@one_transaction()
def accept_invitation(*, token: str, by: User, at: datetime) -> Membership:
    """`by` joins the Team, with a Subscription Key, if the invited address is one of theirs, verified, and
    who invited may still do so.

    The token works once.

    Raises InvitationNotUsable, InviterMayNotInvite, InvitationForAnotherAddress, AlreadyMember.
    """
    invitation = find_open(token=token, at=at)
    lock_team(invitation.team)
    invitation = _lock_open(invitation)
    if invitation.token_hash != hash_of(token):
        raise InvitationNotUsable  # sent again a moment ago
    if not EmailAddress.objects.filter(user=by, verified=True, email=invitation.email).exists():
        raise InvitationForAnotherAddress
    lock_inviter(invitation)
    member = memberships.add_member(team=invitation.team, user=by, role=invitation.role, by=by, at=at)
    invitation.accepted_at = at
    invitation.accepted_by = by
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    audit.record(
        team=invitation.team,
        by=by,
        action="invitation.accepted",
        subject=invitation.email,
        at=at,
        details={"role": invitation.role},
    )
    return member


def find_open(*, token: str, at: datetime) -> Invitation:
    """The invitation that this link opens, with Team and inviter. Raises InvitationNotUsable when there is
    none, InviterMayNotInvite.
    """
    invitation = (
        with_inviters(Invitation.objects.open())
        .filter(token_hash=hash_of(token), expires_at__gt=at, team__deleted_at=None)
        .select_related("team", "invited_by")
        .first()
    )
    if invitation is None:
        raise InvitationNotUsable
    if not getattr(invitation, "inviter_may", False):
        raise InviterMayNotInvite
    return invitation


def lock_inviter(invitation: Invitation) -> Membership:
    """Who sent it, with rights that stay as they are until the end of the transaction. Raises
    InviterMayNotInvite once they do not include inviting with its role.
    """
    members = Membership.objects.for_team(invitation.team).live()
    found = members.filter(user=invitation.invited_by_id).first()
    try:
        inviter = lock_membership(found) if found else None
    except NotFound:
        inviter = None
    if inviter is None or not inviter.user.is_active or not may(inviter, right_to_invite(invitation.role)):
        raise InviterMayNotInvite
    return inviter


def _check_may_send(team: Team, email: str, *, by: User, at: datetime) -> None:
    """Raises TooManyInvitations where as many were sent in A_DAY as may be. The Team is locked."""
    has_seat = Seat.objects.live().filter(team=OuterRef("team"))
    recent = AuditEntry.objects.filter(action="invitation.sent", at__gt=at - A_DAY).order_by("-at", "-id")
    of_team = recent.filter(team=team)
    few = settings.INVITATIONS_PER_DAY_WITHOUT_SEATS
    said = _("This Team has sent %(most)s invitations in 24 hours, and cannot send more until later.")
    if Seat.objects.live().filter(team=team).exists():
        limits = [(of_team, settings.INVITATIONS_PER_DAY, said)]
    else:
        without_seats = _(
            "Without a seat, a Team and a person send at most %(most)s invitations in 24 hours."
            " Buy a seat, or wait."
        )
        by_person = recent.filter(~Exists(has_seat), by=by)
        limits = [(of_team, few, without_seats), (by_person, few, without_seats)]
    one = _("%(most)s invitations went to this address in 24 hours. Ask the person to look for them.")
    limits.append((of_team.filter(subject=email), MOST_TO_ONE, one))
    for sent, most, refused in limits:
        first = sent.values_list("at", flat=True)[most - 1 : most].first()
        if first is not None:
            wait = math.ceil((first + A_DAY - at).total_seconds())
            raise TooManyInvitations(refused % {"most": f"{most:,}"}, pointer="/email", retry_after=wait)


def promise_of(invitation: Invitation) -> Promise:
    """What joining by it brings."""
    return Promise(invitation.seat_plan_code, invitation.gives_credits, invitation.month_cap_nanousd)


def _lock_open(invitation: Invitation) -> Invitation:
    locked = (
        Invitation.objects.select_related("team", "invited_by")
        .select_for_update(no_key=True, of=("self",))
        .filter(pk=invitation.pk, team__deleted_at=None)
        .first()
    )
    if locked is None:
        raise NotFound(_("This invitation does not exist."))
    if locked.accepted_at or locked.revoked_at:
        raise InvitationNotUsable(_("This invitation was accepted or revoked."))
    return locked


def _people_at(email: str) -> list[int]:
    """Users who have shown that this address is theirs."""
    return list(EmailAddress.objects.filter(verified=True, email=email).values_list("user_id", flat=True))


def _send(invitation: Invitation, *, reason: str = "", by: User, at: datetime) -> None:
    # The mailer derives the token when it sends: neither the mail's row nor the broker ever holds it.
    mail.queue(
        kind="invitation",
        to=invitation.email,
        context={
            "invitation_id": str(invitation.pk),
            "times_sent": invitation.times_sent,
            "team": invitation.team.kept_name,
            "inviter": invitation.invited_by.display_name,
            "role": invitation.role,
            "seat_plan_code": invitation.seat_plan_code,
            "gives_credits": invitation.gives_credits,
            "month_cap_nanousd": invitation.month_cap_nanousd or 0,
            "is_capped": invitation.month_cap_nanousd is not None,
        },
        dedupe_key=f"invitation:{invitation.pk}:{invitation.times_sent}",
        at=at,
        language=invitation.invited_by.language,  # to whom is not known here
    )
    audit.record(
        team=invitation.team,
        by=by,
        action="invitation.sent",
        subject=invitation.email,
        at=at,
        details={
            "role": invitation.role,
            "times_sent": invitation.times_sent,
            **promise_of(invitation).details,
            **audit.because(reason),
        },
    )
