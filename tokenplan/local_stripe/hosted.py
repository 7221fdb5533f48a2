"""The hosted pages that customers are led to: checkout, the bank's authentication, an invoice, the portal."""

from __future__ import annotations

from datetime import UTC, datetime

from tokenplan.local_stripe import invoices, orders, paying
from tokenplan.local_stripe.amounts import dollars
from tokenplan.local_stripe.cards import BY_NUMBER, METHODS, Specimen
from tokenplan.local_stripe.clocks import now_of
from tokenplan.local_stripe.errors import ApiError, Object
from tokenplan.local_stripe.methods import new_method, owned
from tokenplan.local_stripe.store import Store
from tokenplan.local_stripe.web import Page, Visit, goes_to, page

NO_CARD = "This is none of the test cards."


@page("GET", "/checkout/{}")
def show_checkout(visit: Visit) -> Page:
    return _checkout(visit, visit.store.get("checkout.session", visit.id, "session"))


def _checkout(visit: Visit, session: Object, *, problem: str = "", code_problem: str = "") -> Page:
    if session["status"] == "complete":
        return goes_to(_success_url(session))
    if session["status"] == "expired":
        return Page("error", {"message": "This checkout has expired.", "back": session["cancel_url"]}, 410)
    order = orders.order_of(visit.store, session)
    rows = orders.line_items(visit.store, order)
    codes = [
        visit.store.get("promotion_code", entry["promotion_code"])["code"]
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
        "codes": codes,
        "code": visit.form.get("code", ""),
        "code_problem": code_problem,
        "problem": problem,
        **_cards(visit, session["customer"], f"/checkout/{session['id']}"),
    }
    leads_to = (session["success_url"], session["cancel_url"] or "")
    return Page("checkout", context, 402 if problem else 200, leads_to=leads_to)


def _cards(visit: Visit, customer: str, path: str) -> Object:
    """What a page needs to ask for a card; the form goes to `path`."""
    return {
        "saved": [{"id": row["id"], "name": method_name(row)} for row in owned(visit.store, customer)],
        "test_cards": METHODS,
        "number": visit.form.get("number", ""),
        "pay_at": path,
    }


def method_name(method: Object) -> str:
    own = method[method["type"]]
    brand = own["brand"].title() if method["type"] == "card" else own["bank_name"].title()
    return f"{brand} ···· {own['last4']}"


def _success_url(session: Object) -> str:
    return str(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))


def _chosen(visit: Visit, customer: str) -> str:
    """The payment method that the form names: one on file, or a number. Empty for a number that is none."""
    if visit.form.get("payment_method"):
        return visit.form["payment_method"]
    card = _typed(visit)
    if card is None:
        return ""
    return str(new_method(visit.store, card, now=now_of(visit.store, customer, visit.now))["id"])


def _typed(visit: Visit) -> Specimen | None:
    return BY_NUMBER.get("".join(filter(str.isdigit, visit.form.get("number", ""))))


@page("POST", "/checkout/{}")
def pay_checkout(visit: Visit) -> Page:
    session = visit.store.get("checkout.session", visit.id, "session")
    if session["status"] != "open":
        return _checkout(visit, session)
    chosen = _chosen(visit, session["customer"])
    if not chosen:
        return _checkout(visit, session, problem=NO_CARD)
    problem = orders.drop_code_that_is_over(visit.store, session, visit.now)
    if problem:
        session = visit.store.get("checkout.session", session["id"])
        return _checkout(visit, session, problem=problem)
    session = paying.pay_session(visit.store, session, chosen, visit.now)
    if session["status"] == "complete":
        return goes_to(_success_url(session))
    return _unpaid(visit, session)


def _unpaid(visit: Visit, session: Object) -> Page:
    """The card was declined, or its bank asks."""
    intent = paying.last_attempt(visit.store, session)
    if intent and intent["status"] == "requires_action":
        return goes_to(f"/authenticate/{intent['id']}")
    error = (intent or {}).get("last_payment_error") or {}
    return _checkout(visit, session, problem=error.get("message", ""))


@page("POST", "/checkout/{}/promotion")
def use_promotion(visit: Visit) -> Page:
    session = visit.store.get("checkout.session", visit.id, "session")
    if session["status"] != "open":
        return _checkout(visit, session)
    problem = orders.use_code(visit.store, session, visit.form.get("code", ""), visit.now)
    if problem:
        return _checkout(visit, session, code_problem=problem)
    return goes_to(f"/checkout/{session['id']}")


@page("GET", "/authenticate/{}")
def ask_holder(visit: Visit) -> Page:
    intent = visit.store.get("payment_intent", visit.id)
    if intent["status"] != "requires_action":
        return goes_to(_after(visit.store, intent))
    leads_to = tuple(session["success_url"] for session in _sessions_of(visit.store, intent))
    return Page("authenticate", {"intent": intent, "amount": dollars(intent["amount"])}, leads_to=leads_to)


@page("POST", "/authenticate/{}")
def holder_answered(visit: Visit) -> Page:
    intent = visit.store.get("payment_intent", visit.id)
    ok = visit.form.get("answer") == "complete"
    intent = paying.authenticate(visit.store, intent, ok=ok, now=visit.now)
    for session in _sessions_of(visit.store, intent):
        if session["status"] == "open":
            return _unpaid(visit, session)
    return goes_to(_after(visit.store, intent))


def _sessions_of(store: Store, intent: Object) -> list[Object]:
    return [store.get("checkout.session", row["id"]) for row in store.all("local.order", intent=intent["id"])]


def _after(store: Store, intent: Object) -> str:
    """Where its customer goes on."""
    for session in _sessions_of(store, intent):
        return _success_url(session) if session["status"] == "complete" else f"/checkout/{session['id']}"
    links = store.all("invoice_payment", payment__payment_intent=intent["id"])
    return f"/i/{links[0]['invoice']}" if links else "/"


@page("GET", "/i/{}")
def show_invoice(visit: Visit) -> Page:
    return _invoice(visit, visit.store.get("invoice", visit.id))


def _invoice(visit: Visit, invoice: Object, problem: str = "") -> Page:
    if invoice["status"] == "draft":
        raise ApiError("This invoice is not there yet.")
    context = {
        "invoice": invoice,
        "date": datetime.fromtimestamp(invoice["created"], UTC).date(),
        "rows": [
            {"name": line["description"], "amount": dollars(line["amount"])}
            for line in invoice["lines"]["data"]
        ],
        "off": dollars(invoice["subtotal"] - invoice["total"]),
        "is_off": invoice["total"] != invoice["subtotal"],
        "total": dollars(invoice["total"]),
        "due": dollars(invoice["amount_remaining"]),
        "problem": problem,
        "processing": _is_processing(visit.store, invoice),
        **_cards(visit, invoice["customer"], f"/i/{invoice['id']}"),
    }
    return Page("invoice", context, 402 if problem else 200)


def _is_processing(store: Store, invoice: Object) -> bool:
    links = store.all("invoice_payment", invoice=invoice["id"])
    intents = [store.get("payment_intent", link["payment"]["payment_intent"]) for link in links]
    return any(intent["status"] == "processing" for intent in intents)


@page("POST", "/i/{}")
def pay_invoice(visit: Visit) -> Page:
    invoice = visit.store.get("invoice", visit.id)
    if invoice["status"] != "open":
        return _invoice(visit, invoice)
    chosen = _chosen(visit, invoice["customer"])
    if not chosen:
        return _invoice(visit, invoice, NO_CARD)
    invoice = paying.pay_invoice(visit.store, invoice, chosen, visit.now)
    link = invoices.payment_of(visit.store, invoice)
    intent = visit.store.get("payment_intent", link["payment"]["payment_intent"])
    if intent["status"] == "requires_action":
        return goes_to(f"/authenticate/{intent['id']}")
    if invoice["status"] == "open" and intent["status"] != "processing":
        return _invoice(visit, invoice, (intent["last_payment_error"] or {}).get("message", ""))
    return goes_to(f"/i/{invoice['id']}")


@page("GET", "/portal/{}")
def show_portal(visit: Visit) -> Page:
    return _portal(visit)


def _portal(visit: Visit, problem: str = "") -> Page:
    session = visit.store.get("billing_portal.session", visit.id)
    customer = visit.store.get("customer", session["customer"])
    features = visit.store.get("billing_portal.configuration", session["configuration"])["features"]
    rows = (
        visit.store.all("invoice", customer=customer["id"]) if features["invoice_history"]["enabled"] else []
    )
    default = customer["invoice_settings"]["default_payment_method"]
    context = {
        "session": session,
        "customer": customer,
        "may_change": features["payment_method_update"]["enabled"],
        "methods": [
            {"id": row["id"], "name": method_name(row), "is_default": row["id"] == default}
            for row in owned(visit.store, customer["id"])
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
        "number": visit.form.get("number", ""),
    }
    return Page("portal", context, 402 if problem else 200)


@page("POST", "/portal/{}")
def change_card(visit: Visit) -> Page:
    """Another card is charged from now on: a new one, or one on file."""
    session = visit.store.get("billing_portal.session", visit.id)
    features = visit.store.get("billing_portal.configuration", session["configuration"])["features"]
    if not features["payment_method_update"]["enabled"]:
        raise ApiError("Cards cannot be changed here.")
    chosen = visit.form.get("payment_method") or _typed(visit)
    if chosen is None or (isinstance(chosen, Specimen) and chosen.type != "card"):
        return _portal(visit, NO_CARD)
    problem = paying.use_card(visit.store, session["customer"], chosen, visit.now)
    return _portal(visit, problem) if problem else goes_to(f"/portal/{session['id']}")
