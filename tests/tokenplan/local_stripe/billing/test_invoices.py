"""Invoices made, finalized, paid and voided by a call."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.helpers.local_stripe.in_process import World, at


def bill(shop: World, customer: str, packs: int = 3) -> Any:
    """An invoice of so many packs, made as our backend bills Credits."""
    made = shop.api.invoices.create(
        {
            "customer": customer,
            "metadata": {"purchase": "p1"},
            "auto_advance": False,
            "collection_method": "charge_automatically",
            "pending_invoice_items_behavior": "exclude",
            "automatic_tax": {"enabled": False},
        },
        {"idempotency_key": "p1-invoice"},
    )
    item = {
        "customer": customer,
        "invoice": made.id,
        "pricing": {"price": shop.prices["pack"]},
        "quantity": packs,
    }
    shop.api.invoice_items.create(item, {"idempotency_key": "p1-item"})
    return shop.api.invoices.finalize_invoice(
        made.id, {"auto_advance": False}, {"idempotency_key": "p1-final"}
    )


def test_an_invoice_of_packs_is_put_together_finalized_and_paid(shop: World) -> None:
    customer = shop.customer()
    invoice = bill(shop, customer)
    assert (invoice.status, invoice.total, invoice.amount_due, invoice.attempted) == (
        "open",
        1_500,
        1_500,
        False,
    )
    assert [(line.description, line.amount, line.quantity) for line in invoice.lines.data] == [
        ("Credits", 1_500, 3)
    ]
    assert invoice.lines.data[0].parent.type == "invoice_item_details"
    assert invoice.lines.data[0].pricing.price_details.price == shop.prices["pack"]
    card = shop.use_card(customer)
    paid = shop.api.invoices.pay(invoice.id, {"payment_method": card, "off_session": True})
    assert (paid.status, paid.amount_paid, paid.amount_remaining, paid.attempt_count) == ("paid", 1_500, 0, 1)
    again = shop.api.invoices.retrieve(invoice.id, {"expand": ["payments"]})
    link = again.payments.data[0]
    assert (link.status, link.amount_paid, link.payment.type) == ("paid", 1_500, "payment_intent")
    assert again.metadata.to_dict() == {"purchase": "p1"}
    assert shop.invoices(customer)[0].id == invoice.id
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        shop.api.invoices.pay(invoice.id)


def test_the_same_request_makes_the_same_invoice(shop: World) -> None:
    customer = shop.customer()
    first = bill(shop, customer)
    assert bill(shop, customer).id == first.id
    assert len(shop.invoices(customer)) == 1
    assert len(shop.api.invoices.retrieve(first.id).lines.data) == 1


def test_a_declined_payment_is_one_event_and_the_invoice_stays_open(shop: World) -> None:
    customer = shop.customer()
    invoice = bill(shop, customer)
    poor = {"payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds"}
    with pytest.raises(stripe.CardError) as refusal:
        shop.api.invoices.pay(invoice.id, poor, {"idempotency_key": "pay"})
    assert (refusal.value.code, refusal.value.http_status) == ("card_declined", 402)
    assert refusal.value.error is not None
    assert refusal.value.error.decline_code == "insufficient_funds"
    with pytest.raises(stripe.CardError):
        shop.api.invoices.pay(invoice.id, poor, {"idempotency_key": "pay"})
    after = shop.api.invoices.retrieve(invoice.id, {"expand": ["payments"]})
    assert (after.status, after.attempted, after.attempt_count) == ("open", True, 1)
    intent = shop.api.payment_intents.retrieve(after.payments.data[0].payment.payment_intent)
    assert (intent.status, intent.last_payment_error.code) == ("requires_payment_method", "card_declined")
    assert len(shop.api.charges.list({"customer": customer}).data) == 1
    good = shop.use_card(customer, "pm_card_visa")
    assert shop.api.invoices.pay(invoice.id, {"payment_method": good}).status == "paid"
    assert shop.kinds().count("invoice.payment_failed") == 1


def test_a_card_that_needs_authentication_is_not_charged_without_its_holder(shop: World) -> None:
    customer = shop.customer("pm_card_authenticationRequired")
    invoice = bill(shop, customer)
    with pytest.raises(stripe.CardError) as refusal:
        shop.api.invoices.pay(invoice.id)
    assert refusal.value.http_status == 402
    assert shop.api.invoices.retrieve(invoice.id).status == "open"
    assert "invoice.payment_action_required" in shop.kinds()


def test_what_is_voided_is_not_owed_and_its_payment_is_canceled(shop: World) -> None:
    customer = shop.customer()
    shop.store.save({**shop.store.get("customer", customer), "balance": -400})
    invoice = bill(shop, customer)
    assert (invoice.amount_due, shop.api.customers.retrieve(customer).balance) == (1_100, 0)
    void = shop.api.invoices.void_invoice(invoice.id)
    assert (void.status, void.status_transitions.voided_at) == ("void", shop.now)
    assert shop.api.customers.retrieve(customer).balance == -400
    link = shop.api.invoices.retrieve(invoice.id, {"expand": ["payments"]}).payments.data[0]
    assert link.status == "canceled"
    assert shop.api.payment_intents.retrieve(link.payment.payment_intent).status == "canceled"
    for refused in (shop.api.invoices.pay, shop.api.invoices.void_invoice):
        with pytest.raises(stripe.InvalidRequestError):
            refused(invoice.id)


def test_a_balance_that_covers_everything_pays_without_a_payment(shop: World) -> None:
    customer = shop.customer()
    shop.store.save({**shop.store.get("customer", customer), "balance": -2_000})
    invoice = bill(shop, customer)
    assert (invoice.status, invoice.amount_due, invoice.amount_paid) == ("paid", 0, 0)
    assert shop.api.customers.retrieve(customer).balance == -500
    assert shop.api.payment_intents.list({"customer": customer}).data == []


def test_an_invoice_of_less_than_50_cents_goes_to_the_balance(shop: World) -> None:
    customer = shop.customer()
    coupon = shop.api.coupons.create({"amount_off": 460, "currency": "usd", "duration": "once"})
    made = shop.api.invoices.create({"customer": customer, "discounts": [{"coupon": coupon.id}]})
    item = {"customer": customer, "invoice": made.id, "pricing": {"price": shop.prices["pack"]}}
    shop.api.invoice_items.create(item)
    invoice = shop.api.invoices.finalize_invoice(made.id)
    assert (invoice.total, invoice.amount_due, invoice.status, invoice.ending_balance) == (40, 0, "paid", 40)


def test_a_fixed_amount_is_shared_out_among_the_lines_to_the_cent(shop: World) -> None:
    coupon = shop.api.coupons.create({"amount_off": 1_000, "currency": "usd", "duration": "forever"})
    customer = shop.customer()
    subscription = shop.api.subscriptions.create(
        {"customer": customer, "items": shop.items(plus=1, max=1), "discounts": [{"coupon": coupon.id}]}
    )
    invoice = shop.api.invoices.retrieve(subscription.latest_invoice)
    assert [line.discount_amounts[0].amount for line in invoice.lines.data] == [286, 714]
    assert (invoice.subtotal, invoice.total, invoice.total_discount_amounts[0].amount) == (
        7_000,
        6_000,
        1_000,
    )
    assert shop.api.coupons.retrieve(coupon.id).times_redeemed == 1


def test_a_coupon_for_one_product_is_taken_off_its_line_only(shop: World) -> None:
    product = shop.api.prices.retrieve(shop.prices["max"]).product
    coupon = shop.api.coupons.create(
        {"percent_off": "50", "duration": "forever", "applies_to": {"products": [product]}}
    )
    subscription = shop.api.subscriptions.create(
        {
            "customer": shop.customer(),
            "items": shop.items(plus=1, max=1),
            "discounts": [{"coupon": coupon.id}],
        }
    )
    assert shop.api.invoices.retrieve(subscription.latest_invoice).total == 2_000 + 2_500


def test_numbers_count_up_for_each_customer(shop: World) -> None:
    one, other = shop.customer(), shop.customer()
    for customer in (one, other, one):
        shop.subscribe(customer, plus=1)
    assert [invoice.number[-5:] for invoice in shop.invoices(one)] == ["-0001", "-0002"]
    assert [invoice.number[-5:] for invoice in shop.invoices(other)] == ["-0001"]
    assert shop.invoices(one)[0].number[:-5] != shop.invoices(other)[0].number[:-5]


def test_lists_are_narrowed_by_customer_subscription_and_status(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    one, other = shop.subscribe(customer, plus=1), shop.subscribe(customer, max=1)
    bill(shop, customer)
    assert len(shop.invoices(customer)) == 3
    assert [row.id for row in shop.invoices(customer, subscription=one.id)] == [one.latest_invoice]
    assert [row.id for row in shop.invoices(customer, subscription=other.id)] == [other.latest_invoice]
    assert [row.total for row in shop.invoices(customer, status="open")] == [1_500]
    assert shop.invoices(customer, status="draft") == []


def test_a_finalized_invoice_takes_no_further_line(shop: World) -> None:
    customer = shop.customer()
    invoice = bill(shop, customer)
    item = {"customer": customer, "invoice": invoice.id, "pricing": {"price": shop.prices["pack"]}}
    with pytest.raises(stripe.InvalidRequestError, match="no longer editable"):
        shop.api.invoice_items.create(item)
    assert shop.api.invoices.retrieve(invoice.id).total == 1_500
    with pytest.raises(stripe.InvalidRequestError, match="already finalized"):
        shop.api.invoices.finalize_invoice(invoice.id)


def test_pending_items_come_onto_the_next_invoice_that_includes_them(shop: World) -> None:
    customer = shop.customer()
    params = {"customer": customer, "pricing": {"price": shop.prices["pack"]}, "quantity": 2}
    item = shop.api.invoice_items.create(params)
    assert (item.amount, item.invoice) == (1_000, None)
    waiting = shop.api.invoice_items.list({"customer": customer, "pending": True})
    assert [row.id for row in waiting.data] == [item.id]
    without = shop.api.invoices.create({"customer": customer})
    having = shop.api.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})
    assert (without.total, having.total) == (0, 1_000)
    assert shop.api.invoice_items.retrieve(item.id).invoice == having.id
    assert [line.amount for line in shop.api.invoices.line_items.list(having.id).data] == [1_000]


def test_a_draft_that_advances_by_itself_is_paid_after_an_hour(shop: World) -> None:
    shop.now = at(2026, 6, 1)
    customer = shop.customer()
    made = shop.api.invoices.create({"customer": customer, "auto_advance": True})
    item = {"customer": customer, "invoice": made.id, "pricing": {"price": shop.prices["pack"]}}
    shop.api.invoice_items.create(item)
    shop.tick(at(2026, 6, 1, 12, 59))
    assert shop.api.invoices.retrieve(made.id).status == "draft"
    shop.tick(at(2026, 6, 1, 13))
    paid = shop.api.invoices.retrieve(made.id)
    assert (paid.status, paid.amount_paid) == ("paid", 500)
    assert [row.status for row in shop.api.invoice_payments.list({"invoice": made.id}).data] == ["paid"]


def test_a_draft_can_be_changed_and_deleted(shop: World) -> None:
    customer = shop.customer()
    made = shop.api.invoices.create({"customer": customer, "auto_advance": True, "metadata": {"a": "1"}})
    changed = shop.api.invoices.update(
        made.id, {"auto_advance": False, "metadata": {"a": "", "b": "2"}, "description": "By hand"}
    )
    assert (changed.automatically_finalizes_at, changed.metadata.to_dict()) == (None, {"b": "2"})
    assert changed.description == "By hand"
    assert shop.api.invoices.delete(made.id).deleted is True
    assert shop.invoices(customer) == []
    kept = bill(shop, customer)
    with pytest.raises(stripe.InvalidRequestError, match="only delete draft"):
        shop.api.invoices.delete(kept.id)


def test_another_customers_invoice_and_card_cannot_be_used(shop: World) -> None:
    one, other = shop.customer(), shop.customer()
    made = shop.api.invoices.create({"customer": one})
    item = {"customer": other, "invoice": made.id, "pricing": {"price": shop.prices["pack"]}}
    with pytest.raises(stripe.InvalidRequestError, match="another customer"):
        shop.api.invoice_items.create(item)
    with pytest.raises(stripe.InvalidRequestError, match="type=one_time"):
        shop.api.invoice_items.create({**item, "customer": one, "pricing": {"price": shop.prices["plus"]}})
    card = shop.use_card(other)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        shop.api.subscriptions.create(
            {"customer": one, "items": shop.items(plus=1), "default_payment_method": card}
        )
    assert shop.api.invoices.retrieve(made.id).total == 0
    assert shop.api.subscriptions.list({"customer": one, "status": "all"}).data == []


def test_a_draft_that_is_paid_is_finalized_first(shop: World) -> None:
    customer = shop.customer()
    made = shop.api.invoices.create({"customer": customer})
    assert shop.api.invoices.pay(made.id).status == "paid"
    made = shop.api.invoices.create({"customer": customer})
    item = {"customer": customer, "invoice": made.id, "pricing": {"price": shop.prices["pack"]}}
    shop.api.invoice_items.create(item)
    paid = shop.api.invoices.pay(made.id)
    assert (paid.status, paid.amount_paid, paid.number[-5:]) == ("paid", 500, "-0002")
