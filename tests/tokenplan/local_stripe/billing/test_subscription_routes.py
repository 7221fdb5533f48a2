"""Subscriptions listed, set to end, and canceled by a call."""

from __future__ import annotations

import pytest
import stripe

from tests.helpers.local_stripe.in_process import World, at


def test_canceled_at_the_periods_end_a_subscription_lives_till_then_and_is_not_billed_again(
    shop: World,
) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    id = shop.subscribe(customer, plus=1).id
    updated = shop.api.subscriptions.update(id, {"cancel_at_period_end": True})
    assert (updated.status, updated.cancel_at) == ("active", at(2026, 7, 1))
    shop.advance(clock, at(2026, 6, 30))
    assert shop.subscription(id).status == "active"
    shop.advance(clock, at(2026, 7, 2))
    after = shop.subscription(id)
    assert (after.status, after.ended_at) == ("canceled", at(2026, 7, 1))
    assert len(shop.invoices(customer)) == 1
    assert shop.kinds()[-2:] == ["customer.subscription.deleted", "test_helpers.test_clock.ready"]


def test_a_cancellation_can_be_taken_back(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    id = shop.subscribe(customer, plus=1).id
    shop.api.subscriptions.update(id, {"cancel_at_period_end": True})
    updated = shop.api.subscriptions.update(id, {"cancel_at_period_end": False})
    assert (updated.cancel_at, updated.canceled_at) == (None, None)
    shop.advance(clock, at(2026, 7, 2))
    assert shop.subscription(id).status == "active"
    assert len(shop.invoices(customer)) == 2


def test_canceled_now_nothing_is_credited_unless_asked_for(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    one, other = shop.subscribe(customer, plus=1).id, shop.subscribe(customer, plus=1).id
    shop.advance(clock, at(2026, 6, 16))
    assert shop.api.subscriptions.cancel(one, {"invoice_now": False, "prorate": False}).status == "canceled"
    assert shop.api.customers.retrieve(customer).balance == 0
    shop.api.subscriptions.cancel(other, {"invoice_now": True, "prorate": True})
    assert shop.api.customers.retrieve(customer).balance == -1_000
    assert shop.invoices(customer)[-1].total == -1_000
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        shop.api.subscriptions.cancel(one)
    assert refusal.value.code == "resource_missing"
    with pytest.raises(stripe.InvalidRequestError):
        shop.api.subscriptions.update(one, {"cancel_at_period_end": True})


def test_lists_of_subscriptions_leave_out_what_has_ended_unless_asked_for(shop: World) -> None:
    customer = shop.customer()
    live, ended = shop.subscribe(customer, plus=1).id, shop.subscribe(customer, plus=1).id
    shop.api.subscriptions.cancel(ended)

    def listed(**params: str) -> list[str]:
        return [row.id for row in shop.api.subscriptions.list({"customer": customer, **params}).data]

    assert listed() == [live]
    assert listed(status="all") == [ended, live]
    assert listed(status="canceled") == [ended]
    assert listed(status="ended") == [ended]
    assert listed(status="past_due") == []


def test_subscriptions_are_in_the_flexible_billing_mode_and_no_other(shop: World) -> None:
    customer = shop.customer()
    asked = {"customer": customer, "items": shop.items(plus=1)}
    made = shop.api.subscriptions.create({**asked, "billing_mode": {"type": "flexible"}})
    assert made.billing_mode.type == "flexible"
    assert shop.subscribe(customer, max=1).billing_mode.flexible.proration_discounts == "included"
    for mode in ({"type": "classic"}, {"type": "flexible", "flexible": {"proration_discounts": "itemized"}}):
        with pytest.raises(stripe.InvalidRequestError, match="flexible mode"):
            shop.api.subscriptions.create({**asked, "billing_mode": mode})
        details = {"items": shop.items(plus=1), "billing_mode": mode}
        with pytest.raises(stripe.InvalidRequestError, match="flexible mode"):
            shop.api.invoices.create_preview({"customer": customer, "subscription_details": details})


def test_what_is_sold_in_euros_is_billed_in_euros_and_nothing_else_to_that_customer(shop: World) -> None:
    product = shop.api.products.create({"name": "Plus in euros"}).id
    euro = {"product": product, "currency": "eur", "unit_amount": 1_800}
    price = shop.api.prices.create({**euro, "recurring": {"interval": "month"}}).id
    customer = shop.customer()
    made = shop.api.subscriptions.create({"customer": customer, "items": [{"price": price}]})
    assert (made.currency, shop.api.customers.retrieve(customer).currency) == ("eur", "eur")
    (bill,) = shop.invoices(customer, expand=["data.payments"])
    assert (bill.currency, bill.lines.data[0].currency) == ("eur", "eur")
    (intent,) = shop.api.payment_intents.list({"customer": customer, "expand": ["data.latest_charge"]})
    assert (intent.currency, intent.latest_charge.currency) == ("eur", "eur")
    with pytest.raises(stripe.InvalidRequestError, match="combine currencies"):
        shop.subscribe(customer, plus=1)
    with pytest.raises(stripe.InvalidRequestError, match="combine currencies"):
        shop.api.subscriptions.create(
            {"customer": shop.customer(), "items": [{"price": price}, *shop.items(plus=1)]}
        )
    assert len(shop.invoices(customer)) == 1


def test_a_subscription_has_twenty_items_at_most(shop: World) -> None:
    product = shop.api.products.create({"name": "Many"}).id
    monthly = {"product": product, "currency": "usd", "recurring": {"interval": "month"}}
    prices = [shop.api.prices.create({**monthly, "unit_amount": cents}).id for cents in range(100, 121)]
    customer = shop.customer()
    with pytest.raises(stripe.InvalidRequestError, match="20 items"):
        shop.api.subscriptions.create({"customer": customer, "items": [{"price": id} for id in prices]})
    made = shop.api.subscriptions.create(
        {"customer": customer, "items": [{"price": id} for id in prices[1:]]}
    )
    with pytest.raises(stripe.InvalidRequestError, match="20 items"):
        shop.api.subscriptions.update(made.id, {"items": [{"price": prices[0]}]})
    assert len(shop.invoices(customer)) == 1
