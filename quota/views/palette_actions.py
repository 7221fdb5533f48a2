"""What one can do in one's Teams, by what it is called: for the palette, beside what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from quota.selectors.search import SHORTEST
from teams.models import Membership, Team
from teams.permissions import Right, may

# At most so many, as many Teams have each.
MOST = 8


@dataclass(frozen=True, slots=True)
class Action:
    """`page` is the name of its address. Whoever has the right `unless` does it themselves, and does not ask;
    `of_many`: in a Default Team it makes no sense.
    """

    label: str | Promise
    page: str
    right: Right
    unless: Right | None = None
    of_many: bool = False

    def is_for(self, membership: Membership) -> bool:
        if self.of_many and membership.team.is_default:
            return False
        return may(membership, self.right) and not (self.unless and may(membership, self.unless))


ACTIONS = (
    Action(_("Show my key"), "account-key", Right.USE),
    Action(_("Rotate my key"), "account-key-rotate", Right.USE),
    Action(_("Ask for a seat"), "account-seat-request", Right.USE, unless=Right.MANAGE_BILLING),
    Action(_("Ask for Credits"), "account-credit-request", Right.USE, unless=Right.MANAGE_BILLING),
    Action(_("Invite people"), "team-invitations", Right.INVITE, of_many=True),
    Action(_("Invite many at once"), "team-invite-many", Right.INVITE, of_many=True),
    Action(_("Give or move a seat"), "team-seats", Right.ASSIGN_SEAT, of_many=True),
    Action(_("Answer requests"), "team-requests", Right.ASSIGN_SEAT, of_many=True),
    Action(_("Say who may use Credits"), "team-credits", Right.SWITCH_CREDITS, of_many=True),
    Action(_("Change the rules of Credits"), "team-credits-policy", Right.SET_OVERFLOW),
    Action(_("Make an API key"), "team-api-keys", Right.MAKE_API_KEYS),
    Action(_("Buy seats"), "team-billing", Right.MANAGE_BILLING),
    Action(_("Buy Credits"), "team-credits-buy", Right.MANAGE_BILLING),
    Action(_("Set auto top-up of Credits"), "team-credits-auto-top-up", Right.MANAGE_BILLING),
    Action(_("Top up the API balance"), "team-balance-top-up", Right.MANAGE_BILLING),
)


@dataclass(frozen=True, slots=True)
class Offered:
    """An action in a Team, as a link."""

    label: str | Promise
    team: Team
    url: str


def offered(memberships: Sequence[Membership], text: str) -> list[Offered]:
    """The actions whose names have this text, as far as the member of each of these live memberships may do
    them; those of the first membership come first.
    """
    if len(text) < SHORTEST:
        return []
    wanted = text.casefold()
    called = [action for action in ACTIONS if wanted in str(action.label).casefold()]
    found = [
        Offered(action.label, membership.team, reverse(action.page, args=[membership.team.slug]))
        for membership in memberships
        for action in called
        if action.is_for(membership)
    ]
    return found[:MOST]
