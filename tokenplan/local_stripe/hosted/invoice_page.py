"""The page of an invoice, where its customer pays it."""

from __future__ import annotations

from datetime import UTC, datetime

from tokenplan.local_stripe.billing import invoice_payments
from tokenplan.local_stripe.hosted import page_payments
from tokenplan.local_stripe.hosted.card_form import NO_CARD, card_context, chosen_method
from tokenplan.local_stripe.hosted.pages import Page, PageRouter, Request, redirect
from tokenplan.local_stripe.objects.amounts import dollars
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store

pages = PageRouter()


@pages.get("/i/{}")
def show_invoice(request: Request) -> Page:
    return _invoice(request, request.store.get("invoice", request.id))


def _invoice(request: Request, invoice: Object, problem: str = "") -> Page:
    if invoice["status"] == "draft":
        raise ApiError("This invoice is not there yet.")
    context = {
        "invoice": invoice,
        "date": datetime.fromtimestamp(invoice["created"], UTC).date(),
        "address": [part for part in (invoice["customer_address"] or {}).values() if part],
        "rows": [
            {"name": line["description"], "amount": dollars(line["amount"])}
            for line in invoice["lines"]["data"]
        ],
        "off": dollars(sum(row["amount"] for row in invoice["total_discount_amounts"])),
        "is_off": any(row["amount"] for row in invoice["total_discount_amounts"]),
        "tax": dollars(sum(row["amount"] for row in invoice["total_taxes"])),
        "has_tax": bool(invoice["total_taxes"]),
        "total": dollars(invoice["total"]),
        "due": dollars(invoice["amount_remaining"]),
        "problem": problem,
        "processing": _is_processing(request.store, invoice),
        **card_context(
            request, invoice["customer"], f"/i/{invoice['id']}", invoice_payments.types_of(invoice)
        ),
    }
    return Page("invoice", context, 402 if problem else 200)


def _is_processing(store: Store, invoice: Object) -> bool:
    links = store.all("invoice_payment", invoice=invoice["id"])
    intents = [store.get("payment_intent", link["payment"]["payment_intent"]) for link in links]
    return any(intent["status"] == "processing" for intent in intents)


@pages.post("/i/{}")
def pay_invoice(request: Request) -> Page:
    invoice = request.store.get("invoice", request.id)
    if invoice["status"] != "open":
        return _invoice(request, invoice)
    chosen = chosen_method(request, invoice["customer"], invoice_payments.types_of(invoice))
    if not chosen:
        return _invoice(request, invoice, NO_CARD)
    try:
        invoice = page_payments.pay_invoice(request.store, invoice, chosen, request.now)
    except ApiError as refusal:
        return _invoice(request, invoice, str(refusal))
    link = invoice_payments.payment_of(request.store, invoice)
    intent = request.store.get("payment_intent", link["payment"]["payment_intent"])
    if intent["status"] == "requires_action":
        return redirect(f"/authenticate/{intent['id']}")
    if invoice["status"] == "open" and intent["status"] != "processing":
        return _invoice(request, invoice, (intent["last_payment_error"] or {}).get("message", ""))
    return redirect(f"/i/{invoice['id']}")
