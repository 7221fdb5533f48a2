"""The Customer Portal's page: cards, invoices and details of one customer."""

from __future__ import annotations

from datetime import UTC, datetime

from tokenplan.local_stripe.billing import tax_ids
from tokenplan.local_stripe.hosted import page_payments
from tokenplan.local_stripe.hosted.card_form import NO_CARD, method_name, typed_card
from tokenplan.local_stripe.hosted.customer_details import keep_details
from tokenplan.local_stripe.hosted.pages import Page, PageRouter, Request, redirect
from tokenplan.local_stripe.objects.amounts import dollars
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.payments.cards import METHODS, SampleCard
from tokenplan.local_stripe.payments.payment_methods import owned

pages = PageRouter()


@pages.get("/portal/{}")
def show_portal(request: Request) -> Page:
    return _portal(request)


def _portal(request: Request, problem: str = "") -> Page:
    session = request.store.get("billing_portal.session", request.id)
    customer = request.store.get("customer", session["customer"])
    features = request.store.get("billing_portal.configuration", session["configuration"])["features"]
    rows = (
        request.store.all("invoice", customer=customer["id"])
        if features["invoice_history"]["enabled"]
        else []
    )
    default = customer["invoice_settings"]["default_payment_method"]
    context = {
        "session": session,
        "customer": customer,
        "may_change": features["payment_method_update"]["enabled"],
        "methods": [
            {"id": row["id"], "name": method_name(row), "is_default": row["id"] == default}
            for row in owned(request.store, customer["id"])
        ],
        "invoices": [
            {
                "id": row["id"],
                "number": row["number"],
                "status": row["status"],
                "total": dollars(row["total"]),
                "date": datetime.fromtimestamp(row["created"], UTC).date(),
            }
            for row in rows
            if row["status"] != "draft"
        ],
        "problem": problem,
        "may_update": _allowed(features),
        "known": {"name": customer["name"] or "", **(customer["address"] or {})},
        "tax_id_types": tax_ids.TYPES,
        "tax_ids": tax_ids.shown(request.store, customer["id"]),
        "pay_at": f"/portal/{session['id']}",
        "test_cards": [card for card in METHODS if card.type == "card"],
        "number": request.form.get("number", ""),
    }
    return Page("portal", context, 402 if problem else 200)


def _allowed(features: Object) -> list[str]:
    """What of themselves a customer may change here."""
    update = features["customer_update"]
    return list(update["allowed_updates"]) if update["enabled"] else []


@pages.post("/portal/{}/details")
def change_details(request: Request) -> Page:
    """The customer types another name, address or tax id: what invoices show from now on."""
    store = request.store
    session = store.get("billing_portal.session", request.id)
    features = store.get("billing_portal.configuration", session["configuration"])["features"]
    customer = store.get("customer", session["customer"])
    now = now_of(store, customer["id"], request.now)
    try:
        keep_details(store, customer, request.form, _allowed(features), now)
    except ApiError as refusal:
        return _portal(request, str(refusal))
    return redirect(f"/portal/{session['id']}")


@pages.post("/portal/{}")
def change_card(request: Request) -> Page:
    """Charges another card from now on: a new one, or one that the customer has."""
    session = request.store.get("billing_portal.session", request.id)
    features = request.store.get("billing_portal.configuration", session["configuration"])["features"]
    if not features["payment_method_update"]["enabled"]:
        raise ApiError("Cards cannot be changed here.")
    chosen = request.form.get("payment_method") or typed_card(request)
    if chosen is None or (isinstance(chosen, SampleCard) and chosen.type != "card"):
        return _portal(request, NO_CARD)
    problem = page_payments.use_card(request.store, session["customer"], chosen, request.now)
    return _portal(request, problem) if problem else redirect(f"/portal/{session['id']}")
