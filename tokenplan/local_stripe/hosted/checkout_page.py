"""The page where a customer pays a Checkout Session, and the bank's page that may ask the card's holder."""

from __future__ import annotations

from tokenplan.local_stripe.billing import tax_ids
from tokenplan.local_stripe.hosted import checkout_orders, page_payments
from tokenplan.local_stripe.hosted.card_form import NO_CARD, card_context, chosen_method
from tokenplan.local_stripe.hosted.pages import Page, PageRouter, Request, redirect
from tokenplan.local_stripe.objects.amounts import dollars
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import ApiError, Declined, Object
from tokenplan.local_stripe.objects.store import Store

pages = PageRouter()
NO_ADDRESS = "Enter your address: the tax depends on it."


@pages.get("/checkout/{}")
def show_checkout(request: Request) -> Page:
    return _checkout(request, request.store.get("checkout.session", request.id, "session"))


def _checkout(request: Request, session: Object, *, problem: str = "", code_problem: str = "") -> Page:
    if session["status"] == "complete":
        return redirect(_success_url(session))
    if session["status"] == "expired":
        return Page("error", {"message": "This checkout has expired.", "back": session["cancel_url"]}, 410)
    order = checkout_orders.order_of(request.store, session)
    rows = checkout_orders.line_items(request.store, order)
    codes = [
        request.store.get("promotion_code", entry["promotion_code"])["code"]
        for entry in order["discounts"]
        if entry.get("promotion_code")
    ]
    context = {
        "session": session,
        "rows": [
            {
                "name": row["description"],
                "quantity": row["quantity"],
                "amount": dollars(row["amount_subtotal"]),
            }
            for row in rows
        ],
        "per": (rows[0]["price"]["recurring"] or {}).get("interval", ""),
        "off": dollars(session["total_details"]["amount_discount"]),
        "total": dollars(session["amount_total"]),
        "is_off": session["total_details"]["amount_discount"] > 0,
        "tax": dollars(session["total_details"]["amount_tax"]),
        "has_tax": session["total_details"]["amount_tax"] > 0,
        **_details(request, session, order),
        "codes": codes,
        "code": request.form.get("code", ""),
        "code_problem": code_problem,
        "problem": problem,
        **card_context(
            request, session["customer"], f"/checkout/{session['id']}", session["payment_method_types"]
        ),
    }
    form_targets = (session["success_url"], session["cancel_url"] or "")
    return Page("checkout", context, 402 if problem else 200, form_targets=form_targets)


def _details(request: Request, session: Object, order: Object) -> Object:
    """What the page asks about the customer, and what is known or was typed already."""
    customer = request.store.get("customer", session["customer"])
    asks_address = order["tax"] and order["customer_update"].get("address") == "auto"
    known = {"name": customer["name"], **(customer["address"] or {}), **request.form}
    return {
        "asks_address": asks_address,
        "asks_tax_id": (session.get("tax_id_collection") or {}).get("enabled"),
        "known": {name: value or "" for name, value in known.items()},
        "tax_id_types": tax_ids.TYPES,
    }


def _success_url(session: Object) -> str:
    return str(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))


@pages.post("/checkout/{}")
def pay_checkout(request: Request) -> Page:
    session = request.store.get("checkout.session", request.id, "session")
    if session["status"] != "open":
        return _checkout(request, session)
    chosen = chosen_method(request, session["customer"], session["payment_method_types"])
    if not chosen:
        return _checkout(request, session, problem=NO_CARD)
    try:
        now = now_of(request.store, session["customer"], request.now)
        session = checkout_orders.take_details(request.store, session, request.form, now)
    except ApiError as refusal:
        return _checkout(request, session, problem=str(refusal))
    if session["automatic_tax"]["status"] == "requires_location_inputs":
        return _checkout(request, session, problem=NO_ADDRESS)
    problem = checkout_orders.drop_unusable_code(request.store, session, request.now)
    if problem:
        session = request.store.get("checkout.session", session["id"])
        return _checkout(request, session, problem=problem)
    try:
        session = page_payments.pay_session(request.store, session, chosen, request.now)
    except Declined as refusal:
        return _checkout(request, session, problem=str(refusal))
    if session["status"] == "complete":
        return redirect(_success_url(session))
    return _unpaid(request, session)


def _unpaid(request: Request, session: Object) -> Page:
    """The page after an attempt that did not pay: the card was declined, or its bank asks the holder."""
    intent = page_payments.last_attempt(request.store, session)
    if intent and intent["status"] == "requires_action":
        return redirect(f"/authenticate/{intent['id']}")
    error = (intent or {}).get("last_payment_error") or {}
    return _checkout(request, session, problem=error.get("message", ""))


@pages.post("/checkout/{}/promotion")
def use_promotion(request: Request) -> Page:
    session = request.store.get("checkout.session", request.id, "session")
    if session["status"] != "open":
        return _checkout(request, session)
    problem = checkout_orders.use_code(request.store, session, request.form.get("code", ""), request.now)
    if problem:
        return _checkout(request, session, code_problem=problem)
    return redirect(f"/checkout/{session['id']}")


@pages.get("/authenticate/{}")
def ask_holder(request: Request) -> Page:
    intent = request.store.get("payment_intent", request.id)
    if intent["status"] != "requires_action":
        return redirect(_after(request.store, intent))
    form_targets = tuple(session["success_url"] for session in _sessions_of(request.store, intent))
    return Page(
        "authenticate", {"intent": intent, "amount": dollars(intent["amount"])}, form_targets=form_targets
    )


@pages.post("/authenticate/{}")
def holder_answered(request: Request) -> Page:
    intent = request.store.get("payment_intent", request.id)
    ok = request.form.get("answer") == "complete"
    intent = page_payments.authenticate(request.store, intent, ok=ok, now=request.now)
    for session in _sessions_of(request.store, intent):
        if session["status"] == "open":
            return _unpaid(request, session)
    return redirect(_after(request.store, intent))


def _sessions_of(store: Store, intent: Object) -> list[Object]:
    return [store.get("checkout.session", row["id"]) for row in store.all("local.order", intent=intent["id"])]


def _after(store: Store, intent: Object) -> str:
    """The address where the customer of this payment goes on."""
    for session in _sessions_of(store, intent):
        return _success_url(session) if session["status"] == "complete" else f"/checkout/{session['id']}"
    links = store.all("invoice_payment", payment__payment_intent=intent["id"])
    return f"/i/{links[0]['invoice']}" if links else "/"
