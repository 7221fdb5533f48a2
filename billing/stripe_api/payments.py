"""Invoices, payments, and what is paid back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from billing import facts
from billing.facts import InvoiceFacts, PaymentFacts
from billing.money import cents_from_nanousd
from billing.stripe_api.client import api, asked, listed, once

INVOICE_PARTS = ["payments"]
PAYMENT_PARTS = ["latest_charge"]


def invoice(id: str) -> InvoiceFacts:
    return facts.invoice_facts(asked(api().invoices.retrieve, id, {"expand": INVOICE_PARTS}))


def invoices(customer: str, **params: Any) -> Iterator[InvoiceFacts]:
    """The newest first. `status` and `subscription` narrow it."""
    params = {"customer": customer, "expand": [f"data.{part}" for part in INVOICE_PARTS], **params}
    return map(facts.invoice_facts, listed(api().invoices.list, params))


def bill_credits(
    *, request: object, customer: str, price: str, packs: int, metadata: Mapping[str, str]
) -> InvoiceFacts:
    """An invoice to be paid while the customer is away; the same request gives the same invoice."""
    made = asked(
        api().invoices.create,
        {
            "customer": customer,
            "metadata": dict(metadata),
            "auto_advance": False,
            "collection_method": "charge_automatically",
            "pending_invoice_items_behavior": "exclude",
            "automatic_tax": {"enabled": settings.STRIPE_TAX},
        },
        once(f"{request}-invoice"),
    )
    item = {"customer": customer, "invoice": made["id"], "pricing": {"price": price}, "quantity": packs}
    if invoice(made["id"]).status == "draft":
        asked(api().invoice_items.create, item, once(f"{request}-item"))
        asked(api().invoices.finalize_invoice, made["id"], {"auto_advance": False}, once(f"{request}-final"))
    return invoice(made["id"])


def pay_invoice(id: str, *, payment_method: str) -> InvoiceFacts:
    """An invoice is paid once. Raises PaymentDeclined; the invoice stays open then."""
    params = {"payment_method": payment_method, "off_session": True}
    asked(api().invoices.pay, id, params, once(f"{id}-{payment_method}"))
    return invoice(id)


def void_invoice(id: str) -> None:
    asked(api().invoices.void_invoice, id)


def payment(id: str) -> PaymentFacts:
    return _payment(asked(api().payment_intents.retrieve, id, {"expand": PAYMENT_PARTS}))


def payments(customer: str) -> Iterator[PaymentFacts]:
    """The newest first."""
    params = {"customer": customer, "expand": [f"data.{part}" for part in PAYMENT_PARTS]}
    return map(_payment, listed(api().payment_intents.list, params))


def _payment(intent: dict[str, Any]) -> PaymentFacts:
    charge = intent.get("latest_charge")
    disputed = isinstance(charge, dict) and charge["disputed"]
    disputes = listed(api().disputes.list, {"payment_intent": intent["id"]}) if disputed else iter(())
    return facts.payment_facts(intent, next((dispute["status"] for dispute in disputes), ""))


def pay_back(payment: str, *, nanousd: int, request: object) -> str:
    """Returns the refund's id. The same request pays back once for good: Stripe forgets the keys of requests
    after a day, so those that were made are asked for first.
    """
    for made in listed(api().refunds.list, {"payment_intent": payment}):
        if (made["metadata"] or {}).get("request") == str(request):
            return str(made["id"])
    params = {
        "payment_intent": payment,
        "amount": cents_from_nanousd(nanousd),
        "metadata": {"request": str(request)},
    }
    return str(asked(api().refunds.create, params, once(request))["id"])
