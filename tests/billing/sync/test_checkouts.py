"""A checkout session that is paid, now or in a week, or never."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.errors import AlreadySubscribed
from billing.models import CreditPurchase, Invoice
from billing.sync.checkouts import sync_checkout
from billing.sync.reconcile import reconcile
from billing.workflows.checkouts import buy_credits
from quota.selectors.credits import team_balance
from tests.helpers.factories import USD
from tests.helpers.promotions import make_code
from tests.helpers.story import Story
from tests.helpers.stripe_account import COMES_LATER, FAILS_LATER, GOOD, StripeAccount

DAY = timedelta(days=1)


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


def test_seats_wait_for_a_payment_that_comes_later(story: Story) -> None:
    checkout = story.subscribe(max=2, card=COMES_LATER)
    assert (checkout.state, story.row.status, story.plans()) == ("processing", "active", [])
    with pytest.raises(AlreadySubscribed):
        story.begin_checkout(max=1)
    story.account.advance(7 * DAY)
    story.account.deliver()
    checkout.refresh_from_db()
    assert (checkout.state, story.plans()) == ("paid", ["max", "max"])


@pytest.mark.slow
def test_a_payment_that_fails_later_ends_what_was_never_paid_and_another_can_begin(story: Story) -> None:
    checkout = story.subscribe(max=2, card=FAILS_LATER)
    story.bill_in_euros(of_subscription=True)  # that it cannot be read stops nothing
    story.account.advance(7 * DAY)
    story.account.deliver()
    story.account.deliver()  # of what we did about it
    checkout.refresh_from_db()
    assert (checkout.state, story.row.status, story.plans()) == ("failed", "canceled", [])
    assert not Invoice.objects.filter(status="open").exists()
    again = sync_checkout(checkout, story.account.at)
    assert again == [f"checkout {checkout.stripe_id}: the payment failed"]
    story.subscribe(max=1)
    assert story.plans() == ["max"]


@pytest.mark.parametrize(("account", "state"), [(COMES_LATER, "paid"), (FAILS_LATER, "failed")])
def test_credits_wait_for_a_payment_that_comes_later(story: Story, account: str, state: str) -> None:
    purchase = buys_credits(story, account)
    assert (purchase.state, team_balance(story.team.pk, story.account.at)) == ("waiting", 0)
    story.account.advance(7 * DAY)
    story.account.deliver()
    purchase.refresh_from_db()
    assert purchase.state == state
    assert team_balance(story.team.pk, story.account.at) == (10 * USD if state == "paid" else 0)


def test_a_promotion_that_leaves_nothing_to_pay_grants_all_the_same(story: Story) -> None:
    make_code("GIFT", scope="credits")
    purchase = buys_credits(story, promotion="GIFT")
    assert (purchase.state, purchase.payment_id) == ("paid", "")
    assert team_balance(story.team.pk, story.account.at) == 10 * USD
    assert reconcile(at=story.account.at).unrepaired == []
