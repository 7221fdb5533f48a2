"""A refund whose answer was lost is made once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import stripe_api
from billing.models import CreditPurchase, Payment, Refund
from billing.services import refunds
from billing.stripe_api.client import api
from billing.workflows.checkouts import buy_credits
from billing.workflows.refunds import send_open_refunds
from tests.helpers.factories import USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import GOOD, StripeAccount

DAY = timedelta(days=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def buys_credits(story: Story, card: str = GOOD) -> CreditPurchase:
    checkout = buy_credits(team=story.team, packs=2, at=story.account.at, by=story.owner)
    story.account.pay(checkout.url, card)
    story.account.deliver()
    return CreditPurchase.objects.get(checkout=checkout)


def test_a_refund_whose_answer_was_lost_is_found_again_also_after_stripe_forgot_the_request(
    story: Story,
) -> None:
    purchase = buys_credits(story)
    payment = Payment.objects.get(stripe_id=purchase.payment_id)
    refund = refunds.open_refund(
        payment=payment, amount_nanousd=5 * USD, reason="x", at=story.account.at, by=story.owner
    )
    id = stripe_api.refund(payment.stripe_id, nanousd=5 * USD, request=refund.pk)
    story.account.stripe.store.remove("idempotency_key", str(refund.pk))
    story.account.stripe.store.remove("local.idempotency_key", str(refund.pk))
    assert send_open_refunds(at=story.account.at + DAY) == 1
    payment.refresh_from_db()
    assert (Refund.objects.get().stripe_id, payment.refunded_nanousd) == (id, 5 * USD)
    assert len(api().refunds.list({}).data) == 1
