"""Who has come by whose link, and what that counts for now. What is shown and what is enforced is decided
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import F, Q, Sum
from django.urls import reverse

from billing.errors import InviteForNewcomers, InviteFromATeam, InviteOneself, InviteUsed
from billing.models import (
    CreditPurchase,
    InviteCampaign,
    InvitedTeam,
    Invitee,
    InviteLink,
    InviteVoucher,
    Invoice,
    Payment,
    Promotion,
)
from billing.querysets import InvoiceQuerySet
from teams.models import Membership, Role, Team, User

# Also of a Team that somebody made and handed on: whose it is now says nothing of who paid.
_OWN = Q(role=Role.OWNER) | Q(is_founder=True)


@dataclass(frozen=True, slots=True)
class Brought:
    """What a person's link has brought: people who came, and vouchers without what was taken back of them,
    in nano-dollars.
    """

    people: int
    vouchers: int
    nanousd: int


def campaign_in_force(at: datetime) -> InviteCampaign | None:
    return InviteCampaign.objects.in_force(at).select_related("promotion").first()


def has_subscribed(user: User) -> bool:
    """Does, or did, a Team of theirs pay for seats? They own it, or did when they or it went."""
    owned = Membership.objects.filter(user=user, role=Role.OWNER).values("team")
    return _paid_seats().filter(team__in=owned).exists()


def link_of(user: User) -> InviteLink | None:
    return InviteLink.objects.filter(user=user, blocked_at=None).first()


def url_of(link: InviteLink | None) -> str | None:
    """What is sent to friends."""
    return f"{settings.BASE_URL}{reverse('invite', args=[link.code])}" if link else None


def open_link(code: str) -> InviteLink | None:
    """The link, if it was not blocked and its person's account is open."""
    if not (code.isascii() and code.isalnum()):
        return None  # no code has such signs, and the database takes not all of them
    links = InviteLink.objects.filter(blocked_at=None, user__is_active=True).select_related("user")
    return links.filter(code=code).first()


def brought_by(user: User) -> Brought:
    rows = InviteVoucher.objects.filter(invitee__inviter=user)
    kept = rows.aggregate(sum=Sum(F("amount_nanousd") - F("clawed_nanousd")))["sum"] or 0
    return Brought(user.invitees.count(), rows.count(), kept)


def check_may_come(user: User, link: InviteLink) -> Invitee | None:
    """None where the person may come by this link, or their row where they have. Raises InviteOneself,
    InviteUsed, InviteFromATeam, InviteForNewcomers.
    """
    if link.user == user:
        raise InviteOneself
    known = Invitee.objects.filter(user=user).first()
    if known is not None:
        if known.inviter_id != link.user_id:
            raise InviteUsed
        return known
    theirs = Membership.objects.filter(user=user)
    if Membership.objects.filter(user=link.user, team__in=theirs.values("team")).exists():
        raise InviteFromATeam
    owned = theirs.filter(_OWN).values("team")
    paid = Payment.objects.filter(team__in=owned, status="succeeded")
    granted = CreditPurchase.objects.filter(team__in=owned, state=CreditPurchase.State.PAID)
    if paid.exists() or granted.exists() or _paid_seats().filter(team__in=owned).exists():
        raise InviteForNewcomers
    return None


def invitee_for(team: Team, at: datetime) -> Invitee | None:
    """The invitee because of whom the Team's seats cost less now: whose Team it is from its first checkout
    on, or else its Owner, as long as it has paid for no seats.
    """
    known = InvitedTeam.objects.filter(team=team).select_related("invitee__campaign__promotion").first()
    if known is not None:
        return known.invitee if counts(known.invitee, team, at) else None
    owner = Membership.objects.owner_of(team)
    if owner is None or _paid_seats().filter(team=team).exists():
        return None
    came = Invitee.objects.filter(user=owner.user).select_related("campaign__promotion").first()
    return came if came is not None and counts(came, team, at) else None


def counts(invitee: Invitee, team: Team, at: datetime) -> bool:
    """Does having come count for what the Team buys at `at`? While the campaign is in force, the link is not
    blocked, and the inviter never was in the Team.
    """
    if not invitee.campaign.is_in_force(at):
        return False
    links = InviteLink.objects.filter(user=invitee.inviter_id, blocked_at=None, user__is_active=True)
    return links.exists() and not Membership.objects.filter(user=invitee.inviter_id, team=team).exists()


def paid_with_a_card_of(user: User, payment: Payment) -> bool:
    """Has a Team that this person owns, owned last, or made, paid with the same card or account?"""
    owned = Membership.objects.filter(_OWN, user=user).values("team")
    same = Payment.objects.filter(team__in=owned, fingerprint=payment.fingerprint)
    return payment.fingerprint != "" and same.exists()


def campaign_for(team: Team, at: datetime) -> InviteCampaign | None:
    """The campaign whose share is taken off the Team's seats now; None where nothing is. What is off the
    first invoice alone is so for the first seats of the Team.
    """
    invitee = invitee_for(team, at)
    promotion = invitee.campaign.promotion if invitee else None
    if invitee is None or promotion is None or not promotion.active or promotion.is_over(at):
        return None
    is_first = promotion.duration != "once" or not _paid_seats().filter(team=team).exists()
    return invitee.campaign if is_first else None


def promotion_by_invite(team: Team, at: datetime) -> Promotion | None:
    """What takes that share off at Stripe."""
    campaign = campaign_for(team, at)
    return campaign.promotion if campaign else None


def _paid_seats() -> InvoiceQuerySet:
    """Invoices of seats for which money came."""
    return Invoice.objects.filter(status="paid", paid_nanousd__gt=0).exclude(subscription_id="")
