"""Who gets a link, who may come by one, and for which Teams that counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError

from billing.errors import (
    InviteForNewcomers,
    InviteFromATeam,
    InviteOneself,
    InvitesAfterPaying,
    InviteUnknown,
    InviteUsed,
)
from billing.models import InviteCampaign, InvitedTeam, Invitee, InviteLink
from billing.selectors.invites import Brought, brought_by
from billing.services.campaigns import end_campaign
from billing.services.invites import block_link, come_by_link, make_link
from billing.workflows.checkouts import buy_credits
from teams.models import AuditEntry, User
from teams.services.memberships import end_membership
from teams.services.teams import transfer_ownership
from tests.helpers.factories import USD, make_member, make_team, make_user, owner_of
from tests.helpers.invites import make_campaign, make_friend, make_inviter, make_person
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def link(stripe_account: StripeAccount) -> InviteLink:
    made = make_inviter(stripe_account)
    make_campaign(stripe_account.at)
    return made


def refused(account: StripeAccount, link: InviteLink, person: User, refusal: type[Refusal]) -> None:
    """Nothing is written either."""
    before = AuditEntry.objects.count(), Invitee.objects.count()
    with pytest.raises(refusal):
        come_by_link(code=link.code, at=account.at, by=person)
    assert (AuditEntry.objects.count(), Invitee.objects.count()) == before


def test_whoever_pays_has_one_link_for_good(stripe_account: StripeAccount) -> None:
    link = make_inviter(stripe_account)

    again = make_link(at=stripe_account.at, by=link.user)

    assert (again.code, len(again.code)) == (link.code, 12)
    assert AuditEntry.objects.filter(action="invite.link_made", subject=link.code, by=link.user).count() == 1


@pytest.mark.slow
def test_who_used_to_pay_gets_a_link_and_who_never_did_gets_none(stripe_account: StripeAccount) -> None:
    story = Story(stripe_account, make_team(owner=make_person(stripe_account.at)))
    with pytest.raises(InvitesAfterPaying):
        make_link(at=stripe_account.at, by=story.owner)
    assert not InviteLink.objects.exists()

    story.subscribe(plus=1)
    stripe_account.deliver()
    story.cancel()
    stripe_account.advance(timedelta(days=40))
    stripe_account.deliver()

    assert story.plans() == []
    assert make_link(at=stripe_account.at, by=story.owner).user == story.owner


def test_a_member_of_a_team_that_pays_gets_none(stripe_account: StripeAccount, link: InviteLink) -> None:
    team = link.user.memberships.get(team__default_for=None).team
    with pytest.raises(InvitesAfterPaying):
        make_link(at=stripe_account.at, by=make_member(team).user)


def test_who_came_by_a_link_is_remembered_once(stripe_account: StripeAccount, link: InviteLink) -> None:
    person = make_person(stripe_account.at)

    first = come_by_link(code=link.code, at=stripe_account.at, by=person)
    again = come_by_link(code=link.code, at=stripe_account.at, by=person)

    assert (first, first.inviter) == (again, link.user)
    assert AuditEntry.objects.filter(action="invite.came", by=person, subject=link.code).count() == 1
    assert brought_by(link.user) == Brought(people=1, vouchers=0, nanousd=0)


def test_nobody_comes_by_their_own_link(stripe_account: StripeAccount, link: InviteLink) -> None:
    refused(stripe_account, link, link.user, InviteOneself)
    with pytest.raises(IntegrityError, match="nobody_invites_themselves"):
        Invitee.objects.create(
            user=link.user,
            inviter=link.user,
            campaign=InviteCampaign.objects.get(),
            came_at=stripe_account.at,
        )


def test_nobody_comes_by_the_link_of_somebody_of_a_team_of_theirs(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    team = link.user.memberships.get(team__default_for=None).team
    colleague, former = make_member(team), make_member(team)
    end_membership(membership=former, at=stripe_account.at, by=link.user)

    refused(stripe_account, link, colleague.user, InviteFromATeam)
    refused(stripe_account, link, former.user, InviteFromATeam)


@pytest.mark.slow
def test_only_who_has_paid_for_nothing_comes_by_a_link(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    seats = Story(stripe_account)
    seats.subscribe(plus=1)
    credits = Story(stripe_account)
    stripe_account.pay(buy_credits(team=credits.team, packs=1, at=stripe_account.at, by=credits.owner).url)
    stripe_account.deliver()

    refused(stripe_account, link, seats.owner, InviteForNewcomers)
    refused(stripe_account, link, credits.owner, InviteForNewcomers)


@pytest.mark.slow
def test_who_has_paid_is_no_newcomer_by_handing_the_team_on(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    story = Story(stripe_account)
    person = story.owner
    story.subscribe(plus=1)
    stripe_account.deliver()

    heir = make_member(story.team)
    transfer_ownership(team=story.team, to=heir, at=stripe_account.at, by=person)

    refused(stripe_account, link, person, InviteForNewcomers)
    # Who is a member of a Team that pays has paid for nothing.
    someone = make_member(story.team).user
    assert come_by_link(code=link.code, at=stripe_account.at, by=someone).user == someone


@pytest.mark.slow
def test_nobody_comes_by_two_links(stripe_account: StripeAccount, link: InviteLink) -> None:
    friend = make_friend(stripe_account, link)

    refused(stripe_account, make_inviter(stripe_account), friend.owner, InviteUsed)


@pytest.mark.parametrize("why", ["unknown", "strange", "blocked", "closed", "no campaign"])
def test_a_link_that_cannot_be_used_is_unknown(
    stripe_account: StripeAccount, link: InviteLink, why: str
) -> None:
    person = make_person(stripe_account.at)
    if why == "unknown":
        link.code = "abcdefghijkm"
    elif why == "strange":
        link.code = "a\x00b"
    elif why == "blocked":
        block_link(link=link, reason="sold it", at=stripe_account.at, by=person)
        assert AuditEntry.objects.get(action="invite.link_blocked").details == {"reason": "sold it"}
    elif why == "closed":
        link.user.is_active, link.user.deactivated_at = False, stripe_account.at
        link.user.save()
    else:
        end_campaign(campaign=InviteCampaign.objects.get(), at=stripe_account.at, by=person)

    refused(stripe_account, link, person, InviteUnknown)


def test_a_blocked_link_is_not_made_again(stripe_account: StripeAccount, link: InviteLink) -> None:
    block_link(link=link, reason="sold it", at=stripe_account.at, by=make_user())

    with pytest.raises(InviteUnknown):
        make_link(at=stripe_account.at, by=link.user)


@pytest.mark.slow
def test_it_counts_for_every_team_of_theirs_that_has_bought_no_seats(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    friend = make_friend(stripe_account, link)
    second = Story(stripe_account, make_team(owner=friend.owner))

    for story in (friend, second):
        story.subscribe(max=1)
        stripe_account.deliver()
        assert story.paid() == [4_500]

    assert brought_by(link.user) == Brought(people=1, vouchers=2, nanousd=9 * USD)


@pytest.mark.slow
def test_it_does_not_count_for_a_team_that_pays_already_and_is_handed_to_them(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    paying, friend = Story(stripe_account), make_friend(stripe_account, link)
    paying.subscribe(max=1)
    stripe_account.deliver()
    member = make_member(paying.team, user=friend.owner)
    transfer_ownership(team=paying.team, to=member, at=stripe_account.at, by=paying.owner)

    stripe_account.advance(timedelta(days=31))
    stripe_account.deliver()

    assert owner_of(paying.team).user == friend.owner
    assert (paying.paid(), InvitedTeam.objects.count()) == ([5_000, 5_000], 0)
    assert brought_by(link.user).vouchers == 0


@pytest.mark.slow
def test_a_team_that_subscribes_again_saves_again(stripe_account: StripeAccount, link: InviteLink) -> None:
    friend = make_friend(stripe_account, link)
    friend.subscribe(max=1)
    stripe_account.deliver()
    friend.cancel()
    stripe_account.advance(timedelta(days=32))
    stripe_account.deliver()

    friend.subscribe(max=1)
    stripe_account.deliver()

    assert friend.paid() == [4_500, 4_500]
    assert brought_by(link.user).vouchers == 2
