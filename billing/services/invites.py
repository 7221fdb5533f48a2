"""Invite links: made by who pays, and taken by who has not paid yet."""

from __future__ import annotations

from datetime import datetime

from django.utils.crypto import get_random_string

from billing.errors import InvitesAfterPaying, InviteUnknown
from billing.models import InvitedTeam, Invitee, InviteLink
from billing.selectors.invites import (
    campaign_in_force,
    check_may_come,
    has_subscribed,
    invitee_for,
    open_link,
)
from teams.models import Team, User
from teams.services.audit import record
from teams.services.locks import lock_account
from tokenplan.kit.transactions import one_transaction

# Letters and digits that nobody takes for another.
SIGNS = "abcdefghijkmnpqrstuvwxyz23456789"


@one_transaction()
def make_link(*, at: datetime, by: User) -> InviteLink:
    """The person's link: the first call makes it. Raises InvitesAfterPaying, and InviteUnknown for a link
    that was blocked.
    """
    by = lock_account(by)
    link = InviteLink.objects.filter(user=by).first()
    if link is None:
        if not has_subscribed(by):
            raise InvitesAfterPaying
        link = InviteLink.objects.create(user=by, code=get_random_string(12, SIGNS), created_at=at)
        record(team=None, by=by, action="invite.link_made", subject=link.code, at=at)
    if link.blocked_at is not None:
        raise InviteUnknown
    return link


@one_transaction()
def come_by_link(*, code: str, at: datetime, by: User) -> Invitee:
    """`by` has come by this link, in the campaign that is in force: seats of their Teams cost less, and its
    person gets vouchers. By the same link again changes nothing.

    Raises InviteUnknown, and what `check_may_come` does.
    """
    link, campaign = open_link(code), campaign_in_force(at)
    if link is None or campaign is None:
        raise InviteUnknown
    by = lock_account(by)
    known = check_may_come(by, link)
    if known is not None:
        return known
    made = Invitee.objects.create(user=by, inviter=link.user, campaign=campaign, came_at=at)
    record(team=None, by=by, action="invite.came", subject=link.code, at=at)
    return made


@one_transaction()
def block_link(*, link: InviteLink, reason: str, at: datetime, by: User) -> InviteLink:
    """For good: nobody comes by it any more, nothing costs less because of it, and it brings no further
    vouchers. Those that were given stay.
    """
    lock_account(link.user)
    link.refresh_from_db()
    if link.blocked_at is None:
        link.blocked_at = at
        link.save(update_fields=["blocked_at"])
        details = {"reason": reason}
        record(team=None, by=by, action="invite.link_blocked", subject=link.code, details=details, at=at)
    return link


def mark_invited(*, team: Team, at: datetime) -> None:
    """The Team goes to pay for its first seats: it is an invitee's from now on, if its Owner is one. Called
    inside a transaction that has locked the Team.
    """
    invitee = invitee_for(team, at)
    if invitee is not None:
        InvitedTeam.objects.get_or_create(team=team, defaults={"invitee": invitee, "created_at": at})
