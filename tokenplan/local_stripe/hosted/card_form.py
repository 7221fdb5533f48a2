"""The form that asks for a card: one that the customer has, or the number of a test card."""

from __future__ import annotations

from tokenplan.local_stripe.hosted.pages import Request
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.payments.cards import BY_NUMBER, METHODS, SampleCard
from tokenplan.local_stripe.payments.payment_methods import new_method, owned

NO_CARD = "This is not a test card."


def card_context(request: Request, customer_id: str, path: str) -> Object:
    """What the template `card_form.html` needs; the form is sent to `path`."""
    return {
        "saved": [{"id": row["id"], "name": method_name(row)} for row in owned(request.store, customer_id)],
        "test_cards": METHODS,
        "number": request.form.get("number", ""),
        "pay_at": path,
    }


def method_name(method: Object) -> str:
    """Such as `Visa ···· 4242`."""
    own = method[method["type"]]
    brand = own["brand"].title() if method["type"] == "card" else own["bank_name"].title()
    return f"{brand} ···· {own['last4']}"


def chosen_method(request: Request, customer_id: str) -> str:
    """The id of the payment method that the form names: one that the customer has, or a new one of the
    number that was typed. Empty where that is no test card's.
    """
    if request.form.get("payment_method"):
        return request.form["payment_method"]
    card = typed_card(request)
    if card is None:
        return ""
    return str(new_method(request.store, card, now=now_of(request.store, customer_id, request.now))["id"])


def typed_card(request: Request) -> SampleCard | None:
    """The test card whose number was typed, with or without spaces."""
    return BY_NUMBER.get("".join(filter(str.isdigit, request.form.get("number", ""))))
