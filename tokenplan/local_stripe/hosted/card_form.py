"""The form that asks for a card: one that the customer has, or the number of a test card."""

from __future__ import annotations

from collections.abc import Collection

from tokenplan.local_stripe.hosted.pages import Request
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.payments.cards import BY_NUMBER, METHODS, SampleCard
from tokenplan.local_stripe.payments.payment_methods import TYPES, new_method, owned

NO_CARD = "This is not a test card, or it cannot be used here."


def card_context(request: Request, customer_id: str, path: str, types: Collection[str] = TYPES) -> Object:
    """What the template `card_form.html` needs; the form is sent to `path`. `types`: those of payment
    methods that can be used.
    """
    rows = [row for row in owned(request.store, customer_id) if row["type"] in types]
    return {
        "saved": [{"id": row["id"], "name": method_name(row)} for row in rows],
        "test_cards": [card for card in METHODS if card.type in types],
        "number": request.form.get("number", ""),
        "pay_at": path,
    }


def method_name(method: Object) -> str:
    """Such as `Visa ···· 4242`."""
    own = method[method["type"]]
    if method["type"] == "link":
        return f"Link ({own['email']})"
    brand = own["brand"].title() if method["type"] == "card" else own["bank_name"].title()
    return f"{brand} ···· {own['last4']}"


def chosen_method(request: Request, customer_id: str, types: Collection[str] = TYPES) -> str:
    """The id of the payment method that the form names: one that the customer has, or a new one of the
    number that was typed. Empty where that is no test card's, or one of another type than these.
    """
    if request.form.get("payment_method"):
        saved = request.store.get("payment_method", request.form["payment_method"])
        return str(saved["id"]) if saved["type"] in types else ""
    card = typed_card(request)
    if card is None or card.type not in types:
        return ""
    return str(new_method(request.store, card, now=now_of(request.store, customer_id, request.now))["id"])


def typed_card(request: Request) -> SampleCard | None:
    """The test card whose number was typed, with or without spaces."""
    return BY_NUMBER.get("".join(filter(str.isdigit, request.form.get("number", ""))))
