"""Teams: create, rename, transfer, hand over, delete."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from teams.errors import DefaultTeamIsPersonal, TeamHasLiveSeats
from teams.models import AuditEntry, Invitation, Membership, Role, Seat, Team, User
from teams.services import audit, mail
from teams.services.api_keys import revoke_api_key_texts_of
from teams.services.keys import issue_key, revoke_keys
from teams.services.locks import lock_account, lock_team
from teams.services.memberships import add_member, void_invitations
from tokenplan.kit.errors import InvalidValue, NotFound, PermissionRefused
from tokenplan.kit.text import clean_email, clean_name
from tokenplan.kit.transactions import broken_constraint, one_transaction

# Kept free for pages beside those of the Teams.
RESERVED_SLUGS = frozenset({"new"})
SUFFIX_SIGNS = "23456789abcdefghjkmnpqrstvwxyz"


@one_transaction()
def create_team(*, name: str, by: User, at: datetime) -> Membership:
    """Makes a regular Team with `by` as its Owner; returns the Owner's membership, which has a key.

    Raises InvalidValue for a name that cannot be used.
    """
    name = clean_name(name, pointer="/name")
    wanted = slugify(name)[:50].strip("-")
    slugs = [wanted] if wanted and wanted not in RESERVED_SLUGS else []
    team = insert_with_free_slug(name=name, at=at, slugs=slugs, stem=wanted or "team")
    owner = found(team=team, user=by, at=at)
    audit.record(team=team, by=by, action="team.created", subject=name, at=at)
    return owner


def found(*, team: Team, user: User, at: datetime) -> Membership:
    """The Owner's membership in a new Team, with its key. Call it in a transaction."""
    owner = Membership.objects.create(team=team, user=user, role=Role.OWNER, is_founder=True, joined_at=at)
    issue_key(membership=owner, at=at)
    return owner


def insert_with_free_slug(
    *, name: str, at: datetime, stem: str, slugs: list[str], default_for: User | None = None
) -> Team:
    """A new row with the first of `slugs` that is free, else with the stem and a random ending."""
    endings = ("".join(secrets.choice(SUFFIX_SIGNS) for _ in range(6)) for _ in range(5))
    for slug in [*slugs, *(f"{stem}-{ending}" for ending in endings)]:
        try:
            with transaction.atomic():
                return Team.objects.create(slug=slug, name=name, default_for=default_for, created_at=at)
        except IntegrityError as error:
            if "slug" not in broken_constraint(error):
                raise
    raise InvalidValue(_("No address is free for this name; choose another name."), pointer="/name")


@one_transaction()
def rename_team(*, team: Team, name: str, by: User | None, at: datetime) -> Team:
    """Another name under the same slug: links keep working."""
    name = clean_name(name, pointer="/name")
    team = lock_team(team)
    if name not in (team.name, team.display_name):
        before, team.name = team.name, name
        team.save(update_fields=["name"])
        audit.record(team=team, by=by, action="team.renamed", subject=name, at=at, details={"before": before})
    return team


@one_transaction()
def transfer_ownership(*, team: Team, to: Membership, by: User | None, at: datetime) -> Membership:
    """`to` becomes the Owner, and the Owner until now an Admin; both get a mail.

    `by` is the Owner, or None for the system. Raises DefaultTeamIsPersonal, PermissionRefused, NotFound, and
    InvalidValue for the Owner, and for a member whose account is closed.
    """
    account = lock_account(to.user)
    team = lock_team(team)
    if team.is_default:
        raise DefaultTeamIsPersonal
    members = _locked_members(team)
    before = _owner_among(members)
    if by is not None and by.pk != before.user_id:
        raise PermissionRefused(_("Only the Owner transfers ownership."))
    if to.pk not in members:
        raise NotFound(_("This person is not a member of the Team."), pointer="/member")
    after = members[to.pk]
    if after == before:
        raise InvalidValue(_("This member already owns the Team."), pointer="/member")
    _require_open(account, pointer="/member")
    _change_owner(before, after)
    about = {
        "before": before.user.email,
        "after": after.user.email,
        **void_invitations(team=team, of=before.user, at=at),
    }
    entry = audit.record(
        team=team, by=by, action="ownership.transferred", subject=after.user.email, at=at, details=about
    )
    _notify_both("ownership_transferred", before, after, entry=entry, at=at)
    return after


@one_transaction()
def hand_team_over(*, team: Team, email: str, reason: str, by: User, at: datetime) -> Membership:
    """An operator makes the person with this address the Owner, because the present one is gone or cannot be
    reached. Who is no member yet becomes one. The Owner until now is an Admin then; both get a mail, with the
    reason.

    Raises PermissionRefused, DefaultTeamIsPersonal, NotFound, and InvalidValue for a reason that is empty,
    for an address that is not the confirmed one of an open account, or is the Owner's, and for a member who
    leaves in this moment.
    """
    if not by.is_staff:
        raise PermissionRefused(_("Only an operator hands a Team over."))
    reason = clean_name(reason, pointer="/reason", limit=200)
    account = lock_account(successor(team=team, email=email))
    team = lock_team(team)
    was_member = team.memberships.live().filter(user=account).exists()
    members = _locked_members(team)
    _require_open(account, pointer="/email")
    before = _owner_among(members)
    if before.user_id == account.pk:
        raise InvalidValue(_("This person owns the Team already."), pointer="/email")
    after = next((member for member in members.values() if member.user_id == account.pk), None)
    if after is None and was_member:  # whoever leaves is not brought back unasked
        raise InvalidValue(_("This person has just left the Team."), pointer="/email")
    after = after or add_member(team=team, user=account, role=Role.ADMIN, by=by, at=at)
    _change_owner(before, after)
    about = {
        "before": before.user.email,
        "after": after.user.email,
        "reason": reason,
        **void_invitations(team=team, of=before.user, at=at),
    }
    entry = audit.record(
        team=team, by=by, action="ownership.handed_over", subject=after.user.email, at=at, details=about
    )
    _notify_both("team_handed_over", before, after, entry=entry, reason=reason, at=at)
    return after


def successor(*, team: Team, email: str) -> User:
    """Who has this address, and can be made the Owner of the Team. Raises DefaultTeamIsPersonal,
    InvalidValue."""
    if team.is_default:
        raise DefaultTeamIsPersonal
    canonical = clean_email(email, pointer="/email")
    addresses = EmailAddress.objects.filter(email=canonical, verified=True, user__is_active=True)
    address = addresses.select_related("user").first()
    if address is None:
        raise InvalidValue(_("There is no open account with this address, confirmed."), pointer="/email")
    if team.memberships.live().filter(user=address.user, role=Role.OWNER).exists():
        raise InvalidValue(_("This person owns the Team already."), pointer="/email")
    user: User = address.user
    return user


def _locked_members(team: Team) -> dict[int, Membership]:
    live = team.memberships.live().select_related("user")
    locked = live.select_for_update(no_key=True, of=("self",)).order_by("pk")
    return {member.pk: member for member in locked}


def _require_open(account: User, *, pointer: str) -> None:
    """Under the account's lock: a Team whose Owner cannot sign in has none to turn to."""
    if not account.is_active:
        raise InvalidValue(_("The account of this person is closed."), pointer=pointer)


def _owner_among(members: Mapping[int, Membership]) -> Membership:
    return next(member for member in members.values() if member.is_owner)


def _change_owner(before: Membership, after: Membership) -> None:
    """In this order: a Team has at most one Owner at any moment. The Billing right is no Owner's."""
    for member, role in ((before, Role.ADMIN), (after, Role.OWNER)):
        member.role, member.manages_billing = role, False
        member.save(update_fields=["role", "manages_billing"])


def _notify_both(
    kind: str,
    before: Membership,
    after: Membership,
    *,
    entry: AuditEntry,
    at: datetime,
    **more: str,
) -> None:
    for member in (before, after):
        mail.queue(
            kind=kind,
            to=member.user.email,
            context={
                "team": after.team.kept_name,
                "slug": after.team.slug,
                "before": before.user.display_name,
                "after": after.user.display_name,
                **more,
            },
            dedupe_key=f"{kind}:{entry.pk}:{member.pk}",
            at=at,
        )


@one_transaction()
def delete_team(*, team: Team, by: User | None, at: datetime) -> Team:
    """The Team and every key in it stop working for everyone; its rows stay as history.

    Memberships end and open invitations are revoked. Raises TeamHasLiveSeats, DefaultTeamIsPersonal,
    NotFound.
    """
    # The Team is locked first, so that nobody joins meanwhile with a key that would live on.
    team = lock_team(team)
    if team.is_default:
        raise DefaultTeamIsPersonal
    if Seat.objects.for_team(team).live().exists():
        raise TeamHasLiveSeats
    for member in team.memberships.live().order_by("pk"):
        revoke_keys(membership=member, by=by, at=at)
        revoke_api_key_texts_of(membership=member, by=by, at=at)
    for member in team.memberships.live().select_for_update(no_key=True, of=("self",)).order_by("pk"):
        member.ended_at = max(at, member.joined_at)
        member.save(update_fields=["ended_at"])
    Invitation.objects.for_team(team).open().update(revoked_at=at)
    team.deleted_at = at
    team.save(update_fields=["deleted_at"])
    audit.record(team=team, by=by, action="team.deleted", subject=team.name, at=at)
    return team
