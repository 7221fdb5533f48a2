"""The calls about invoices and invoice items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tokenplan.local_stripe.billing import invoice_payments, invoices
from tokenplan.local_stripe.billing.catalog import CURRENCIES, one_currency
from tokenplan.local_stripe.billing.discounts import GIVEN, begin, draft_discounts, redeem_all
from tokenplan.local_stripe.billing.invoice_drafts import (
    CHARGED,
    SENT,
    InvoiceTerms,
    draft_invoice,
    priced,
    repriced,
    save_draft,
)
from tokenplan.local_stripe.billing.invoice_lines import (
    active_price,
    invoice_item,
    invoice_item_line,
    one_time_sale,
)
from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import flag, integer, mapping, merged, one_of, text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit, emit_updated
from tokenplan.local_stripe.objects.store import Store

router = Router()
STATUSES = ("draft", "open", "paid", "uncollectible", "void")


@router.post(
    "/invoices",
    {
        "customer": text,
        "metadata": mapping,
        "auto_advance": flag,
        "collection_method": one_of(CHARGED, SENT),
        "days_until_due": integer,
        "pending_invoice_items_behavior": one_of("exclude", "include"),
        "automatic_tax": {"enabled": flag},
        "default_payment_method": text,
        "description": text,
        "discounts": [GIVEN],
        "currency": one_of(*CURRENCIES),
    },
    required=["customer"],
)
def create(call: Call) -> Object:
    given, store = call.params, call.store
    customer = store.get("customer", given["customer"], "customer")
    now = now_of(store, customer["id"], call.now)
    waiting: list[Object] = []
    if given.get("pending_invoice_items_behavior") == "include":
        waiting = store.all("invoiceitem", customer=customer["id"], invoice=None, parent=None)[::-1]
    rows = [invoice_item_line(store, row) for row in waiting]
    amount = sum(row["amount"] for row in rows)
    own = draft_discounts(
        store, given.get("discounts", ()), customer_id=customer["id"], amount=amount, now=now
    )
    redeem_all(store, own, now)
    invoice = draft_invoice(
        store,
        InvoiceTerms(
            customer=customer,
            lines=rows,
            discounts=begin(store, own),
            reason="manual",
            now=now,
            metadata=merged({}, given.get("metadata")),
            payment_method_id=given.get("default_payment_method"),
            auto_advance=given.get("auto_advance", False),
            finalizes_at=now + invoices.DRAFT_LASTS if given.get("auto_advance") else None,
            tax=given.get("automatic_tax", {}).get("enabled", False),
            description=given.get("description"),
            collection=_collection(given),
            currency=given.get("currency", ""),
        ),
    )
    for row in waiting:
        store.save({**row, "invoice": invoice["id"]})
    return save_draft(store, invoice, now)


@router.post(
    "/invoiceitems",
    {
        "customer": text,
        "invoice": text,
        "pricing": {"price": text},
        "quantity": integer,
        "description": text,
        "metadata": mapping,
        "currency": one_of(*CURRENCIES),
    },
    required=["customer"],
)
def create_item(call: Call) -> Object:
    given, store = call.params, call.store
    customer = store.get("customer", given["customer"], "customer")
    now = now_of(store, customer["id"], call.now)
    if "price" not in given.get("pricing", {}):
        raise ApiError("Missing required param: pricing[price].", code="parameter_missing", param="pricing")
    price = active_price(store, given["pricing"]["price"], "pricing[price]", recurring=False)
    invoice = _draft(store, given["invoice"], customer["id"]) if "invoice" in given else None
    one_currency([price, *([invoice] if invoice else ())], customer)
    sale = one_time_sale(store, price, given.get("quantity", 1), now, given.get("description", ""))
    item = invoice_item(
        store,
        replace(sale, metadata=merged({}, given.get("metadata"))),
        customer_id=customer["id"],
        clock_id=customer["test_clock"],
        invoice_id=invoice["id"] if invoice else None,
        now=now,
    )
    emit(store, "invoiceitem.created", store.save(item), now)
    if invoice:
        rows = [*invoice["lines"]["data"], invoice_item_line(store, item)]
        discounts = [store.get("discount", id) for id in invoice["discounts"]]
        after = priced(store, invoice, rows, discounts, customer["balance"])
        emit_updated(store, "invoice.updated", invoice, after, now)
    return item


@router.get("/invoiceitems/{}")
def retrieve_item(call: Call) -> Object:
    return call.store.get("invoiceitem", call.id, "invoiceitem")


@router.list("/invoiceitems", {"customer": text, "invoice": text, "pending": flag})
def list_items(call: Call) -> Object:
    rows = call.store.all("invoiceitem", **call.given("customer", "invoice"))
    if "pending" in call.params:
        rows = [row for row in rows if (row["invoice"] is None) == call.params["pending"]]
    return listing(rows, call.params, "/v1/invoiceitems")


@router.get("/invoices/{}")
def retrieve(call: Call) -> Object:
    return call.store.get("invoice", call.id, "invoice")


@router.list("/invoices", {"customer": text, "subscription": text, "status": one_of(*STATUSES)})
def list_all(call: Call) -> Object:
    given = call.given("customer", "status")
    if "subscription" in call.params:
        given["parent__subscription_details__subscription"] = call.params["subscription"]
    return listing(call.store.all("invoice", **given), call.params, "/v1/invoices")


@router.list("/invoices/{}/lines")
def list_lines(call: Call) -> Object:
    invoice = call.store.get("invoice", call.id, "invoice")
    return listing(invoice["lines"]["data"], call.params, f"/v1/invoices/{call.id}/lines")


@router.post(
    "/invoices/{}",
    {
        "metadata": mapping,
        "description": text,
        "auto_advance": flag,
        "automatic_tax": {"enabled": flag},
        "default_payment_method": text,
    },
)
def update(call: Call) -> Object:
    invoice, now = _found(call)
    after = {**invoice, **call.given("description", "auto_advance", "default_payment_method")}
    after["metadata"] = merged(invoice["metadata"], call.params.get("metadata"))
    if "automatic_tax" in call.params:
        after = _with_tax(call.store, after, call.params["automatic_tax"].get("enabled", False))
    if after["auto_advance"] and not invoice["auto_advance"]:
        after |= _advancing(after, now)
    if not after["auto_advance"]:
        after |= {"next_payment_attempt": None, "automatically_finalizes_at": None}
    return emit_updated(call.store, "invoice.updated", invoice, after, now)


@router.post("/invoices/{}/finalize", {"auto_advance": flag})
def finalize(call: Call) -> Object:
    invoice, now = _found(call)
    invoice = {**invoice, "auto_advance": call.params.get("auto_advance", invoice["auto_advance"])}
    invoice = invoices.finalize(call.store, invoice, now)
    if invoice["status"] == "open" and invoice["auto_advance"]:
        invoice = call.store.save({**invoice, **_advancing(invoice, now)})
    return invoice


@router.post("/invoices/{}/pay", {"payment_method": text, "off_session": flag})
def pay(call: Call) -> Object:
    invoice, now = _found(call)
    invoice = invoices.pay(
        call.store,
        invoice,
        now=now,
        payment_method_id=call.params.get("payment_method"),
        off_session=call.params.get("off_session", True),
    )
    unpaid = invoice["status"] in invoices.PAYABLE
    refusal = invoice_payments.refused(call.store, invoice) if unpaid else None
    if refusal:
        raise refusal
    return invoice


@router.post("/invoices/{}/void")
def void(call: Call) -> Object:
    invoice, now = _found(call)
    return invoices.void(call.store, invoice, now)


@router.post("/invoices/{}/mark_uncollectible")
def mark_uncollectible(call: Call) -> Object:
    invoice, now = _found(call)
    return invoices.mark_uncollectible(call.store, invoice, now)


@router.delete("/invoices/{}")
def delete(call: Call) -> Object:
    invoice, now = _found(call)
    if invoice["status"] != "draft":
        raise ApiError("You can only delete draft invoices.", code="invoice_not_editable")
    for row in call.store.all("invoiceitem", invoice=invoice["id"]):
        call.store.remove("invoiceitem", row["id"])
    call.store.remove("invoice", invoice["id"])
    emit(call.store, "invoice.deleted", invoice, now)
    return {"id": invoice["id"], "object": "invoice", "deleted": True}


@router.list("/invoice_payments", {"invoice": text, "status": one_of("canceled", "open", "paid")})
def list_payments(call: Call) -> Object:
    rows = call.store.all("invoice_payment", **call.given("invoice", "status"))
    return listing(rows, call.params, "/v1/invoice_payments")


@router.expands("invoice", "payments")
def payments_of(store: Store, invoice: Object) -> Object:
    rows = store.all("invoice_payment", invoice=invoice["id"])
    return listing(rows, {}, "/v1/invoice_payments")


@router.expands("invoice", "confirmation_secret")
def confirmation_secret(store: Store, invoice: Object) -> Object | None:
    """What a page needs to confirm the payment together with the customer; None where nothing is to be
    paid.
    """
    rows = store.all("invoice_payment", invoice=invoice["id"], status="open")
    if not rows:
        return None
    intent = store.get("payment_intent", rows[0]["payment"]["payment_intent"])
    return {"client_secret": intent["client_secret"], "type": "payment_intent"}


def _with_tax(store: Store, invoice: Object, enabled: bool) -> Object:
    if invoice["status"] != "draft":
        raise ApiError("This invoice is no longer editable", code="invoice_not_editable")
    tax = {**invoice["automatic_tax"], "enabled": enabled}
    customer = store.get("customer", invoice["customer"])
    return repriced(store, {**invoice, "automatic_tax": tax}, customer)


def _collection(given: Mapping[str, Any]) -> Mapping[str, Any]:
    method = given.get("collection_method", CHARGED)
    if method == SENT and "days_until_due" not in given:
        raise ApiError(
            "You must specify either `due_date` or `days_until_due` when `collection_method` is"
            " `send_invoice`.",
            code="parameter_missing",
            param="days_until_due",
        )
    return {"collection_method": method, "days_until_due": given.get("days_until_due")}


def _advancing(invoice: Object, now: int) -> Object:
    """What Stripe does next with it, an hour later: finalize a draft, charge an open one."""
    at = now + invoices.DRAFT_LASTS
    finalizes = at if invoice["status"] == "draft" else None
    tries = at if invoice["collection_method"] == CHARGED else None
    return {"automatically_finalizes_at": finalizes, "next_payment_attempt": tries}


def _found(call: Call) -> tuple[Object, int]:
    invoice = call.store.get("invoice", call.id, "invoice")
    return invoice, now_of(call.store, invoice["customer"], call.now)


def _draft(store: Store, id: str, customer: str) -> Any:
    invoice = store.get("invoice", id, "invoice")
    if invoice["customer"] != customer:
        raise ApiError("The invoice is another customer's.", param="invoice")
    if invoice["status"] != "draft":
        raise ApiError("This invoice is no longer editable", code="invoice_not_editable", param="invoice")
    return invoice
