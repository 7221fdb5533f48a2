"""Teams: create, rename, transfer, delete."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from teams.errors import DefaultTeamIsPersonal, TeamHasLiveSeats
from teams.models import Invitation, Membership, Role, Seat, Team, User
from teams.services import audit, mail
from teams.services.keys import issue_key, revoke_keys
from teams.services.locks import lock_team
from tokenplan.kit.errors import InvalidValue, NotFound, PermissionRefused
from tokenplan.kit.text import clean_name
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
    if name != team.name:
        before, team.name = team.name, name
        team.save(update_fields=["name"])
        audit.record(team=team, by=by, action="team.renamed", subject=name, at=at, details={"before": before})
    return team


@one_transaction()
def transfer_ownership(*, team: Team, to: Membership, by: User | None, at: datetime) -> Membership:
    """`to` becomes the Owner, and the Owner until now an Admin; both get a mail.

    `by` is the Owner, or None for the system. Raises DefaultTeamIsPersonal, PermissionRefused, NotFound,
    InvalidValue.
    """
    team = lock_team(team)
    if team.is_default:
        raise DefaultTeamIsPersonal
    members = {
        member.pk: member
        for member in team.memberships.live()
        .select_related("user")
        .select_for_update(no_key=True, of=("self",))
        .order_by("pk")
    }
    before = next(member for member in members.values() if member.is_owner)
    if by is not None and by.pk != before.user_id:
        raise PermissionRefused(_("Only the Owner transfers ownership."))
    if to.pk not in members:
        raise NotFound(_("This person is not a member of the Team."), pointer="/member")
    after = members[to.pk]
    if after == before:
        raise InvalidValue(_("This member already owns the Team."), pointer="/member")
    # In this order: a Team has at most one Owner at any moment.
    for member, role in ((before, Role.ADMIN), (after, Role.OWNER)):
        member.role = role
        member.save(update_fields=["role"])
    entry = audit.record(
        team=team,
        by=by,
        action="ownership.transferred",
        subject=after.user.email,
        at=at,
        details={"before": before.user.email, "after": after.user.email},
    )
    for member in (before, after):
        mail.queue(
            kind="ownership_transferred",
            to=member.user.email,
            context={
                "team": team.name,
                "slug": team.slug,
                "before": before.user.display_name,
                "after": after.user.display_name,
            },
            dedupe_key=f"ownership_transferred:{entry.pk}:{member.pk}",
            at=at,
        )
    return after


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
    for member in team.memberships.live().select_for_update(no_key=True, of=("self",)).order_by("pk"):
        member.ended_at = max(at, member.joined_at)
        member.save(update_fields=["ended_at"])
    Invitation.objects.for_team(team).open().update(revoked_at=at)
    team.deleted_at = at
    team.save(update_fields=["deleted_at"])
    audit.record(team=team, by=by, action="team.deleted", subject=team.name, at=at)
    return team
