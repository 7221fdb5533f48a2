"""Which role has which right in a Team, and what the Billing right adds. Pages and API decide by this."""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS
from django.db.models import BooleanField, Case, Exists, ExpressionWrapper, OuterRef, Q, TextChoices, When
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from teams.models import ApiKey, Membership, Role, Team, User
from teams.querysets import InvitationQuerySet
from tokenplan.kit.errors import NotFound, PermissionRefused

EVERYONE = frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER})
MANAGERS = frozenset({Role.OWNER, Role.ADMIN})
OWNER = frozenset({Role.OWNER})
# So many people are named to ask.
NAMED = 3


class Right(TextChoices):
    """What can be done in a Team; the label completes “To …”. USE is everyone's: own key, usage, leaving."""

    USE = "use", _("use the Team: own key, own usage, asking for a seat, leaving")
    VIEW_TEAM = "view_team", _("see the Team's name and one's own role")
    VIEW_MEMBERS = "view_members", _("see its members and seats")
    INVITE = "invite", _("invite people, and send again or revoke invitations")
    INVITE_ADMIN = "invite_admin", _("invite somebody as Admin")
    REMOVE_MEMBER = "remove_member", _("remove a member")
    ASSIGN_SEAT = "assign_seat", _("assign, move and free seats, and answer requests for them")
    SWITCH_CREDITS = "switch_credits", _("decide whether a member may use Credits, and how many a month")
    VIEW_USAGE = "view_usage", _("see everyone's usage")
    VIEW_CREDITS = "view_credits", _("see the Team's Credits and API balance, and their ledger")
    VIEW_KEYS = "view_keys", _("see the prefixes of keys and when they were last used")
    REVOKE_KEY = "revoke_key", _("revoke a member's key")
    MAKE_API_KEYS = "make_api_keys", _("make API keys, and manage those one has made")
    MANAGE_API_KEYS = (
        "manage_api_keys",
        _("see and manage all API keys of the Team, and say who may make them"),
    )
    VIEW_AUDIT = "view_audit", _("read the audit log")
    CHANGE_ROLE = "change_role", _("change a member's role")
    RENAME = "rename", _("rename the Team")
    SET_OVERFLOW = "set_overflow", _("decide whether Credits pay when a window is full")
    MANAGE_BILLING = (
        "manage_billing",
        _("buy seats, Credits and API balance, change and cancel the subscription"),
    )
    TRANSFER = "transfer", _("transfer ownership")
    DELETE_TEAM = "delete_team", _("delete the Team")


TABLE: dict[Right, frozenset[Role]] = {
    Right.USE: EVERYONE,
    Right.VIEW_TEAM: EVERYONE,
    Right.VIEW_MEMBERS: MANAGERS,
    Right.INVITE: MANAGERS,
    Right.INVITE_ADMIN: OWNER,
    Right.REMOVE_MEMBER: MANAGERS,
    Right.ASSIGN_SEAT: MANAGERS,
    Right.SWITCH_CREDITS: MANAGERS,
    Right.VIEW_USAGE: MANAGERS,
    Right.VIEW_CREDITS: MANAGERS,
    Right.VIEW_KEYS: MANAGERS,
    Right.REVOKE_KEY: MANAGERS,
    Right.MAKE_API_KEYS: MANAGERS,
    Right.MANAGE_API_KEYS: MANAGERS,
    Right.VIEW_AUDIT: MANAGERS,
    Right.CHANGE_ROLE: OWNER,
    Right.RENAME: OWNER,
    Right.SET_OVERFLOW: OWNER,
    Right.MANAGE_BILLING: OWNER,
    Right.TRANSFER: OWNER,
    Right.DELETE_TEAM: OWNER,
}


# What the Owner gives with the Billing right, whatever the role: to see what is bought, and to pay.
BILLING = frozenset({Right.MANAGE_BILLING, Right.VIEW_CREDITS})


def may(membership: Membership, right: Right) -> bool:
    """Has the member this right, by the role or by the Billing right? Of API keys the Team may let every
    member make some.
    """
    if right is Right.MAKE_API_KEYS and membership.team.members_make_api_keys:
        return True
    if membership.manages_billing and right in BILLING:
        return True
    return membership.role in TABLE[right]


def require(membership: Membership, right: Right) -> None:
    """Raises PermissionRefused, which says whom to ask, unless the member may."""
    if not may(membership, right):
        roles = gettext(" or ").join(str(role.label) for role in Role if role in TABLE[right])
        refused = gettext("To %(action)s, you need to be %(roles)s of this Team. Ask %(names)s.")
        if right in BILLING:
            refused = gettext(
                "To %(action)s, you need to be %(roles)s of this Team, or have its Billing right. "
                "Ask %(names)s."
            )
        names = gettext(" or ").join(who_may(membership.team, right))
        raise PermissionRefused(refused % {"action": right.label, "roles": roles, "names": names})


def require_now(user: User, team: Team, right: Right) -> Membership:
    """As `require`, by what the user is in the Team at this moment: for each step of what goes on after its
    request was let in. NotFound for who is no longer a member, or has no open account any more.
    """
    memberships = Membership.objects.using(DEFAULT_DB_ALIAS).for_team(team).live()
    membership = memberships.filter(user=user, user__is_active=True).select_related("team", "user").first()
    if membership is None:
        raise NotFound(gettext("Whoever asked for this is no longer a member of the Team."))
    require(membership, right)
    return membership


def right_to_invite(role: str) -> Right:
    """What somebody needs who invites with this role: nobody but who changes roles makes an Admin."""
    return Right.INVITE_ADMIN if role == Role.ADMIN else Right.INVITE


def with_inviters(invitations: InvitationQuerySet) -> InvitationQuerySet:
    """Each with `inviter_may`: whether who sent it may still invite with its role."""
    inviters = Membership.objects.live().filter(
        team=OuterRef("team"), user=OuterRef("invited_by"), user__is_active=True
    )
    by_role = [
        When(role=role, then=Exists(inviters.filter(role__in=TABLE[right_to_invite(role)])))
        for role in (Role.ADMIN, Role.MEMBER)
    ]
    return invitations.annotate(inviter_may=Case(*by_role))


def who_may(team: Team, right: Right) -> list[str]:
    """A few people with this right and an open account, by name: the Owner, in any case, first."""
    allowed = Q(role__in=TABLE[right])
    if right in BILLING:
        allowed |= Q(manages_billing=True)
    members = Membership.objects.for_team(team).live().filter(allowed).select_related("user")
    members = members.filter(Q(role=Role.OWNER) | Q(user__is_active=True))
    is_owner = ExpressionWrapper(Q(role=Role.OWNER), output_field=BooleanField())
    return [member.user.display_name for member in members.order_by(is_owner.desc(), "pk")[:NAMED]]


def membership_of(user: User, slug: str) -> Membership:
    """The user's membership in the Team that a URL names, with its Team.

    NotFound for a Team that the user is not a member of, as for one that does not exist. Read from the
    primary: whoever is removed sees nothing from that moment on.
    """
    memberships = Membership.objects.using(DEFAULT_DB_ALIAS).live()
    membership = memberships.filter(user=user, team__slug=slug).select_related("team", "user").first()
    if membership is None:
        raise NotFound(gettext("There is no such Team among yours."))
    return membership


def api_key_of(membership: Membership, pk: int) -> ApiKey:
    """The Team's API key with this id, revoked or not: any one for who manages them all, else one that the
    member has made. NotFound for any other.
    """
    keys = ApiKey.objects.for_team(membership.team)
    if not may(membership, Right.MANAGE_API_KEYS):
        keys = keys.filter(membership__user=membership.user_id)
    key = keys.filter(pk=pk).select_related("team", "membership__user").first()
    if key is None:
        raise NotFound(gettext("This API key does not exist."))
    return key


def member_of(team: Team, pk: int, *, pointer: str | None = None) -> Membership:
    """The live membership with this id in the Team; NotFound for any other."""
    member = team.memberships.live().filter(pk=pk).select_related("team", "user").first()
    if member is None:
        raise NotFound(gettext("This person is not a member of the Team."), pointer=pointer)
    return member
