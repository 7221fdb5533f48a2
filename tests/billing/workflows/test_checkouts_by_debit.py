"""Checkout sessions and bank debits: seats are paid by card or Link, Credits by anything."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import CreditPurchase, Customer
from billing.stripe_api.client import api
from billing.workflows.checkouts import buy_credits
from quota.selectors.credits import team_balance
from teams.models import Mail
from tests.helpers.factories import USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import COMES_LATER, FAILS_LATER, StripeAccount

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def test_no_debit_pays_the_first_seats_and_link_does(story: Story) -> None:
    checkout = story.begin_checkout(max=2)
    session = api().checkout.sessions.retrieve(checkout.stripe_id)
    assert session.payment_method_types == ["card", "link"]

    assert story.account.pay(checkout.url, COMES_LATER) == checkout.url
    story.account.deliver()
    assert (story.plans(), api().payment_intents.list({"customer": story.customer}).data) == ([], [])

    story.account.pay(checkout.url, "000000")
    story.account.deliver()
    assert (story.plans(), story.paid()) == (["max", "max"], [10_000])
    assert story.at_stripe.billing_mode.type == "flexible"


@pytest.mark.slow
@pytest.mark.parametrize(("account", "state"), [(COMES_LATER, "paid"), (FAILS_LATER, "failed")])
def test_credits_that_a_debit_pays_come_with_the_money_and_never_before(
    story: Story, account: str, state: str
) -> None:
    checkout = buy_credits(team=story.team, packs=2, at=story.account.at, by=story.owner)
    story.account.pay(checkout.url, account)
    for by in (HOUR, 25 * HOUR, 2 * DAY):
        story.account.deliver()
        checkout.refresh_from_db()
        assert (checkout.state, CreditPurchase.objects.get().state) == ("processing", "waiting")
        assert team_balance(story.team.pk, story.account.at) == 0
        story.account.advance(by)
    story.account.advance(2 * DAY)
    story.account.deliver()

    checkout.refresh_from_db()
    granted = 10 * USD if state == "paid" else 0
    assert (checkout.state, CreditPurchase.objects.get().state) == (state, state)
    assert team_balance(story.team.pk, story.account.at) == granted
    assert bool(Mail.objects.get(kind="delayed_payment").context["paid"]) is (state == "paid")
    assert Customer.objects.get().card == ""
