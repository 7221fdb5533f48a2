"""Changes of a subscription that is paid by bank debit."""

from __future__ import annotations

import pytest
import stripe

from tests.helpers.local_stripe.in_process import World
from tests.helpers.local_stripe.upgrades import NOW, begin, upgrade
from tokenplan.local_stripe.billing import invoices
from tokenplan.local_stripe.payments import payment_intents


def price_of(shop: World, id: str) -> int:
    return int(shop.subscription(id)["items"].data[0].price.unit_amount)


@pytest.mark.parametrize("owner", ["subscription", "customer"])
def test_no_change_can_wait_for_a_bank_debit(shop: World, owner: str) -> None:
    _, customer, subscription = begin(shop, "pm_usBankAccount_success")
    if owner == "subscription":
        bank = shop.use_card(customer)
        shop.use_card(customer, "pm_card_visa")
        shop.api.subscriptions.update(subscription.id, {"default_payment_method": bank})
    with pytest.raises(stripe.InvalidRequestError, match="bank debits") as refusal:
        upgrade(shop, subscription)
    assert refusal.value.param == "payment_behavior"
    assert price_of(shop, subscription.id) == 2_000
    assert len(shop.invoices(customer)) == 1


def test_a_change_that_waits_cannot_be_paid_by_bank_debit(shop: World) -> None:
    _, customer, subscription = begin(shop)
    bill = upgrade(shop, subscription).latest_invoice.id
    bank = shop.api.payment_methods.attach("pm_usBankAccount_success", {"customer": customer}).id
    with pytest.raises(stripe.InvalidRequestError, match="bank debits"):
        shop.api.invoices.pay(bill, {"payment_method": bank})
    assert shop.subscription(subscription.id).pending_update is not None
    assert shop.api.invoices.retrieve(bill).status == "open"


def test_an_invoice_takes_only_the_types_that_its_subscription_allows(shop: World) -> None:
    _, customer, subscription = begin(shop, "pm_card_visa")
    only = {"payment_settings": {"payment_method_types": ["card"]}}
    after = shop.api.subscriptions.update(subscription.id, only)
    assert after.payment_settings.payment_method_types == ["card"]
    bank = shop.use_card(customer, "pm_usBankAccount_success")
    with pytest.raises(stripe.InvalidRequestError, match="not allowed for this invoice"):
        upgrade(shop, subscription, payment_behavior="allow_incomplete")
    assert len(shop.invoices(customer)) == 1
    every = {"payment_settings": {"payment_method_types": ""}}
    assert shop.api.subscriptions.update(subscription.id, every).payment_settings.payment_method_types is None
    assert upgrade(shop, subscription, payment_behavior="allow_incomplete").latest_invoice.status == "open"
    assert shop.api.customers.retrieve(customer).invoice_settings.default_payment_method == bank


def test_a_change_paid_by_bank_debit_is_done_and_owed_when_the_money_fails_to_come(shop: World) -> None:
    _, _, subscription = begin(shop, "pm_usBankAccount_insufficientFunds")
    after = upgrade(shop, subscription, payment_behavior="allow_incomplete")
    assert (after.pending_update, after.latest_invoice.status) == (None, "open")
    assert price_of(shop, after.id) == 5_000
    bill = shop.api.invoices.retrieve(after.latest_invoice.id, {"expand": ["payments"]})
    intent = shop.store.get("payment_intent", bill.payments.data[0].payment.payment_intent)
    with shop.store.transaction():
        intent = payment_intents.settle_processing(shop.store, intent, ok=False, now=NOW + 60)
        invoices.intent_changed(shop.store, intent, NOW + 60)
    assert shop.subscription(subscription.id).status == "past_due"
    assert price_of(shop, subscription.id) == 5_000
