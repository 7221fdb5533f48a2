"""The one permission table: which role has which right in a Team. Pages and API ask here, nowhere else."""

from __future__ import annotations

from enum import Enum

from teams.models import Membership, Role, Team, User
from tokenplan.kit.errors import NotFound, PermissionRefused

EVERYONE = frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER})
MANAGERS = frozenset({Role.OWNER, Role.ADMIN})
OWNER = frozenset({Role.OWNER})


class Right(Enum):
    """What can be done in a Team. Everyone sees their own bar and handles their own key; that is USE."""

    USE = "use the Team: own key, own usage, asking for a seat, leaving"
    VIEW_TEAM = "see the Team's name and one's own role"
    VIEW_MEMBERS = "see members and seats"
    INVITE = "invite, send again, revoke an invitation"
    REMOVE_MEMBER = "remove a member"
    ASSIGN_SEAT = "assign, move and free seats, answer requests for one"
    SWITCH_CREDITS = "switch a member's access to Credits, and cap it"
    VIEW_USAGE = "see everyone's usage"
    VIEW_CREDITS = "see the Team's Credits and their ledger"
    VIEW_KEYS = "see the prefixes of keys and when they were last used"
    REVOKE_KEY = "revoke a member's key"
    VIEW_AUDIT = "read the audit log"
    CHANGE_ROLE = "change a member's role"
    RENAME = "rename the Team"
    SET_OVERFLOW = "decide whether usage may fall to Credits"
    MANAGE_BILLING = "buy seats and Credits, change and cancel the subscription"
    TRANSFER = "transfer ownership"
    DELETE_TEAM = "delete the Team"


TABLE: dict[Right, frozenset[Role]] = {
    Right.USE: EVERYONE,
    Right.VIEW_TEAM: EVERYONE,
    Right.VIEW_MEMBERS: MANAGERS,
    Right.INVITE: MANAGERS,
    Right.REMOVE_MEMBER: MANAGERS,
    Right.ASSIGN_SEAT: MANAGERS,
    Right.SWITCH_CREDITS: MANAGERS,
    Right.VIEW_USAGE: MANAGERS,
    Right.VIEW_CREDITS: MANAGERS,
    Right.VIEW_KEYS: MANAGERS,
    Right.REVOKE_KEY: MANAGERS,
    Right.VIEW_AUDIT: MANAGERS,
    Right.CHANGE_ROLE: OWNER,
    Right.RENAME: OWNER,
    Right.SET_OVERFLOW: OWNER,
    Right.MANAGE_BILLING: OWNER,
    Right.TRANSFER: OWNER,
    Right.DELETE_TEAM: OWNER,
}


def may(membership: Membership, right: Right) -> bool:
    """Has the member's role this right?"""
    return membership.role in TABLE[right]


def require(membership: Membership, right: Right) -> None:
    """Raises PermissionRefused unless the member may."""
    if not may(membership, right):
        roles = " or ".join(role.label for role in Role if role in TABLE[right])
        raise PermissionRefused(f"You need to be {roles} of this Team to {right.value}.")


def membership_of(user: User, slug: str) -> Membership:
    """The user's membership in the Team that a URL names, with its Team.

    To a stranger the Team does not exist.
    """
    membership = (
        Membership.objects.live().filter(user=user, team__slug=slug).select_related("team", "user").first()
    )
    if membership is None:
        raise NotFound("There is no such Team among yours.")
    return membership


def member_of(team: Team, pk: int, *, pointer: str | None = None) -> Membership:
    """The live membership with this id in the Team; NotFound for any other."""
    member = team.memberships.live().filter(pk=pk).select_related("team", "user").first()
    if member is None:
        raise NotFound("This person is not a member of the Team.", pointer=pointer)
    return member
