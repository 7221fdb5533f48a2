"""The invoice object: its lines, its discounts, what it comes to. Previews and real invoices are put together
here, by the same function, so that they agree to the cent.

Tax is not reckoned: `automatic_tax` is taken and shown, and adds nothing. `now` is the customer's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tokenplan.local_stripe.billing import invoice_lines as lines_of
from tokenplan.local_stripe.billing.discounts import take_off
from tokenplan.local_stripe.objects.amounts import settled
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store


def drafted(
    store: Store,
    *,
    customer: Object | None,
    lines: Sequence[Object],
    discounts: Sequence[Object],
    reason: str,
    now: int,
    period: tuple[int, int] | None = None,
    subscription: Object | None = None,
    metadata: Mapping[str, str] | None = None,
    payment_method: str | None = None,
    auto_advance: bool = True,
    finalizes_at: int | None = None,
    tax: bool = False,
    description: str | None = None,
    proration_at: int | None = None,
) -> Object:
    """An invoice that is not kept yet; a preview is no more than that. Its number, its address and the
    customer's balance come when it is finalized; what is due is known before.
    """
    id = store.new_id("in")
    invoice: Object = blank(
        "invoice",
        id=id,
        auto_advance=auto_advance,
        automatic_tax={
            "enabled": tax,
            "liability": {"type": "self"} if tax else None,
            "provider": "stripe" if tax else None,
            "status": "complete" if tax else None,
        },
        automatically_finalizes_at=finalizes_at,
        billing_reason=reason,
        created=now,
        customer=customer["id"] if customer else None,
        default_payment_method=payment_method,
        description=description,
        discounts=[discount["id"] for discount in discounts],
        metadata=dict(metadata or {}),
        next_payment_attempt=finalizes_at,
        parent=_parent(subscription, proration_at),
        period_end=period[1] if period else now,
        period_start=period[0] if period else now,
        test_clock=customer["test_clock"] if customer else None,
        **whose(customer),
    )
    return priced(store, invoice, lines, discounts, customer["balance"] if customer else 0)


def priced(
    store: Store, invoice: Object, lines: Sequence[Object], discounts: Sequence[Object], balance: int
) -> Object:
    """The invoice with these lines, and what they come to."""
    rows = [{**line, "invoice": invoice["id"]} for line in take_off(store, lines, discounts)]
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
    total = subtotal - sum(row["amount"] for row in by_discount)
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
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_discount_amounts": by_discount,
        "total_excluding_tax": total,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }


def keep(store: Store, invoice: Object, now: int) -> Object:
    """It exists from now on."""
    emit(store, "invoice.created", store.save(invoice), now)
    return invoice


def once_lines(store: Store, prices: Iterable[tuple[Object, int]], now: int) -> list[Object]:
    """Lines of what is paid once: prices and quantities."""
    return [
        lines_of.line(
            store,
            price=price,
            quantity=quantity,
            amount=price["unit_amount"] * quantity,
            text=lines_of.product_name(store, price),
            period=(now, now),
            parent={
                "type": "invoice_item_details",
                "subscription_item_details": None,
                "invoice_item_details": {
                    "invoice_item": store.new_id("ii"),
                    "proration": False,
                    "proration_details": {"credited_items": None},
                    "subscription": None,
                },
            },
        )
        for price, quantity in prices
    ]


def opened(store: Store, invoice: Object, number: str, now: int) -> Object:
    """What finalizing sets."""
    return {
        "number": number,
        "status": "open",
        "automatically_finalizes_at": None,
        "next_payment_attempt": None,
        "effective_at": now,
        "hosted_invoice_url": f"{store.base}/i/{invoice['id']}",
        "invoice_pdf": f"{store.base}/i/{invoice['id']}/pdf",
        "status_transitions": {**invoice["status_transitions"], "finalized_at": now},
    }


def _parent(subscription: Object | None, proration_at: int | None) -> Object | None:
    if subscription is None:
        return None
    details: Object = {"metadata": subscription["metadata"], "subscription": subscription["id"]}
    if proration_at is not None:
        details["subscription_proration_date"] = proration_at
    return {"type": "subscription_details", "quote_details": None, "subscription_details": details}


def whose(customer: Object | None) -> dict[str, Any]:
    owner = customer or {}
    return {f"customer_{name}": owner.get(name) for name in ("address", "email", "name", "phone")}
