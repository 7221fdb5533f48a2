"""Changes of a subscription: paid at once, pending until they are paid, or refused."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.helpers.local_stripe.in_process import World, at
from tests.helpers.local_stripe.upgrades import NOW, begin, upgrade
from tokenplan.local_stripe.billing import invoices, subscription_status
from tokenplan.local_stripe.objects.errors import ApiError
from tokenplan.local_stripe.payments import payment_intents


def price_of(shop: World, id: str) -> int:
    return int(shop.subscription(id)["items"].data[0].price.unit_amount)


def test_a_change_that_is_paid_is_carried_out_at_once(shop: World) -> None:
    _, _, subscription = begin(shop, "pm_card_visa")
    after = upgrade(shop, subscription)
    assert after.pending_update is None
    assert (after.latest_invoice.total, after.latest_invoice.status) == (1_500, "paid")
    assert after["items"].data[0].price.unit_amount == 5_000
    assert "customer.subscription.pending_update_applied" not in shop.kinds()


def test_a_change_whose_card_is_declined_is_pending(shop: World) -> None:
    _, _, subscription = begin(shop)
    after = upgrade(shop, subscription)
    assert (after.status, after["items"].data[0].price.unit_amount) == ("active", 2_000)
    assert after.pending_update.expires_at == NOW + 23 * 3600
    assert after.pending_update.subscription_items[0].price.unit_amount == 5_000
    bill = after.latest_invoice
    assert (bill.status, bill.amount_due, bill.attempted, bill.next_payment_attempt) == (
        "open",
        1_500,
        True,
        None,
    )
    assert bill.hosted_invoice_url == f"http://stripe.test/i/{bill.id}"


def test_a_pending_change_is_carried_out_when_its_invoice_is_paid(shop: World) -> None:
    clock, customer, subscription = begin(shop)
    bill = upgrade(shop, subscription).latest_invoice.id
    shop.use_card(customer, "pm_card_visa")
    shop.advance(clock, NOW + 3600)
    assert shop.api.invoices.pay(bill).status == "paid"
    after = shop.subscription(subscription.id)
    assert (after.pending_update, after["items"].data[0].price.unit_amount) == (None, 5_000)
    assert shop.kinds()[-2:] == [
        "customer.subscription.updated",
        "customer.subscription.pending_update_applied",
    ]
    shop.advance(clock, at(2026, 7, 2))
    assert shop.subscription(subscription.id, "latest_invoice").latest_invoice.total == 5_000


def test_a_pending_change_is_dropped_when_its_invoice_is_voided(shop: World) -> None:
    _, _, subscription = begin(shop)
    bill = upgrade(shop, subscription).latest_invoice.id
    shop.api.invoices.void_invoice(bill)
    after = shop.subscription(subscription.id)
    assert (after.pending_update, after.status, price_of(shop, after.id)) == (None, "active", 2_000)
    assert shop.kinds()[-1] == "customer.subscription.pending_update_expired"


def test_a_pending_change_is_dropped_after_23_hours_and_its_invoice_is_void(shop: World) -> None:
    clock, customer, subscription = begin(shop)
    bill = upgrade(shop, subscription).latest_invoice.id
    shop.advance(clock, NOW + 23 * 3600 - 1)
    assert shop.subscription(subscription.id).pending_update is not None
    shop.advance(clock, NOW + 23 * 3600)
    assert shop.subscription(subscription.id).pending_update is None
    assert shop.api.invoices.retrieve(bill).status == "void"
    assert price_of(shop, subscription.id) == 2_000
    assert shop.api.customers.retrieve(customer).delinquent is False


def test_a_pending_change_waits_no_longer_than_the_period(shop: World) -> None:
    clock, _, subscription = begin(shop)
    shop.advance(clock, at(2026, 7, 1, 2))
    item = {"id": subscription["items"].data[0].id, "quantity": 9}
    assert upgrade(shop, subscription, items=[item]).pending_update.expires_at == at(2026, 7, 1)


def test_another_change_replaces_a_pending_one(shop: World) -> None:
    _, customer, subscription = begin(shop)
    first = upgrade(shop, subscription).latest_invoice.id
    shop.use_card(customer, "pm_card_visa")
    after = upgrade(shop, subscription)
    assert (after.pending_update, price_of(shop, after.id)) == (None, 5_000)
    assert shop.api.invoices.retrieve(first).status == "void"


def test_a_card_that_needs_authentication_leaves_the_change_pending_until_that_is_done(shop: World) -> None:
    _, _, subscription = begin(shop, "pm_card_authenticationRequired")
    after = upgrade(shop, subscription)
    assert after.pending_update is not None
    bill = shop.api.invoices.retrieve(
        after.latest_invoice.id, {"expand": ["payments", "confirmation_secret"]}
    )
    intent = shop.store.get("payment_intent", bill.payments.data[0].payment.payment_intent)
    assert intent["status"] == "requires_action"
    assert bill.confirmation_secret.client_secret == intent["client_secret"]
    assert "invoice.payment_action_required" in shop.kinds()
    with shop.store.transaction():
        intent = payment_intents.authenticate(shop.store, intent, ok=True, now=NOW + 60)
        invoices.intent_changed(shop.store, intent, NOW + 60)
    assert price_of(shop, subscription.id) == 5_000
    assert shop.api.invoices.retrieve(bill.id).status == "paid"


@pytest.mark.parametrize(
    "params",
    [
        {"cancel_at_period_end": True},
        {"metadata": {"a": "b"}},
        {"default_payment_method": "pm_x"},
        {"description": "x"},
    ],
)
def test_a_pending_change_takes_only_supported_parameters(shop: World, params: dict[str, Any]) -> None:
    _, customer, subscription = begin(shop, "pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        upgrade(shop, subscription, **params)
    assert "unsupported params" in str(refusal.value)
    assert price_of(shop, subscription.id) == 2_000
    assert len(shop.invoices(customer)) == 1


def test_a_change_that_is_not_to_wait_is_carried_out_and_owed(shop: World) -> None:
    _, _, subscription = begin(shop)
    after = upgrade(shop, subscription, payment_behavior="allow_incomplete")
    assert (after.status, after["items"].data[0].price.unit_amount) == ("past_due", 5_000)
    assert after.latest_invoice.status == "open"


def test_a_change_that_must_be_paid_is_not_carried_out_unpaid(shop: World) -> None:
    _, customer, subscription = begin(shop)
    with pytest.raises(stripe.CardError):
        upgrade(shop, subscription, payment_behavior="error_if_incomplete")
    assert price_of(shop, subscription.id) == 2_000
    assert len(shop.invoices(customer)) == 1


def test_a_subscription_that_must_be_paid_is_not_made_unpaid(shop: World) -> None:
    customer = shop.customer("pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError) as refusal:
        shop.api.subscriptions.create(
            {"customer": customer, "items": shop.items(plus=1), "payment_behavior": "error_if_incomplete"}
        )
    assert refusal.value.code == "card_declined"
    assert shop.api.subscriptions.list({"customer": customer, "status": "all"}).data == []
    assert shop.invoices(customer) == []


def test_an_item_is_added_changed_and_deleted_by_its_id(shop: World) -> None:
    _, _, subscription = begin(shop, "pm_card_visa")
    plus = subscription["items"].data[0].id
    after = shop.api.subscriptions.update(
        subscription.id,
        {"items": [{"price": shop.prices["max"], "quantity": 2}, {"id": plus, "quantity": 3}]},
    )
    assert [(item.price.unit_amount, item.quantity) for item in after["items"].data] == [
        (2_000, 3),
        (5_000, 2),
    ]
    after = shop.api.subscriptions.update(subscription.id, {"items": [{"id": plus, "deleted": True}]})
    assert [(item.price.unit_amount, item.quantity) for item in after["items"].data] == [(5_000, 2)]
    last = after["items"].data[0].id
    for items, why in (
        ([{"id": last, "deleted": True}], "at least one active plan"),
        ([{"id": plus, "quantity": 1}], "No such subscription_item"),
        ([{"price": shop.prices["max"], "quantity": 1}], "same plan"),
        ([{"price": shop.prices["plus-year"], "quantity": 1}], "recurring.interval"),
        ([{"price": shop.prices["pack"], "quantity": 1}], "type=recurring"),
        ([{"price": "price_none", "quantity": 1}], "No such price"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=why):
            shop.api.subscriptions.update(subscription.id, {"items": items})
    assert [item.id for item in shop.subscription(subscription.id)["items"].data] == [last]


def test_the_event_of_an_update_has_the_previous_values(shop: World) -> None:
    customer = shop.customer()
    id = shop.subscribe(customer, plus=1).id
    shop.api.subscriptions.update(id, {"metadata": {"team": "7"}})
    event = shop.store.all("event")[0]
    assert event["type"] == "customer.subscription.updated"
    assert event["data"]["previous_attributes"] == {"metadata": {}}
    assert event["data"]["object"]["metadata"] == {"team": "7"}
    count = len(shop.kinds())
    shop.api.subscriptions.update(id, {"metadata": {"team": "7"}})
    assert len(shop.kinds()) == count


def test_without_a_card_nothing_is_sold(shop: World) -> None:
    customer = shop.customer(None)
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        shop.subscribe(customer, plus=1)
    assert shop.invoices(customer) == []
    made = shop.api.subscriptions.create(
        {"customer": customer, "items": shop.items(plus=1), "payment_behavior": "default_incomplete"}
    )
    assert made.status == "incomplete"
    assert shop.api.invoices.retrieve(made.latest_invoice).attempted is False


def test_fields_that_bill_nothing_are_set(shop: World) -> None:
    customer = shop.customer()
    id = shop.subscribe(customer, plus=1).id
    card = shop.use_card(customer, "pm_card_mastercard")
    shop.api.customers.update(customer, {"address": {"country": "DE"}})
    after = shop.api.subscriptions.update(
        id,
        {
            "default_payment_method": card,
            "description": "Seats",
            "automatic_tax": {"enabled": True},
            "cancellation_details": {"comment": "Too few seats"},
            "cancel_at": shop.now + 3_600,
        },
    )
    assert (after.default_payment_method, after.description) == (card, "Seats")
    assert (after.automatic_tax.enabled, after.cancellation_details.comment) == (True, "Too few seats")
    assert (after.cancel_at, after.cancel_at_period_end) == (shop.now + 3_600, False)
    assert shop.api.subscriptions.update(id, {"cancel_at": ""}).cancel_at is None
    with pytest.raises(stripe.InvalidRequestError, match="in the future"):
        shop.api.subscriptions.update(id, {"cancel_at": shop.now})
    shop.api.subscriptions.update(id, {"cancel_at": shop.now + 3_600})
    shop.tick(shop.now + 3_600)
    assert (shop.subscription(id).status, shop.subscription(id).ended_at) == ("canceled", shop.now)


def test_a_discount_comes_and_goes_with_an_update(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    id = shop.subscribe(customer, plus=1).id
    coupon = shop.api.coupons.create({"percent_off": "10", "duration": "forever", "max_redemptions": 1}).id
    code = shop.api.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon}, "code": "TEN"})
    shop.api.subscriptions.update(id, {"discounts": [{"promotion_code": code.id}]})
    assert shop.api.promotion_codes.retrieve(code.id).times_redeemed == 1
    assert shop.api.invoices.create_preview({"subscription": id}).total == 1_800
    held = shop.subscription(id, "discounts").discounts[0]
    assert (held.source.coupon, held.promotion_code, held.subscription) == (coupon, code.id, id)
    with pytest.raises(stripe.InvalidRequestError, match="invalid"):
        shop.api.subscriptions.update(id, {"discounts": [{"promotion_code": code.id}]})
    kept = shop.api.subscriptions.update(id, {"discounts": [{"discount": held.id}]})
    assert kept.discounts == [held.id]
    assert shop.api.promotion_codes.retrieve(code.id).times_redeemed == 1
    shop.api.subscriptions.update(id, {"discounts": ""})
    assert shop.api.invoices.create_preview({"subscription": id}).total == 2_000


def test_periods_can_be_counted_anew_from_now(shop: World) -> None:
    clock, customer, subscription = begin(shop, "pm_card_visa")
    shop.api.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    after = shop.api.subscriptions.update(
        subscription.id,
        {"billing_cycle_anchor": {"type": "now"}, "proration_behavior": "always_invoice"},
    )
    assert after.billing_cycle_anchor == NOW
    assert [line.amount for line in shop.invoices(customer)[-1].lines.data] == [-1_000, 2_000]
    assert after.cancel_at == at(2026, 7, 16)
    shop.advance(clock, at(2026, 7, 15))
    assert shop.subscription(subscription.id).status == "active"
    shop.advance(clock, at(2026, 7, 16))
    assert shop.subscription(subscription.id).status == "canceled"


def test_prorations_that_wait_are_billed_when_the_subscription_ends(shop: World) -> None:
    clock, customer, subscription = begin(shop, "pm_card_visa")
    item = subscription["items"].data[0].id
    shop.api.subscriptions.update(subscription.id, {"items": [{"id": item, "quantity": 2}]})
    shop.api.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    preview = shop.api.invoices.create_preview({"subscription": subscription.id})
    shop.advance(clock, at(2026, 7, 2))
    last = shop.invoices(customer)[-1]
    assert (last.total, last.status, preview.total) == (1_000, "paid", 1_000)
    assert shop.subscription(subscription.id).status == "canceled"


def test_the_balance_held_by_a_pending_update_counts_in_the_preview_of_the_next(shop: World) -> None:
    _, customer, subscription = begin(shop)
    shop.store.save({**shop.store.get("customer", customer), "balance": -500})
    assert upgrade(shop, subscription).latest_invoice.amount_due == 1_000
    details = {
        "items": [{"id": subscription["items"].data[0].id, "quantity": 2}],
        "proration_behavior": "always_invoice",
    }
    preview = shop.api.invoices.create_preview(
        {"subscription": subscription.id, "subscription_details": details}
    )
    shop.use_card(customer, "pm_card_visa")
    asked = {**details, "payment_behavior": "pending_if_incomplete"}
    shop.api.subscriptions.update(subscription.id, asked)
    paid = shop.invoices(customer)[-1]
    assert (preview.amount_due, paid.amount_paid, paid.status) == (500, 500, "paid")


def test_a_subscription_that_was_never_paid_for_cannot_be_changed(shop: World) -> None:
    customer = shop.customer("pm_card_chargeCustomerFail")
    subscription = shop.subscribe(customer, plus=1)
    item = subscription["items"].data[0].id
    with pytest.raises(stripe.InvalidRequestError, match="incomplete"):
        shop.api.subscriptions.update(subscription.id, {"items": [{"id": item, "quantity": 2}]})
    with pytest.raises(stripe.InvalidRequestError, match="`incomplete` status"):
        shop.api.subscription_schedules.create({"from_subscription": subscription.id})
    assert len(shop.invoices(customer)) == 1


def test_a_subscription_that_ends_for_want_of_payment_leaves_no_pending_change(shop: World) -> None:
    subscription_status.set_after_retries(shop.store, subscription_status.CANCEL)
    clock, customer, subscription = begin(shop)
    shop.advance(clock, at(2026, 7, 16, 12))
    bill = upgrade(shop, subscription).latest_invoice.id
    shop.advance(clock, at(2026, 7, 16, 13))
    after = shop.subscription(subscription.id)
    assert (after.status, after.pending_update) == ("canceled", None)
    assert shop.api.invoices.retrieve(bill).status == "void"
    assert [row.status for row in shop.invoices(customer)] == ["paid", "open", "void"]
    assert shop.api.invoices.void_invoice(shop.invoices(customer)[1].id).status == "void"
    assert shop.subscription(subscription.id).status == "canceled"
    with pytest.raises(ApiError):
        subscription_status.set_after_retries(shop.store, "forgive")
