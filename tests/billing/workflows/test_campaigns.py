"""A campaign and its discount at Stripe: made once, also where an answer was lost."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from billing.errors import PromotionUnknown
from billing.models import InviteCampaign, Promotion
from billing.selectors.invites import campaign_for, campaign_in_force
from billing.services.campaigns import ask_campaign
from billing.stripe_api.client import api
from billing.workflows.campaigns import finish_campaigns, open_campaign
from billing.workflows.checkouts import preview_seats
from billing.workflows.promotions import set_promotion_active
from tests.helpers.factories import USD, make_user
from tests.helpers.invites import asked_campaign, make_campaign, make_friend, make_inviter
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db


def test_the_same_request_again_makes_one_discount(stripe_account: StripeAccount) -> None:
    request, at, by = uuid4(), stripe_account.at, make_user()

    for _ in range(2):
        campaign = open_campaign(request=request, asked=asked_campaign(at), at=at, by=by)

    promotion = Promotion.objects.get()
    assert (campaign.promotion, promotion.scope, promotion.percent_hundredths) == (promotion, "invite", 1_000)
    assert (promotion.duration, promotion.once_a_team) == ("forever", False)
    assert len(api().promotion_codes.list({}).data) == 1


def test_the_sweep_asks_again_where_the_answer_was_lost(stripe_account: StripeAccount) -> None:
    at = stripe_account.at
    over = ask_campaign(
        request=uuid4(),
        asked=asked_campaign(at, ends_at=at + timedelta(hours=1)),
        at=at,
        by=make_user(),
    )
    assert campaign_in_force(at) is None

    assert finish_campaigns(at=at + timedelta(hours=1)) == 0
    assert (finish_campaigns(at=at), finish_campaigns(at=at)) == (1, 0)

    assert campaign_in_force(at) == over
    assert len(api().promotion_codes.list({}).data) == 1


def test_nobody_types_the_discount_of_a_campaign(stripe_account: StripeAccount) -> None:
    code = make_campaign(stripe_account.at).promotion
    assert code is not None

    with pytest.raises(PromotionUnknown):
        Story(stripe_account).begin_checkout(max=1, code=code.code)


def test_the_preview_shows_the_discount_and_without_it_the_price(stripe_account: StripeAccount) -> None:
    friend = make_friend_of_a_campaign(stripe_account)

    def total(story: Story) -> int:
        shown = preview_seats(team=story.team, seats={"max": 2}, interval="month", at=stripe_account.at)
        return shown.due_nanousd

    assert (total(friend), total(Story(stripe_account))) == (90 * USD, 100 * USD)
    promotion = InviteCampaign.objects.get().promotion
    assert promotion is not None
    set_promotion_active(promotion=promotion, active=False, at=stripe_account.at, by=make_user())
    assert total(friend) == 100 * USD


def test_a_page_with_a_discount_is_left_once_the_campaign_has_ended(
    stripe_account: StripeAccount,
) -> None:
    friend = make_friend_of_a_campaign(stripe_account)
    with_discount = friend.begin_checkout(max=1)
    assert friend.begin_checkout(max=1) == with_discount

    InviteCampaign.objects.update(ends_at=stripe_account.at)
    without = friend.begin_checkout(max=1)

    with_discount.refresh_from_db()
    assert (with_discount.state, without.state) == ("expired", "open")
    assert api().checkout.sessions.retrieve(without.stripe_id).amount_total == 5_000


@pytest.mark.slow
def test_a_year_is_cheaper_too(stripe_account: StripeAccount) -> None:
    friend = make_friend_of_a_campaign(stripe_account)

    friend.subscribe("year", max=1)

    assert friend.paid() == [45_000]


def make_friend_of_a_campaign(account: StripeAccount) -> Story:
    link = make_inviter(account)
    make_campaign(account.at)
    return make_friend(account, link)


@pytest.mark.slow
def test_what_is_off_the_first_invoice_alone_is_off_the_first_seats_of_a_team_alone(
    stripe_account: StripeAccount,
) -> None:
    link = make_inviter(stripe_account)
    make_campaign(stripe_account.at, duration="once")
    friend = make_friend(stripe_account, link)
    friend.subscribe(max=1)
    stripe_account.deliver()
    friend.cancel()
    stripe_account.advance(timedelta(days=32))
    stripe_account.deliver()
    # Nor does the page for choosing seats promise it.
    assert campaign_for(friend.team, stripe_account.at) is None
    friend.subscribe(max=1)
    assert friend.paid() == [4_500, 5_000]
