"""The invoice object: its lines, its discounts, and what it comes to. Previews and real invoices are drafted
by the same function, so that they agree to the cent.

`now` is the customer's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenplan.local_stripe.billing import taxes
from tokenplan.local_stripe.billing.catalog import one_currency
from tokenplan.local_stripe.billing.discounts import net, take_off
from tokenplan.local_stripe.billing.tax_ids import shown
from tokenplan.local_stripe.objects.amounts import settled
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.dates import DAY, Period
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store

# How an invoice is collected (`collection_method`): Stripe charges the payment method, or the customer is
# sent it and pays.
CHARGED, SENT = "charge_automatically", "send_invoice"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceTerms:
    """What an invoice is drafted from. `reason` is its `billing_reason`; the `period` is `now` alone where
    none is given. `finalizes_at`: when Stripe finalizes it by itself. `proration_date`: the moment from which
    its prorations were counted. `collection`: how it is to be collected, as a subscription says it
    (`collection_method`, `days_until_due`); as the subscription's own, where that is not given.
    `address`: where the customer is, for the tax, if not as stored.
    """

    customer: Object | None
    lines: Sequence[Object]
    discounts: Sequence[Object] = ()
    reason: str
    now: int
    period: Period | None = None
    subscription: Object | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    payment_method_id: str | None = None
    auto_advance: bool = True
    finalizes_at: int | None = None
    tax: bool = False
    description: str | None = None
    proration_date: int | None = None
    collection: Mapping[str, Any] | None = None
    address: Mapping[str, Any] | None = None
    currency: str = ""


def draft_invoice(store: Store, terms: InvoiceTerms) -> Object:
    """A draft that is not stored: a preview is no more than that. What is due is known already; its number,
    its address and the customer's balance come when it is finalized.
    """
    customer = terms.customer
    start, end = terms.period or (terms.now, terms.now)
    invoice = blank(
        "invoice",
        id=store.new_id("in"),
        auto_advance=terms.auto_advance,
        automatic_tax=taxes.automatic_tax(terms.tax, terms.address or (customer or {}).get("address")),
        automatically_finalizes_at=terms.finalizes_at,
        billing_reason=terms.reason,
        created=terms.now,
        currency=terms.currency or one_currency(terms.lines, customer),
        custom_fields=customer["invoice_settings"]["custom_fields"] if customer else None,
        customer=customer["id"] if customer else None,
        default_payment_method=terms.payment_method_id,
        description=terms.description,
        discounts=[discount["id"] for discount in terms.discounts],
        metadata=dict(terms.metadata),
        parent=_parent(terms),
        **_collection(terms),
        payment_settings={"payment_method_types": _payment_types(terms)},
        period_end=end,
        period_start=start,
        test_clock=customer["test_clock"] if customer else None,
        **customer_fields(store, customer),
    )
    balance = customer["balance"] if customer else 0
    return priced(store, invoice, terms.lines, terms.discounts, balance)


def priced(
    store: Store, invoice: Object, lines: Sequence[Object], discounts: Sequence[Object], balance: int
) -> Object:
    """The invoice with these lines, and what they come to for a customer with this balance."""
    rows = [
        {**line, "invoice": invoice["id"], "taxes": _taxes(store, line, invoice)}
        for line in take_off(store, lines, discounts)
    ]
    every = [tax for line in rows for tax in line["taxes"]]
    by_discount = [
        {
            "amount": sum(
                row["amount"]
                for line in rows
                for row in line["discount_amounts"]
                if row["discount"] == discount["id"]
            ),
            "discount": discount["id"],
        }
        for discount in discounts
    ]
    subtotal = sum(line["amount"] for line in rows)
    total = subtotal - sum(row["amount"] for row in by_discount) + taxes.added(every)
    all_tax = sum(tax["amount"] for tax in every)
    due, _ = settled(total, balance)
    return {
        **invoice,
        "amount_due": due,
        "amount_remaining": due,
        "lines": {
            "object": "list",
            "data": rows,
            "has_more": False,
            "url": f"/v1/invoices/{invoice['id']}/lines",
        },
        "starting_balance": balance,
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - all_tax + taxes.added(every),
        "total": total,
        "total_discount_amounts": by_discount,
        "total_excluding_tax": total - all_tax,
        "total_pretax_credit_amounts": [],
        "total_taxes": taxes.total_taxes(every),
    }


def _taxes(store: Store, line: Object, invoice: Object) -> list[Object]:
    price = store.get("price", line["pricing"]["price_details"]["price"])
    tax = taxes.tax_on(net(line), price, invoice["automatic_tax"])
    return [tax] if tax else []


def repriced(store: Store, invoice: Object, customer: Object) -> Object:
    """The draft with the customer as they are now, and the tax that follows from where they are."""
    tax = taxes.automatic_tax(invoice["automatic_tax"]["enabled"], customer["address"])
    invoice = {**invoice, **customer_fields(store, customer)}
    invoice["automatic_tax"] = {**invoice["automatic_tax"], **tax}
    discounts = [store.get("discount", id) for id in invoice["discounts"]]
    return priced(store, invoice, invoice["lines"]["data"], discounts, customer["balance"])


def save_draft(store: Store, invoice: Object, now: int) -> Object:
    """Stores a draft, so that the invoice exists from now on. Returns it."""
    emit(store, "invoice.created", store.save(invoice), now)
    customer = store.get("customer", invoice["customer"])
    if customer["currency"] is None:
        store.save({**customer, "currency": invoice["currency"]})
    return invoice


def opened(store: Store, invoice: Object, customer: Object, now: int) -> Object:
    """The invoice as finalizing makes it, with the customer's next number. Neither is stored."""
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
    return {
        **invoice,
        "number": number,
        "status": "open",
        "automatically_finalizes_at": None,
        "next_payment_attempt": None,
        "due_date": invoice["due_date"] and invoice["due_date"] + now - invoice["created"],
        "effective_at": now,
        "hosted_invoice_url": f"{store.base}/i/{invoice['id']}",
        "invoice_pdf": f"{store.base}/i/{invoice['id']}/pdf",
        "status_transitions": {**invoice["status_transitions"], "finalized_at": now},
    }


def customer_fields(store: Store, customer: Object | None) -> Object:
    """What an invoice says about its customer, as it is now."""
    owner = customer or {}
    tax_ids = shown(store, owner.get("id"))
    return {"customer_tax_ids": tax_ids} | {
        f"customer_{name}": owner.get(name) for name in ("address", "email", "name", "phone")
    }


def _collection(terms: InvoiceTerms) -> Object:
    """Charged by Stripe itself, or sent to the customer, who is to pay by a day."""
    given = terms.collection or terms.subscription or {}
    if given.get("collection_method", CHARGED) == CHARGED:
        return {"collection_method": CHARGED, "due_date": None, "next_payment_attempt": terms.finalizes_at}
    due = terms.now + given["days_until_due"] * DAY
    return {"collection_method": SENT, "due_date": due, "next_payment_attempt": None}


def _payment_types(terms: InvoiceTerms) -> list[str] | None:
    settings = (terms.subscription or {}).get("payment_settings") or {}
    found: list[str] | None = settings.get("payment_method_types")
    return found


def _parent(terms: InvoiceTerms) -> Object | None:
    if terms.subscription is None:
        return None
    details: Object = {
        "metadata": terms.subscription["metadata"],
        "subscription": terms.subscription["id"],
    }
    if terms.proration_date is not None:
        details["subscription_proration_date"] = terms.proration_date
    return {"type": "subscription_details", "quote_details": None, "subscription_details": details}
