"""The form that asks for a card: those on file, and the number of a test card."""

from __future__ import annotations

from tokenplan.local_stripe.hosted.pages import Request
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.payments.cards import BY_NUMBER, METHODS, Specimen
from tokenplan.local_stripe.payments.payment_methods import new_method, owned

NO_CARD = "This is none of the test cards."


def card_context(request: Request, customer: str, path: str) -> Object:
    """What a page needs to ask for a card; the form goes to `path`."""
    return {
        "saved": [{"id": row["id"], "name": method_name(row)} for row in owned(request.store, customer)],
        "test_cards": METHODS,
        "number": request.form.get("number", ""),
        "pay_at": path,
    }


def method_name(method: Object) -> str:
    own = method[method["type"]]
    brand = own["brand"].title() if method["type"] == "card" else own["bank_name"].title()
    return f"{brand} ···· {own['last4']}"


def chosen_method(request: Request, customer: str) -> str:
    """The payment method that the form names: one on file, or a number. Empty for a number that is none."""
    if request.form.get("payment_method"):
        return request.form["payment_method"]
    card = typed_card(request)
    if card is None:
        return ""
    return str(new_method(request.store, card, now=now_of(request.store, customer, request.now))["id"])


def typed_card(request: Request) -> Specimen | None:
    return BY_NUMBER.get("".join(filter(str.isdigit, request.form.get("number", ""))))
