"""The calls about Checkout Sessions, and how they expire. `checkout_orders` says what one comes to,
`page_payments` what happens when somebody pays it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from tokenplan.local_stripe.billing.catalog import one_currency
from tokenplan.local_stripe.billing.subscription_items import BILLING_MODE, refuse_other_mode
from tokenplan.local_stripe.billing.taxes import automatic_tax, is_known
from tokenplan.local_stripe.hosted.checkout_orders import amounts, discounts_of, line_items, order_of
from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import Spec, flag, integer, mapping, merged, moment, one_of, text, url
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.clocks import Task, now_of
from tokenplan.local_stripe.objects.dates import DAY, HOUR
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments import payment_intents
from tokenplan.local_stripe.payments.payment_methods import TYPES

router = Router()
# Seconds after which a session may expire.
SOONEST, LATEST = HOUR // 2, DAY
MOST_LINES = 100

CREATE: Spec = {
    "mode": one_of("payment", "subscription"),
    "customer": text,
    "client_reference_id": text,
    "line_items": [{"price": text, "quantity": integer}],
    "metadata": mapping,
    "success_url": url,
    "cancel_url": url,
    "allow_promotion_codes": flag,
    "discounts": [{"coupon": text, "promotion_code": text}],
    "expires_at": moment,
    "allowed_payment_method_types": [one_of(*TYPES)],
    "excluded_payment_method_types": [one_of("card", "us_bank_account")],
    "automatic_tax": {"enabled": flag},
    "customer_update": {"address": one_of("auto", "never"), "name": one_of("auto", "never")},
    "tax_id_collection": {"enabled": flag},
    "subscription_data": {"metadata": mapping, "description": text, "billing_mode": BILLING_MODE},
    "payment_intent_data": {
        "metadata": mapping,
        "description": text,
        "setup_future_usage": one_of("off_session", "on_session"),
    },
    "invoice_creation": {"enabled": flag, "invoice_data": {"metadata": mapping, "description": text}},
}


@router.post("/checkout/sessions", CREATE, required=["mode", "line_items", "success_url", "customer"])
def create(call: Call) -> Object:
    given, store = call.params, call.store
    customer = store.get("customer", given["customer"], "customer")
    _refuse_wrong_parts(given)
    rows = _rows(call)
    expires_at = given.get("expires_at", call.now + LATEST)
    if not SOONEST <= expires_at - call.now <= LATEST:
        raise ApiError(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session"
            " creation.",
            param="expires_at",
        )
    tax = given.get("automatic_tax", {}).get("enabled", False)
    _refuse_unknown_customer(customer, given, tax=tax)
    id = store.new_id("cs_test")
    discounts = given.get("discounts") or []
    order = store.save(
        {
            "object": "local.order",
            "id": id,
            "rows": rows,
            "discounts": discounts,
            "subscription_data": given.get("subscription_data", {}),
            "payment_intent_data": given.get("payment_intent_data", {}),
            "intent": None,
            "customer": customer["id"],
            "customer_update": given.get("customer_update", {}),
            "tax": tax,
        }
    )
    session: Object = blank(
        "checkout.session",
        id=id,
        currency=one_currency([store.get("price", row["price"]) for row in rows], customer),
        allow_promotion_codes=given.get("allow_promotion_codes"),
        **_types(given),
        automatic_tax=automatic_tax(tax, customer["address"]),
        cancel_url=given.get("cancel_url"),
        client_reference_id=given.get("client_reference_id"),
        created=call.now,
        customer=customer["id"],
        customer_details={"email": customer["email"]},
        expires_at=expires_at,
        invoice_creation=_invoice_creation(given) if given["mode"] == "payment" else None,
        metadata=merged({}, given.get("metadata")),
        mode=given["mode"],
        payment_method_collection="always" if given["mode"] == "subscription" else "if_required",
        success_url=given["success_url"],
        url=f"{store.base}/checkout/{id}",
    )
    if "tax_id_collection" in given:
        session["tax_id_collection"] = {
            "enabled": given["tax_id_collection"].get("enabled", False),
            "required": "never",
        }
    discounts_of(store, session, order, call.now)
    return store.save({**session, **amounts(store, order)})


def _types(given: Mapping[str, Any]) -> Object:
    """The fields that say how a session can be paid."""
    allowed = given.get("allowed_payment_method_types") or TYPES
    excluded = given.get("excluded_payment_method_types", ())
    found = [kind for kind in TYPES if kind in allowed and kind not in excluded]
    if not found:
        raise ApiError("No payment method type is left.", param="excluded_payment_method_types")
    return {
        "allowed_payment_method_types": given.get("allowed_payment_method_types"),
        "excluded_payment_method_types": given.get("excluded_payment_method_types"),
        "payment_method_types": found,
    }


def _refuse_wrong_parts(given: Mapping[str, Any]) -> None:
    if given.get("discounts") and "allow_promotion_codes" in given:
        raise ApiError("You may only specify one of these parameters: allow_promotion_codes, discounts.")
    mode = given.get("subscription_data", {}).get("billing_mode", {})
    refuse_other_mode(mode, "subscription_data[billing_mode]")
    if given["mode"] == "payment" and "subscription_data" in given:
        raise ApiError("You can not pass `subscription_data` in `payment` mode.", param="subscription_data")
    for name in ("payment_intent_data", "invoice_creation"):
        if given["mode"] == "subscription" and name in given:
            raise ApiError(f"You can not pass `{name}` in `subscription` mode.", param=name)


def _refuse_unknown_customer(customer: Object, given: Mapping[str, Any], *, tax: bool) -> None:
    """Raises ApiError where the page would have to ask for what it may not change."""
    update = given.get("customer_update", {})
    if tax and update.get("address") != "auto" and not is_known(customer["address"]):
        raise ApiError(
            "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid"
            " address to the Customer or set `customer_update[address]` to 'auto'.",
            code="customer_tax_location_invalid",
        )
    if given.get("tax_id_collection", {}).get("enabled") and update.get("name") != "auto":
        raise ApiError(
            "Tax ID collection requires updating business name on the customer. To enable tax ID collection"
            " for an existing customer, please set `customer_update[name]` to `auto`."
        )


def _rows(call: Call) -> list[Object]:
    """The lines of the order: prices and quantities. Raises ApiError for what cannot be sold so."""
    found = []
    lines = call.params["line_items"]
    if not 1 <= len(lines) <= MOST_LINES:
        raise ApiError(f"From 1 to {MOST_LINES} line items.", param="line_items")
    for index, line in enumerate(lines):
        name = f"line_items[{index}]"
        if "price" not in line:
            raise ApiError(
                f"Missing required param: {name}[price].", code="parameter_missing", param=f"{name}[price]"
            )
        price = call.store.get("price", line["price"], f"{name}[price]")
        quantity = line.get("quantity", 1)
        if not price["active"]:
            raise ApiError("The price specified is inactive.", code="price_inactive", param=f"{name}[price]")
        if not 1 <= quantity <= 999_999:
            raise ApiError("Quantity must be from 1 to 999999.", param=f"{name}[quantity]")
        if call.params["mode"] == "payment" and price["recurring"]:
            raise ApiError(
                "You specified `payment` mode but passed a recurring price. Either switch to `subscription`"
                " mode or use only one-time prices.",
                param=f"{name}[price]",
            )
        if call.params["mode"] == "subscription" and not price["recurring"]:
            raise ApiError(
                "The local Stripe sells only what recurs in `subscription` mode.", param=f"{name}[price]"
            )
        found.append({"id": call.store.new_id("li"), "price": price["id"], "quantity": quantity})
    intervals = {str(call.store.get("price", row["price"])["recurring"]) for row in found}
    if len(intervals) > 1:
        raise ApiError("Checkout does not support multiple prices with different billing intervals.")
    return found


def _invoice_creation(given: Mapping[str, Any]) -> Object:
    asked = given.get("invoice_creation", {})
    data = asked.get("invoice_data", {})
    return blank(
        "checkout.session.invoice_creation",
        enabled=asked.get("enabled", False),
        invoice_data={"description": data.get("description"), "metadata": merged({}, data.get("metadata"))},
    )


def abandon(store: Store, session: Object, now: int) -> None:
    """Cancels the latest attempt to pay, if it has not paid."""
    order = order_of(store, session)
    intent = store.get("payment_intent", order["intent"]) if order["intent"] else None
    if intent and intent["status"] in payment_intents.OPEN:
        moment = now_of(store, session["customer"], now)
        payment_intents.cancel(store, intent, reason="abandoned", now=moment)
    store.save({**order, "intent": None})


def expire_session(store: Store, session: Object, now: int) -> Object:
    abandon(store, session, now)
    session = store.save({**session, "status": "expired", "url": None})
    emit(store, "checkout.session.expired", session, now)
    return session


def expiries_due(store: Store) -> Iterator[Task]:
    """Due work: open sessions that expire."""
    for session in store.all("checkout.session", status="open"):
        yield Task(session["expires_at"], 0, None, partial(_expire, store, session["id"]))


def _expire(store: Store, id: str, now: int) -> None:
    expire_session(store, store.get("checkout.session", id), now)


@router.expands("checkout.session", "line_items")
def included_lines(store: Store, session: Object) -> Object:
    rows = line_items(store, order_of(store, session))
    return listing(rows, {"limit": MOST_LINES}, f"/v1/checkout/sessions/{session['id']}/line_items")


@router.get("/checkout/sessions/{}")
def retrieve(call: Call) -> Object:
    return call.store.get("checkout.session", call.id, "session")


@router.list("/checkout/sessions/{}/line_items")
def list_lines(call: Call) -> Object:
    session = call.store.get("checkout.session", call.id, "session")
    rows = line_items(call.store, order_of(call.store, session))
    return listing(rows, call.params, f"/v1/checkout/sessions/{call.id}/line_items")


@router.list(
    "/checkout/sessions",
    {
        "customer": text,
        "payment_intent": text,
        "subscription": text,
        "status": one_of("open", "complete", "expired"),
    },
)
def list_all(call: Call) -> Object:
    fields = call.given("customer", "payment_intent", "subscription", "status")
    return listing(call.store.all("checkout.session", **fields), call.params, "/v1/checkout/sessions")


@router.post("/checkout/sessions/{}/expire")
def expire(call: Call) -> Object:
    session = call.store.get("checkout.session", call.id, "session")
    if session["status"] != "open":
        raise ApiError(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a'
            f" status of `{session['status']}`."
        )
    return expire_session(call.store, session, call.now)
