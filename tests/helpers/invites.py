"""An invite campaign, and people who come by a link, as they do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from billing.models import InviteCampaign, Invitee, InviteLink, InviteVoucher
from billing.services.campaigns import CampaignAsked, ask_campaign
from billing.services.invites import come_by_link, make_link
from billing.workflows.campaigns import open_campaign
from quota.models import CreditGrant
from quota.services.balance import give_voucher
from teams.models import Team, User
from teams.services.accounts import open_account
from tests.helpers.bought import say_invoice
from tests.helpers.factories import T0, USD, make_team, make_user
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

DAY = timedelta(days=1)
MASTERCARD = "5555 5555 5555 4444"
WORDS = {"en": {"title": "Invite a friend", "description": "Ten percent for both of you."}}


def asked_campaign(at: datetime, **other: Any) -> CampaignAsked:
    """Ten percent for each side, on every invoice, from a day ago for a hundred days."""
    values: dict[str, Any] = {
        "starts_at": at - DAY,
        "ends_at": at + 99 * DAY,
        "off_hundredths": 1_000,
        "voucher_hundredths": 1_000,
        "words": WORDS,
    }
    return CampaignAsked(**{**values, **other})


def make_campaign(at: datetime, **other: Any) -> InviteCampaign:
    return open_campaign(request=uuid4(), asked=asked_campaign(at, **other), at=at, by=make_user())


def make_person(at: datetime) -> User:
    """With a Default Team."""
    person = make_user()
    open_account(user=person, at=at)
    return person


def make_inviter(account: StripeAccount) -> InviteLink:
    """The link of a person whose Team pays for a seat of Plus."""
    person = make_person(account.at)
    Story(account, make_team("Inviters", owner=person)).subscribe(plus=1, card=MASTERCARD)
    account.deliver()
    return make_link(at=account.at, by=person)


def make_friend(account: StripeAccount, link: InviteLink) -> Story:
    """A person who came by the link, with a Team that has bought nothing yet."""
    person = make_person(account.at)
    come_by_link(code=link.code, at=account.at, by=person)
    return Story(account, make_team("Friends", owner=person))


def vouchers_of(link: InviteLink) -> list[CreditGrant]:
    """The lots in the API balance of the inviter's Default Team, the oldest first."""
    return list(CreditGrant.objects.filter(team=Team.objects.get(default_for=link.user)).order_by("pk"))


def give_invite_voucher() -> InviteLink:
    """Somebody came by a link, and their Team paid an invoice: $2 for the inviter."""
    campaign = ask_campaign(request=uuid4(), asked=asked_campaign(T0), at=T0, by=make_user())
    inviter, friend = make_person(T0), make_person(T0)
    link = InviteLink.objects.create(user=inviter, code="abcdefghijkm", created_at=T0)
    InviteVoucher.objects.create(
        invoice=say_invoice(make_team(owner=friend), "in_friend"),
        invitee=Invitee.objects.create(user=friend, inviter=inviter, campaign=campaign, came_at=T0),
        lot=give_voucher(
            team=inviter.default_team,
            nanousd=2 * USD,
            expires_at=T0 + 90 * DAY,
            source="invite in_friend",
            reason="x",
            at=T0,
            by=None,
        ),
        amount_nanousd=2 * USD,
        created_at=T0,
    )
    return link
