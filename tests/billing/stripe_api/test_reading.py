"""Answers are read to their last page, and what is in another currency is not counted as dollars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from billing import stripe_api
from billing.errors import AnswerUnreadable
from billing.stripe_api import client
from billing.stripe_api.client import api
from billing.stripe_api.invoice_snapshots import invoice_snapshot
from billing.stripe_api.reading import readable
from billing.stripe_api.snapshots import customer_snapshot, payment_snapshot, refund_snapshot
from billing.sync.invoices import sync_invoice
from billing.workflows.customers import ensure_customer
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

MANY = 5


@pytest.fixture
def story(stripe_account: StripeAccount, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A customer whose lists have more objects than a page."""
    monkeypatch.setattr(client, "PAGE", 2)
    story = Story(stripe_account)
    ensure_customer(team=story.team, at=stripe_account.at)
    return story


def test_every_list_is_read_to_its_last_page(story: Story) -> None:
    for number in range(MANY):
        card = api().payment_methods.attach("pm_usBankAccount_success", {"customer": story.customer}).id
        api().customers.create({"metadata": {"number": str(number)}})
        api().invoices.create({"customer": story.customer})
        off = stripe_api.create_coupon(
            request=f"p{number}", name="Off", duration="once", amount_nanousd=10**9
        )
        stripe_api.create_promotion(request=f"p{number}", code=f"P{number}", coupon_id=off)
        api().webhook_endpoints.create({"url": "https://a.example/", "enabled_events": ["*"]})
    card = api().payment_methods.attach("pm_card_visa", {"customer": story.customer}).id
    price = stripe_api.price_by_lookup_key("plus_v1_month")
    assert price is not None
    for _ in range(MANY):
        bought = {"items": [{"price": price.id}], "default_payment_method": card}
        api().subscriptions.create({"customer": story.customer, **bought})
    for payment in stripe_api.payments(story.customer):
        stripe_api.refund(payment.id, nanousd=10**9, request=payment.id)

    assert len(stripe_api.customer(story.customer).other_methods) == MANY
    assert len(list(stripe_api.customers())) == MANY + 1
    assert len(list(stripe_api.invoices(story.customer))) == 2 * MANY
    assert len(list(stripe_api.promotions())) == MANY
    assert len(stripe_api.endpoints_at("https://a.example/")) == MANY
    assert len(list(stripe_api.subscriptions(story.customer))) == MANY
    assert len(list(stripe_api.payments(story.customer))) == MANY
    assert len(list(stripe_api.refunded())) == MANY


def test_all_items_of_a_subscription_are_read_though_it_shows_ten(story: Story) -> None:
    card = api().payment_methods.attach("pm_card_visa", {"customer": story.customer}).id
    product = api().products.create({"name": "Seat"}).id
    priced = {"product": product, "currency": "usd", "recurring": {"interval": "month"}}
    prices = [api().prices.create({**priced, "unit_amount": 100 + number}).id for number in range(12)]
    bought = api().subscriptions.create(
        {
            "customer": story.customer,
            "default_payment_method": card,
            "items": [{"price": price, "quantity": number} for number, price in enumerate(prices, 1)],
        }
    )
    assert len(bought["items"].data) == 10
    expected = {price: number for number, price in enumerate(prices, 1)}
    assert stripe_api.subscription(bought.id).quantities == expected
    (listed,) = stripe_api.subscriptions(story.customer)
    assert listed.read().quantities == expected
    changed = stripe_api.change_subscription(
        stripe_api.subscription(bought.id),
        {prices[0]: 1, prices[11]: 30},
        request="change",
        at=story.account.at,
    )
    assert changed.quantities == {prices[0]: 1, prices[11]: 30}


def test_an_invoice_in_euros_is_named_and_not_counted(story: Story) -> None:
    made = api().invoices.create({"customer": story.customer, "currency": "eur"})

    with pytest.raises(AnswerUnreadable, match=f"{made.id} is not in US dollars but in EUR"):
        sync_invoice(made.id, story.account.at)


def test_what_can_be_read_of_a_list_is_read_and_the_rest_is_named(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    oldest = api().invoices.create({"customer": story.customer, "metadata": {"purchase": "7"}}).id
    unread = story.bill_in_euros()
    newest = api().invoices.create({"customer": story.customer}).id

    listed = list(stripe_api.invoices(story.customer))

    assert [one.id for one in listed] == [newest, unread, oldest]
    assert [dict(one.metadata) for one in listed] == [{}, {}, {"purchase": "7"}]
    assert [one.id for one in readable(listed)] == [newest, oldest]
    named = f"Left out: The payment service's {unread} is not in US dollars but in EUR."
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [named]


@pytest.mark.parametrize(
    "read", [invoice_snapshot, lambda about: payment_snapshot(about, ""), refund_snapshot]
)
def test_no_amount_in_another_currency_is_read(read: Callable[[Any], object]) -> None:
    with pytest.raises(AnswerUnreadable, match="EUR"):
        read({"id": "x_1", "currency": "eur"})


def test_a_balance_in_another_currency_is_not_read() -> None:
    about = {"id": "cus_1", "currency": "eur", "balance": 0}
    assert customer_snapshot(about).balance_nanousd == 0
    with pytest.raises(AnswerUnreadable, match="EUR"):
        customer_snapshot({**about, "balance": -500})
