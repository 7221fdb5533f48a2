"""Stripe Tax: ten percent, in previews as on invoices, and only where the customer's place is known."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.helpers.local_stripe.account import Account
from tests.helpers.local_stripe.in_process import World, at
from tokenplan.local_stripe.billing.taxes import is_known

HERE = {"country": "US", "postal_code": "94105"}
TAX = {"automatic_tax": {"enabled": True}}


def taxed(shop: World, clock: str | None = None) -> tuple[str, str]:
    """A customer whose place is known, and their subscription to two Plus seats, with tax."""
    customer = shop.customer(clock=clock)
    shop.api.customers.update(customer, {"address": HERE})
    asked = {"customer": customer, "items": shop.items(plus=2), **TAX}
    return customer, str(shop.api.subscriptions.create(asked).id)


@pytest.mark.parametrize(
    ("address", "known"),
    [
        (None, False),
        ({"country": None}, False),
        ({"country": "US"}, False),
        ({"country": "US", "postal_code": "9410"}, False),
        (HERE, True),
        ({"country": "CA"}, False),
        ({"country": "CA", "state": "QC"}, True),
        ({"country": "DE"}, True),
        ({"country": "Germany"}, False),
    ],
)
def test_a_place_is_known_by_what_its_country_needs(address: Any, known: bool) -> None:
    assert is_known(address) is known


def test_a_preview_and_the_invoice_have_the_same_tax(shop: World) -> None:
    customer = shop.customer()
    shop.api.customers.update(customer, {"address": HERE})
    shown = shop.api.invoices.create_preview(
        {"customer": customer, "subscription_details": {"items": shop.items(plus=2)}, **TAX}
    )
    assert (shown.subtotal, shown.total, shown.total_excluding_tax) == (4_000, 4_400, 4_000)
    assert [(row.amount, row.taxable_amount, row.tax_behavior) for row in shown.total_taxes] == [
        (400, 4_000, "exclusive")
    ]
    assert (shown.automatic_tax.status, shown.lines.data[0].taxes[0].amount) == ("complete", 400)
    made = shop.api.subscriptions.create({"customer": customer, "items": shop.items(plus=2), **TAX})
    bill = shop.api.invoices.retrieve(made.latest_invoice)
    assert (bill.total, bill.amount_paid, bill.status) == (4_400, 4_400, "paid")
    assert shop.api.invoices.create_preview({"subscription": made.id}).total == 4_400


def test_a_change_is_previewed_with_its_tax_and_a_credit_takes_tax_back(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer, id = taxed(shop, clock)
    shop.advance(clock, at(2026, 6, 16))
    item = shop.subscription(id)["items"].data[0].id
    details = {"items": [{"id": item, "quantity": 1}], "proration_behavior": "always_invoice"}
    shown = shop.api.invoices.create_preview({"subscription": id, "subscription_details": details})
    assert (shown.subtotal, shown.total) == (-1_000, -1_100)
    up = {"items": [{"id": item, "quantity": 4}], "proration_behavior": "always_invoice"}
    shown = shop.api.invoices.create_preview({"subscription": id, "subscription_details": up})
    assert (shown.subtotal, shown.total) == (2_000, 2_200)
    shop.api.subscriptions.update(id, up)
    assert shop.invoices(customer)[-1].amount_paid == 2_200


def test_without_a_place_a_preview_says_that_it_lacks_one(shop: World) -> None:
    customer = shop.customer()
    asked = {"customer": customer, "subscription_details": {"items": shop.items(plus=1)}, **TAX}
    shown = shop.api.invoices.create_preview(asked)
    assert (shown.automatic_tax.status, shown.total) == ("requires_location_inputs", 2_000)
    assert shown.total_taxes == []
    elsewhere = {**asked, "customer_details": {"address": {"country": "DE"}}}
    assert shop.api.invoices.create_preview(elsewhere).total == 2_200
    assert shop.api.customers.retrieve(customer).address is None
    shown = shop.api.customers.retrieve(customer, {"expand": ["tax"]})
    assert shown.tax.automatic_tax == "unrecognized_location"


def test_no_subscription_with_tax_begins_or_changes_without_a_place(shop: World) -> None:
    customer = shop.customer()
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        shop.api.subscriptions.create({"customer": customer, "items": shop.items(plus=1), **TAX})
    assert refusal.value.code == "customer_tax_location_invalid"
    assert shop.invoices(customer) == []
    id = shop.subscribe(customer, plus=1).id
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        shop.api.subscriptions.update(id, TAX)
    assert refusal.value.code == "customer_tax_location_invalid"
    assert shop.subscription(id).automatic_tax.enabled is False
    customer, id = taxed(shop)
    shop.api.customers.update(customer, {"address": {"country": "US"}})
    items = [{"id": shop.subscription(id)["items"].data[0].id, "quantity": 3}]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        shop.api.subscriptions.update(id, {"items": items})
    assert refusal.value.code == "customer_tax_location_invalid"
    assert shop.subscription(id)["items"].data[0].quantity == 2


def test_a_renewal_without_a_place_stays_a_draft_until_somebody_finalizes_it(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer, id = taxed(shop, clock)
    shop.api.customers.update(customer, {"address": {"country": "US"}})
    shop.advance(clock, at(2026, 7, 5))
    draft = shop.subscription(id, "latest_invoice").latest_invoice
    assert (draft.status, draft.automatic_tax.status) == ("draft", "requires_location_inputs")
    assert draft.last_finalization_error.code == "customer_tax_location_invalid"
    assert draft.automatically_finalizes_at is None
    assert shop.kinds().count("invoice.finalization_failed") == 1
    # The seats go on as if all were well.
    assert shop.subscription(id).status == "active"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        shop.api.invoices.finalize_invoice(draft.id)
    assert refusal.value.code == "customer_tax_location_invalid"
    assert shop.kinds().count("invoice.finalization_failed") == 2
    shop.api.customers.update(customer, {"address": HERE})
    final = shop.api.invoices.finalize_invoice(draft.id)
    assert (final.status, final.total, final.last_finalization_error) == ("open", 4_400, None)
    assert shop.api.invoices.pay(draft.id).amount_paid == 4_400


def test_a_single_invoice_may_be_drafted_without_a_place(shop: World) -> None:
    customer = shop.customer()
    bill = shop.api.invoices.create({"customer": customer, **TAX})
    assert bill.automatic_tax.status == "requires_location_inputs"
    item = {"customer": customer, "invoice": bill.id, "pricing": {"price": shop.prices["pack"]}}
    shop.api.invoice_items.create(item)
    shop.api.customers.update(customer, {"address": {"country": "DE"}})
    assert shop.api.invoices.finalize_invoice(bill.id).total == 550
    other = shop.api.invoices.create({"customer": customer, **TAX})
    assert (
        shop.api.invoices.update(other.id, {"automatic_tax": {"enabled": False}}).automatic_tax.status is None
    )


def test_tax_is_on_what_discounts_leave_and_inside_of_an_inclusive_price(account: Account) -> None:
    customer = account.customer(address=HERE)
    account.code("TWENTY")
    price = account.price(1_100, tax_behavior="inclusive")
    session = account.session("payment", customer, price, 2, allow_promotion_codes=True, **TAX)
    assert (session.amount_total, session.total_details.amount_tax) == (2_200, 200)
    account.post(f"/checkout/{session.id}/promotion", code="TWENTY")
    after = account.reloaded(session)
    assert (after.amount_total, after.total_details.amount_tax) == (1_760, 160)


def test_the_checkout_asks_where_its_customer_is_and_keeps_it(account: Account) -> None:
    customer = account.customer()
    asks = {"customer_update": {"address": "auto", "name": "auto"}, "tax_id_collection": {"enabled": True}}
    price = account.price(2_000, "month")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        account.session("subscription", customer, price, **TAX)
    assert refusal.value.code == "customer_tax_location_invalid"
    with pytest.raises(stripe.InvalidRequestError, match="business name"):
        account.session("subscription", customer, price, tax_id_collection={"enabled": True})
    session = account.session("subscription", customer, price, **asks, **TAX)
    assert session.automatic_tax.status == "requires_location_inputs"
    assert account.pay(session).status_code == 402
    form = {**HERE, "name": "Example Ltd.", "tax_id_type": "us_ein", "number": "4242424242424242"}
    assert account.post(f"/checkout/{session.id}", **form, tax_id="x").status_code == 402
    assert account.reloaded(session).status == "open"
    assert account.post(f"/checkout/{session.id}", **form, tax_id="12-3456789").status_code == 303
    done = account.reloaded(session)
    assert (done.status, done.amount_total, done.total_details.amount_tax) == ("complete", 2_200, 200)
    assert (done.customer_details.name, done.customer_details.address.country) == ("Example Ltd.", "US")
    bill = account.api.invoices.retrieve(done.invoice)
    assert (bill.total, bill.customer_name, bill.status) == (2_200, "Example Ltd.", "paid")
    assert [row.value for row in bill.customer_tax_ids] == ["12-3456789"]
    assert account.api.customers.retrieve(customer).address.postal_code == "94105"


def test_a_purchase_at_the_checkout_is_invoiced_with_its_tax(account: Account) -> None:
    customer = account.customer(address={"country": "DE"})
    session = account.session(
        "payment", customer, account.price(500), 4, invoice_creation={"enabled": True}, **TAX
    )
    account.pay(session)
    bill = account.api.invoices.retrieve(account.reloaded(session).invoice)
    assert (bill.subtotal, bill.total, bill.amount_paid) == (2_000, 2_200, 2_200)
    assert "$2.00" in account.get(f"/i/{bill.id}").text
