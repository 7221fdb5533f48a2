"""Payment methods: cards and bank accounts, and the customers they are attached to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import integer, mapping, merged, one_of, text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import ApiError, Declined, Missing, Object
from tokenplan.local_stripe.objects.events import emit, emit_updated
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments.cards import (
    BY_NUMBER,
    BY_TOKEN,
    MESSAGES,
    SampleCard,
    behaviour,
    details,
)

router = Router()
TYPES = ("card", "link", "us_bank_account")
ADDRESS = dict.fromkeys(blank("address"), text)
# The last digits of a card that took another one's place.
REPLACED = "1881"
# The cards by the older name of a token, such as tok_visa.
TOKENS = {method.token.replace("pm_card_", "tok_"): method for method in BY_TOKEN.values()}


def new_method(
    store: Store, method: SampleCard, *, now: int, metadata: Mapping[str, str] | None = None
) -> Object:
    """A new payment method, attached to no customer yet."""
    return store.save(
        blank(
            "payment_method",
            id=store.new_id("pm"),
            created=now,
            metadata=dict(metadata or {}),
            type=method.type,
            **{method.type: details(method, datetime.fromtimestamp(now, UTC).year)},
        )
    )


def method_of(store: Store, id: str, *, now: int, param: str = "payment_method") -> Object:
    """The payment method with this id. A test id, such as `pm_card_visa`, makes a new one. Raises Missing,
    which names `param`.
    """
    if id in BY_TOKEN:
        return new_method(store, BY_TOKEN[id], now=now)
    found = store.find("payment_method", id)
    if found is None:
        raise Missing("PaymentMethod", id, param)
    return found


def usable(
    store: Store, id: str, *, customer_id: str | None, now: int, param: str = "payment_method"
) -> Object:
    """The payment method with this id, if this customer may pay with it: it is theirs, or nobody's yet.
    Raises ApiError, which names `param`, when it is another customer's.
    """
    method = method_of(store, id, now=now, param=param)
    if method["customer"] is not None and method["customer"] != customer_id:
        raise ApiError(
            f"The customer does not have a payment method with the ID {id}."
            " The payment method must be attached to the customer.",
            code="resource_missing",
            param=param,
        )
    return method


def attach(store: Store, method: Object, customer_id: str, now: int) -> Object:
    """Attaches it to this customer. Raises ApiError where it is another customer's, and Declined for a card
    that is always declined: its bank is asked first.
    """
    if method["customer"] == customer_id:
        return method
    if method["customer"] is not None:
        raise ApiError("The payment method you provided has already been attached to a customer.")
    decline = behaviour(method).decline
    if decline:
        raise Declined(MESSAGES[decline], code="card_declined", decline_code=decline)
    store.save({**method, "customer": customer_id})
    method["customer"] = customer_id
    emit(store, "payment_method.attached", method, now)
    return method


def owned(store: Store, customer_id: str, kind: str | None = None) -> list[Object]:
    """The customer's payment methods, or those of one type; the newest first."""
    rows = store.all("payment_method", customer=customer_id)
    return [row for row in rows if kind in (None, row["type"])]


def refuse_debit(store: Store, id: str | None, *, param: str = "") -> None:
    """Raises ApiError where this is a bank account: Stripe supports no pending updates for bank debits."""
    method = store.find("payment_method", id) if id else None
    if method is not None and behaviour(method).delayed:
        raise ApiError(
            "Pending updates are not supported when bank debits are used as the payment method.", param=param
        )


@router.post(
    "/payment_methods",
    {
        "type": one_of(*TYPES),
        "card": {"token": text, "number": text, "exp_month": integer, "exp_year": integer, "cvc": text},
        "metadata": mapping,
    },
    required=["type"],
)
def create(call: Call) -> Object:
    card: dict[str, Any] = call.params.get("card", {})
    if call.params["type"] != "card" or not ("token" in card or "number" in card):
        raise ApiError("Missing required param: card.", code="parameter_missing", param="card")
    if "token" in card:
        method = TOKENS.get(card["token"])
        if method is None:
            raise Missing("token", card["token"], "card[token]")
    else:
        method = BY_NUMBER.get(card["number"].replace(" ", ""))
        if method is None or method.type != "card":
            raise ApiError("Your card number is incorrect.", code="incorrect_number", param="number")
    return new_method(call.store, method, now=call.now, metadata=call.params.get("metadata"))


@router.get("/payment_methods/{}")
def retrieve(call: Call) -> Object:
    found = call.store.find("payment_method", call.id)
    if found is None:
        raise Missing("PaymentMethod", call.id, "payment_method")
    return found


@router.post(
    "/payment_methods/{}",
    {
        "billing_details": {"address": dict(ADDRESS), "email": text, "name": text, "phone": text},
        "card": {"exp_month": integer, "exp_year": integer},
        "metadata": mapping,
    },
)
def update(call: Call) -> Object:
    """Changes what is known of it. It must be attached to a customer."""
    method = method_of(call.store, call.id, now=call.now)
    if method["customer"] is None:
        raise ApiError(
            "You must save this PaymentMethod to a customer before you can update it.", param="payment_method"
        )
    if "card" in call.params and method["type"] != "card":
        raise ApiError("This PaymentMethod is not a card.", param="card")
    after = {**method, "metadata": merged(method["metadata"], call.params.get("metadata"))}
    details = dict(call.params.get("billing_details", {}))
    if "address" in details:
        details["address"] = {**method["billing_details"]["address"], **details["address"]}
    after["billing_details"] = {**method["billing_details"], **details}
    if "card" in call.params:
        after["card"] = {**method["card"], **call.params["card"]}
    now = now_of(call.store, method["customer"], call.now)
    return emit_updated(call.store, "payment_method.updated", method, after, now)


def replace_card(store: Store, method: Object, now: int) -> Object:
    """The bank has sent its holder another card in its place, and tells Stripe the new number. Raises
    ApiError where it is no card.
    """
    if method["type"] != "card":
        raise ApiError("Only cards are replaced.", param="payment_method")
    card = {**method["card"], "exp_year": method["card"]["exp_year"] + 4, "last4": REPLACED}
    kind = "payment_method.automatically_updated"
    return emit_updated(store, kind, method, {**method, "card": card}, now)


@router.list("/payment_methods", {"customer": text, "type": one_of(*TYPES)})
def list_all(call: Call) -> Object:
    """Without a customer there are none, as at Stripe."""
    customer = call.params.get("customer")
    rows = owned(call.store, customer, call.params.get("type")) if customer else []
    return listing(rows, call.params, "/v1/payment_methods")


@router.post("/payment_methods/{}/attach", {"customer": text}, required=["customer"])
def attach_route(call: Call) -> Object:
    customer = call.store.get("customer", call.params["customer"], "customer")
    method = method_of(call.store, call.id, now=call.now)
    return attach(call.store, method, customer["id"], now_of(call.store, customer["id"], call.now))


@router.post("/payment_methods/{}/detach")
def detach(call: Call) -> Object:
    """Takes it from its customer; it is no longer the default of that customer or of any subscription."""
    method = method_of(call.store, call.id, now=call.now)
    owner = method["customer"]
    if owner is None:
        raise ApiError(
            "The payment method you provided is not attached to a customer so detachment is impossible."
        )
    now = now_of(call.store, owner, call.now)
    method = call.store.save({**method, "customer": None})
    emit(call.store, "payment_method.detached", method, now, {"customer": owner})
    customer = call.store.get("customer", owner)
    if customer["invoice_settings"]["default_payment_method"] == method["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
        call.store.save(customer)
        before = {"invoice_settings": {"default_payment_method": method["id"]}}
        emit(call.store, "customer.updated", customer, now, before)
    for subscription in call.store.all("subscription", default_payment_method=method["id"]):
        call.store.save({**subscription, "default_payment_method": None})
    return method
