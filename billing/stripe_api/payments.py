"""Invoices, payments and refunds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from billing.money import cents_from_nanousd
from billing.stripe_api.client import api, asked, listed, once
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot, invoice_snapshot
from billing.stripe_api.reading import Listed, Object, guarded
from billing.stripe_api.snapshots import (
    PaymentSnapshot,
    RefundSnapshot,
    payment_snapshot,
    refund_snapshot,
)

INVOICE_PARTS = ["payments"]
PAYMENT_PARTS = ["latest_charge"]


def invoice(id: str) -> InvoiceSnapshot:
    return invoice_snapshot(asked(api().invoices.retrieve, id, {"expand": INVOICE_PARTS}))


def invoices(customer_id: str, **params: Any) -> Iterator[Listed[InvoiceSnapshot]]:
    """The newest first. `status` and `subscription` narrow it."""
    params = {"customer": customer_id, "expand": [f"data.{part}" for part in INVOICE_PARTS], **params}
    return Listed.each(listed(api().invoices.list, params), invoice_snapshot)


def bill_credits(
    *, request: object, customer_id: str, price_id: str, packs: int, metadata: Mapping[str, str]
) -> InvoiceSnapshot:
    """An invoice to be paid while the customer is away; the same request gives the same invoice."""
    made = asked(
        api().invoices.create,
        {
            "customer": customer_id,
            "currency": "usd",  # else that of the customer's first invoice, whoever made it
            "metadata": dict(metadata),
            "auto_advance": False,
            "collection_method": "charge_automatically",
            "pending_invoice_items_behavior": "exclude",
            "automatic_tax": {"enabled": settings.STRIPE_TAX},
        },
        once(f"{request}-invoice"),
    )
    item = {
        "customer": customer_id,
        "invoice": made["id"],
        "pricing": {"price": price_id},
        "quantity": packs,
    }
    if invoice(made["id"]).status == "draft":
        asked(api().invoice_items.create, item, once(f"{request}-item"))
        asked(api().invoices.finalize_invoice, made["id"], {"auto_advance": False}, once(f"{request}-final"))
    return invoice(made["id"])


def pay_invoice(id: str, *, payment_method_id: str) -> InvoiceSnapshot:
    """An invoice is paid once. Raises PaymentDeclined; the invoice stays open then."""
    params = {"payment_method": payment_method_id, "off_session": True}
    asked(api().invoices.pay, id, params, once(f"{id}-{payment_method_id}"))
    return invoice(id)


def finalize_invoice(id: str, *, collects: bool = False) -> None:
    """A draft is an invoice from now on, with a page to pay it on. Stripe charges for it if it `collects`.
    Raises AddressNeeded.
    """
    asked(api().invoices.finalize_invoice, id, {"auto_advance": collects})


def void_invoice(id: str) -> None:
    asked(api().invoices.void_invoice, id)


def payment(id: str) -> PaymentSnapshot:
    return _payment(asked(api().payment_intents.retrieve, id, {"expand": PAYMENT_PARTS}))


def payments(customer_id: str) -> Iterator[Listed[PaymentSnapshot]]:
    params = {"customer": customer_id, "expand": [f"data.{part}" for part in PAYMENT_PARTS]}
    return Listed.each(listed(api().payment_intents.list, params), _payment)


def refunded() -> Iterator[Listed[str]]:
    """The ids of payments that were refunded, the newest refund first."""
    return Listed.each(listed(api().refunds.list, {}), _payment_id)


def disputed() -> Iterator[Listed[str]]:
    """The ids of payments that were disputed, the newest dispute first."""
    return Listed.each(listed(api().disputes.list, {}), _payment_id)


def _payment_id(about: Object) -> str:
    return str(about.get("payment_intent") or "")


@guarded
def _payment(intent: Object) -> PaymentSnapshot:
    charge = intent.get("latest_charge")
    disputed = isinstance(charge, dict) and charge["disputed"]
    disputes = listed(api().disputes.list, {"payment_intent": intent["id"]}) if disputed else iter(())
    return payment_snapshot(intent, next((dispute["status"] for dispute in disputes), ""))


def refund_made(id: str) -> RefundSnapshot:
    return refund_snapshot(asked(api().refunds.retrieve, id))


def refund(payment_id: str, *, nanousd: int, request: object) -> str:
    """Returns the refund's id. The same request refunds once, for good: Stripe forgets idempotency keys after
    a day, so the refunds that were made are asked for first.
    """
    for made in listed(api().refunds.list, {"payment_intent": payment_id}):
        if (made["metadata"] or {}).get("request") == str(request):
            return str(made["id"])
    params = {
        "payment_intent": payment_id,
        "amount": cents_from_nanousd(nanousd),
        "metadata": {"request": str(request)},
    }
    return str(asked(api().refunds.create, params, once(request))["id"])
