"""Memberships: a user joins a Team, gets another role, leaves."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from teams.errors import AlreadyMember, DefaultTeamIsPersonal, OwnerMustTransferFirst
from teams.models import Invitation, Membership, Role, Team, User
from teams.permissions import with_inviters
from teams.services import audit, mail, seats
from teams.services.api_keys import revoke_api_key_texts_of
from teams.services.keys import issue_key, revoke_keys
from teams.services.locks import lock_membership, lock_team
from tokenplan.kit.errors import InvalidValue, PermissionRefused
from tokenplan.kit.transactions import one_transaction, refused_by


@one_transaction()
def add_member(*, team: Team, user: User, role: str, by: User | None, at: datetime) -> Membership:
    """`user` joins as Admin or Member, with a Subscription Key. Ownership is transferred, never added.

    Raises AlreadyMember, DefaultTeamIsPersonal, InvalidValue.
    """
    if role not in (Role.ADMIN, Role.MEMBER):
        raise InvalidValue(_("A person joins as admin or member."), pointer="/role")
    team = lock_team(team)
    if team.is_default:
        raise DefaultTeamIsPersonal
    with refused_by(one_live_membership_per_user_and_team=AlreadyMember):
        member = Membership.objects.create(team=team, user=user, role=role, joined_at=at)
    issue_key(membership=member, at=at)
    audit.record(team=team, by=by, action="member.joined", subject=user.email, at=at, details={"role": role})
    return member


@one_transaction()
def change_role(*, membership: Membership, role: str, by: User | None, at: datetime) -> Membership:
    """The member becomes Admin or Member. Only the Owner changes roles, so nobody raises their own.

    Raises InvalidValue, NotFound, PermissionRefused, OwnerMustTransferFirst.
    """
    if role not in (Role.ADMIN, Role.MEMBER):
        raise InvalidValue(_("A role is admin or member; ownership is transferred."), pointer="/role")
    team = lock_team(membership.team)
    _require_owner(team, by, _("Only the Owner changes roles."))
    membership = lock_membership(membership)
    if membership.is_owner:
        raise OwnerMustTransferFirst
    if role == membership.role:
        return membership
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    entry = audit.record(
        team=team,
        by=by,
        action="role.changed",
        subject=membership.user.email,
        at=at,
        details={"before": before, "after": role, **void_invitations(team=team, of=membership.user, at=at)},
    )
    about = f"member:{membership.pk}:role:"
    mail.take_back(about)
    mail.queue(
        kind="role_changed",
        to=membership.user.email,
        context={"team": team.kept_name, "slug": team.slug, "role": role},
        dedupe_key=f"{about}{entry.pk}",
        at=at,
    )
    return membership


@one_transaction()
def set_billing_right(*, membership: Membership, allowed: bool, by: User | None, at: datetime) -> Membership:
    """The member may see and pay what the Team buys, whatever the role, or may not any more. The Owner gives
    and takes it; what the member has ordered for good ends with it (`billing.services.top_ups`).

    Raises NotFound, PermissionRefused, and InvalidValue for the Owner, who manages billing by role.
    """
    team = lock_team(membership.team)
    _require_owner(team, by, _("Only the Owner gives and takes the Billing right."))
    membership = lock_membership(membership)
    if membership.is_owner:
        raise InvalidValue(_("The Owner manages billing already."), pointer="/manages_billing")
    if allowed == membership.manages_billing:
        return membership
    membership.manages_billing = allowed
    membership.save(update_fields=["manages_billing"])
    entry = audit.record(
        team=team,
        by=by,
        action="billing_right.given" if allowed else "billing_right.taken",
        subject=membership.user.email,
        at=at,
    )
    about = f"member:{membership.pk}:billing:"
    mail.take_back(about)
    mail.queue(
        kind="billing_right",
        to=membership.user.email,
        context={"team": team.kept_name, "slug": team.slug, "allowed": "yes" if allowed else ""},
        dedupe_key=f"{about}{entry.pk}",
        at=at,
    )
    return membership


@one_transaction()
def change_member(
    *, membership: Membership, role: str | None, manages_billing: bool | None, by: User | None, at: datetime
) -> Membership:
    """Another role, the Billing right, or both at once; None leaves it. Raises what either does."""
    if role is not None:
        membership = change_role(membership=membership, role=role, by=by, at=at)
    if manages_billing is not None:
        membership = set_billing_right(membership=membership, allowed=manages_billing, by=by, at=at)
    return membership


def _require_owner(team: Team, by: User | None, refused: str) -> None:
    """Under the Team's lock: whoever asks owns the Team at this moment. None is the system."""
    if by is not None and not team.memberships.live().filter(user=by, role=Role.OWNER).exists():
        raise PermissionRefused(refused)


@one_transaction()
def end_membership(*, membership: Membership, by: User | None, at: datetime) -> Membership:
    """The member leaves (`by` is that member) or is removed. The key stops working at once, and the seat is
    free; history stays.

    Raises OwnerMustTransferFirst, DefaultTeamIsPersonal, NotFound.
    """
    revoke_keys(membership=membership, by=by, at=at)
    revoke_api_key_texts_of(membership=membership, by=by, at=at)
    membership = lock_membership(membership)
    team = membership.team
    if team.is_default:
        raise DefaultTeamIsPersonal
    if membership.is_owner:
        raise OwnerMustTransferFirst
    holding = membership.holdings.current().select_related("seat").first()
    if holding is not None:
        seats.end_holding(seat=holding.seat, held_by=membership, by=by, at=at)
    membership.ended_at = max(at, membership.joined_at)
    membership.save(update_fields=["ended_at"])
    mail.take_back(f"member:{membership.pk}:")
    left = by is not None and by.pk == membership.user_id
    entry = audit.record(
        team=team,
        by=by,
        action="member.left" if left else "member.removed",
        subject=membership.user.email,
        at=at,
        details={"role": membership.role, **void_invitations(team=team, of=membership.user, at=at)},
    )
    if not left:
        mail.queue(
            kind="member_removed",
            to=membership.user.email,
            context={"team": team.kept_name},
            dedupe_key=f"member_removed:{entry.pk}",
            at=at,
        )
    return membership


def void_invitations(*, team: Team, of: User, at: datetime) -> audit.Details:
    """For the audit log, of somebody whose rights have changed: how many open invitations of theirs no longer
    work for it (docs/decisions/0075).
    """
    sent = Invitation.objects.for_team(team).open().filter(invited_by=of, expires_at__gt=at)
    count = with_inviters(sent).filter(Q(inviter_may=False)).count()
    return {"invitations": count} if count else {}
