"""A payment and the Credits that it bought: refunded by a share, frozen by a dispute."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from billing.models import Checkout, CreditPurchase, Payment, PromotionRedemption
from billing.stripe_api.client import api
from billing.sync.reconcile import reconcile
from billing.workflows.checkouts import buy_credits
from billing.workflows.refunds import refund_payment
from quota.selectors.credits import team_balance
from tests.helpers.factories import USD
from tests.helpers.promotions import make_code
from tests.helpers.story import Story
from tests.helpers.stripe_account import DISPUTED, GOOD, StripeAccount

HOUR = timedelta(hours=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def buys_credits(story: Story, card: str = GOOD, *, promotion: str = "") -> CreditPurchase:
    checkout = buy_credits(
        team=story.team, packs=2, promotion_code=promotion, at=story.account.at, by=story.owner
    )
    story.account.pay(checkout.url, card)
    story.account.deliver()
    return CreditPurchase.objects.get(checkout=checkout)


def test_a_refund_of_what_a_promotion_made_cheaper_takes_the_same_share(story: Story) -> None:
    make_code("HALF", scope="credits", percent_hundredths=5_000)
    purchase = buys_credits(story, promotion="HALF")
    refund_payment(
        payment=Payment.objects.get(stripe_id=purchase.payment_id),
        amount_nanousd=2 * USD,
        reason="two of five dollars",
        at=story.account.at,
        by=story.owner,
    )
    assert team_balance(story.team.pk, story.account.at) == 6 * USD


@pytest.mark.parametrize(("outcome", "left"), [("won", 10 * USD), ("lost", 0)])
def test_a_disputed_payment_freezes_its_lot_until_it_is_decided(
    story: Story, outcome: str, left: int
) -> None:
    purchase = buys_credits(story, DISPUTED)
    story.account.advance(HOUR)
    story.account.deliver()
    purchase.refresh_from_db()
    assert purchase.lot is not None
    assert purchase.lot.frozen_at is not None
    assert team_balance(story.team.pk, story.account.at) == 0
    (dispute,) = api().disputes.list({}).data
    page = f"{story.account.url}/_local/disputes/{dispute.id}/close"
    assert httpx.post(page, data={"outcome": outcome}, verify=False).status_code == 303
    story.account.deliver()
    assert team_balance(story.team.pk, story.account.at) == left
    assert Payment.objects.get(stripe_id=purchase.payment_id).dispute == outcome


@pytest.mark.parametrize("percent_hundredths", [5_000, 10_000])
def test_credits_whose_row_was_lost_come_back_whole_however_little_was_paid(
    story: Story, percent_hundredths: int
) -> None:
    make_code("CODE", scope="credits", percent_hundredths=percent_hundredths)
    checkout = buy_credits(
        team=story.team, packs=2, promotion_code="CODE", at=story.account.at, by=story.owner
    )
    story.account.pay(checkout.url)
    purchase = CreditPurchase.objects.get()
    PromotionRedemption.objects.all().delete()
    CreditPurchase.objects.all().delete()
    Checkout.objects.all().delete()

    story.account.deliver()

    again = CreditPurchase.objects.get()
    assert (again.pk, again.state, again.amount_nanousd) == (purchase.pk, "paid", 10 * USD)
    assert team_balance(story.team.pk, story.account.at) == 10 * USD
    assert reconcile(at=story.account.at).unrepaired == []
