"""Each kind of difference between our rows and Stripe, planted: reconcile repairs it and says so, or says
that somebody must look.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from billing import stripe_api
from billing.models import (
    Checkout,
    CreditPurchase,
    Customer,
    Invoice,
    Payment,
    Promotion,
    PurchasedSeat,
    Subscription,
    SubscriptionItem,
)
from billing.stripe_api.client import api
from billing.sync.reconcile import reconcile
from billing.workflows.checkouts import buy_credits
from quota.models import Entitlement
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.year import state_of


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    """A Team with seats, Credits, a promotion, and something planned."""
    story = Story(stripe_account)
    story.subscribe(plus=1, max=2)
    checkout = buy_credits(team=story.team, packs=1, at=stripe_account.at, by=story.owner)
    stripe_account.pay(checkout.url, saved=True)
    stripe_api.create_promotion(request="half", code="HALF", duration="once", percent_hundredths=5_000)
    story.give_up(story.seats()[1])
    return story


def wrong_status(story: Story) -> None:
    Subscription.objects.update(status="past_due", past_due_since=story.account.at)


def wrong_period(story: Story) -> None:
    Subscription.objects.update(period_end=story.row.period_end - timedelta(days=1))


def other_quantities(story: Story) -> None:
    SubscriptionItem.objects.update(quantity=7)


def a_lost_seat(story: Story) -> None:
    seat = PurchasedSeat.objects.earliest("pk")
    Entitlement.objects.filter(seat=seat.seat).update(superseded_at=story.account.at)


def a_suspended_seat(story: Story) -> None:
    Subscription.objects.update(status="past_due")
    Entitlement.objects.update(suspended_at=story.account.at)


def an_unpaid_invoice(story: Story) -> None:
    Invoice.objects.update(status="open", paid_nanousd=0)


def a_forgotten_invoice(story: Story) -> None:
    Invoice.objects.all().delete()


def an_unpaid_payment(story: Story) -> None:
    Payment.objects.update(status="processing", received_nanousd=0)


def a_forgotten_payment(story: Story) -> None:
    Payment.objects.all().delete()


def an_open_checkout(story: Story) -> None:
    Checkout.objects.filter(kind="credits").update(state="processing")


def another_card(story: Story) -> None:
    Customer.objects.update(card="Visa ···· 0000")


def a_forgotten_promotion(story: Story) -> None:
    Promotion.objects.all().delete()


def a_schedule_that_was_released(story: Story) -> None:
    api().subscription_schedules.release(story.row.schedule_id)


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (wrong_status, "subscription "),
        (wrong_period, ""),
        (other_quantities, ""),
        (a_lost_seat, "seat "),
        (a_suspended_seat, "seat "),
        (an_unpaid_invoice, "invoice "),
        (a_forgotten_invoice, "invoice "),
        (an_unpaid_payment, "payment "),
        (a_forgotten_payment, "payment "),
        (an_open_checkout, "checkout "),
        (another_card, "customer "),
        (a_forgotten_promotion, "promotion "),
        (a_schedule_that_was_released, "schedule "),
    ],
)
def test_what_differs_is_made_to_agree_and_said(
    story: Story, plant: Callable[[Story], None], said: str
) -> None:
    at = story.account.at
    assert reconcile(at=at).repaired == []
    before = state_of(story)
    plant(story)
    report = reconcile(at=at)
    assert report.unrepaired == []
    assert any(line.startswith(said) for line in report.repaired) or not said, report.repaired
    assert state_of(story) == before
    assert Promotion.objects.get().code == "HALF"
    assert Customer.objects.get().card == "Visa ···· 4242"
    assert story.at_stripe.schedule == story.row.schedule_id
    again = reconcile(at=at)
    assert (again.repaired, again.unrepaired) == ([], [])


def test_credits_for_a_payment_that_stripe_does_not_know_are_reported(story: Story) -> None:
    CreditPurchase.objects.update(payment_id="pi_of_another_account")
    (line,) = reconcile(at=story.account.at).unrepaired
    assert "got Credits for the payment pi_of_another_account, which Stripe does not know" in line


def test_a_second_live_subscription_is_reported_and_changes_nothing(story: Story) -> None:
    story.use_card("pm_card_visa")
    price = api().prices.list({"lookup_keys": ["max_v1_month"]}).data[0].id
    second = api().subscriptions.create({"customer": story.customer, "items": [{"price": price}]})
    before = state_of(story)["seats"]
    lines = reconcile(at=story.account.at).unrepaired
    assert [line for line in lines if second.id in line] == lines != []
    assert state_of(story)["seats"] == before


def test_a_price_that_is_not_ours_is_reported(story: Story) -> None:
    params = {"currency": "usd", "unit_amount": 700, "recurring": {"interval": "month"}}
    product = api().products.create({"name": "something else"}).id
    price = api().prices.create({**params, "product": product}).id
    api().subscriptions.update(story.row.stripe_id, {"items": [{"price": price, "quantity": 1}]})
    before = state_of(story)["seats"]
    lines = reconcile(at=story.account.at).unrepaired
    assert lines
    assert all(price in line for line in lines), lines
    assert state_of(story)["seats"] == before
