"""The Customer Portal's page: cards and invoices of one customer."""

from __future__ import annotations

from datetime import UTC, datetime

from tokenplan.local_stripe.hosted import page_payments
from tokenplan.local_stripe.hosted.card_form import NO_CARD, method_name, typed_card
from tokenplan.local_stripe.hosted.pages import Page, PageRouter, Request, redirect
from tokenplan.local_stripe.objects.amounts import dollars
from tokenplan.local_stripe.objects.errors import ApiError
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
        "pay_at": f"/portal/{session['id']}",
        "test_cards": [card for card in METHODS if card.type == "card"],
        "number": request.form.get("number", ""),
    }
    return Page("portal", context, 402 if problem else 200)


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
