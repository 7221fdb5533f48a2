"""The calls about subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenplan.local_stripe.billing import subscription_status
from tokenplan.local_stripe.billing.added_items import ADDED, added_items
from tokenplan.local_stripe.billing.catalog import CURRENCIES
from tokenplan.local_stripe.billing.discounts import GIVEN, begin, draft_discounts, redeem_all
from tokenplan.local_stripe.billing.invoice_drafts import CHARGED, SENT
from tokenplan.local_stripe.billing.subscription_changes import SubscriptionUpdate, cancel, update
from tokenplan.local_stripe.billing.subscription_items import ANCHOR, BILLING_MODE, NOW, refuse_other_mode
from tokenplan.local_stripe.billing.subscriptions import (
    ALLOW,
    DEFAULT,
    ERROR,
    PENDING,
    NewSubscription,
    create,
)
from tokenplan.local_stripe.billing.taxes import refuse_unknown_location
from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import either, flag, integer, mapping, merged, moment, one_of, text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments.payment_methods import TYPES

router = Router()
METADATA = {"metadata": mapping}
PAYMENT_SETTINGS = {
    "payment_method_types": [one_of(*TYPES)],
    "save_default_payment_method": one_of("off", "on_subscription"),
}
PRORATION = one_of("always_invoice", "create_prorations", "none")
STATUSES = (
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
)
FEEDBACK = one_of(
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
)
ENDING = ("cancel_at", "cancel_at_period_end")
# What may be asked for together with PENDING.
WITH_PENDING = {
    "billing_cycle_anchor",
    "expand",
    "items",
    "off_session",
    "payment_behavior",
    "proration_behavior",
    "proration_date",
}


@router.post(
    "/subscriptions",
    {
        "customer": text,
        "items": [{"price": text, "quantity": integer, **METADATA}],
        "metadata": mapping,
        "default_payment_method": text,
        "discounts": [GIVEN],
        "payment_behavior": one_of(ALLOW, DEFAULT, ERROR),
        "payment_settings": PAYMENT_SETTINGS,
        "automatic_tax": {"enabled": flag},
        "off_session": flag,
        "description": text,
        "cancel_at_period_end": flag,
        "collection_method": one_of(CHARGED, SENT),
        "days_until_due": integer,
        "currency": one_of(*CURRENCIES),
        "billing_mode": BILLING_MODE,
    },
    required=["customer"],
)
def create_one(call: Call) -> Object:
    given, store = call.params, call.store
    refuse_other_mode(given.get("billing_mode", {}), "billing_mode")
    customer = store.get("customer", given["customer"], "customer")
    now = now_of(store, customer["id"], call.now)
    method = given.get("default_payment_method")
    if method:
        _refuse_foreign(store, method, customer["id"])
    rows = given.get("items", [])
    discounts = draft_discounts(
        store, given.get("discounts", ()), customer_id=customer["id"], amount=amount_of(store, rows), now=now
    )
    redeem_all(store, discounts, now)
    subscription = create(
        store,
        NewSubscription(
            customer_id=customer["id"],
            items=rows,
            metadata=merged({}, given.get("metadata")),
            payment_method_id=method,
            discounts=discounts,
            payment_behavior=given.get("payment_behavior", ALLOW),
            tax=given.get("automatic_tax", {}).get("enabled", False),
            off_session=given.get("off_session", False),
            description=given.get("description"),
            **_collection({"collection_method": CHARGED, "days_until_due": None}, given),
            payment_settings=_payment_settings(given.get("payment_settings", {})),
        ),
        now,
    )
    if given.get("cancel_at_period_end"):
        subscription = subscription_status.change(
            store, subscription, now, **end_with_period(subscription, True, now)
        )
    return subscription


@router.get("/subscriptions/{}")
def retrieve(call: Call) -> Object:
    return call.store.get("subscription", call.id)


@router.list("/subscription_items", {"subscription": text}, required=["subscription"])
def list_items(call: Call) -> Object:
    rows = call.store.get("subscription", call.params["subscription"], "subscription")["items"]["data"]
    return listing(rows, call.params, "/v1/subscription_items")


@router.list(
    "/subscriptions", {"customer": text, "status": one_of(*STATUSES), "price": text, "test_clock": text}
)
def list_all(call: Call) -> Object:
    """Without a `status`, those that have not ended. Subscriptions on test clocks are listed only for a
    customer, or for their clock.
    """
    given = call.given("customer", "test_clock")
    if not given:
        given = {"test_clock": None}
    rows = call.store.all("subscription", **given)
    status = call.params.get("status", "")
    if status == "ended":
        rows = [row for row in rows if row["status"] in subscription_status.OVER]
    elif status == "":
        rows = [row for row in rows if row["status"] not in subscription_status.OVER]
    elif status != "all":
        rows = [row for row in rows if row["status"] == status]
    if "price" in call.params:
        rows = [row for row in rows if call.params["price"] in _prices(row)]
    return listing(rows, call.params, "/v1/subscriptions")


@router.post(
    "/subscriptions/{}",
    {
        "items": [{"id": text, "price": text, "quantity": integer, "deleted": flag, **METADATA}],
        "add_invoice_items": [ADDED],
        "metadata": mapping,
        "default_payment_method": text,
        "discounts": either(one_of(""), [GIVEN]),
        "collection_method": one_of(CHARGED, SENT),
        "days_until_due": integer,
        "proration_behavior": PRORATION,
        "proration_date": moment,
        "payment_behavior": one_of(ALLOW, DEFAULT, ERROR, PENDING),
        "payment_settings": PAYMENT_SETTINGS,
        "billing_cycle_anchor": ANCHOR,
        "cancel_at_period_end": flag,
        "cancel_at": either(one_of(""), moment),
        "cancellation_details": {"comment": text, "feedback": FEEDBACK},
        "automatic_tax": {"enabled": flag},
        "off_session": flag,
        "description": text,
    },
)
def update_one(call: Call) -> Object:
    given, store = call.params, call.store
    subscription = store.get("subscription", call.id)
    now = now_of(store, subscription["customer"], call.now)
    _refuse(subscription, given)
    fields = _plain_fields(store, subscription, given)
    if "cancel_at_period_end" in given:
        fields |= end_with_period({**subscription, **fields}, given["cancel_at_period_end"], now)
    elif "cancel_at" in given:
        fields |= end_at({**subscription, **fields}, given["cancel_at"] or None, now)
    discounts = None
    if "discounts" in given:
        amount = sum(
            item["price"]["unit_amount"] * item["quantity"] for item in subscription["items"]["data"]
        )
        made = draft_discounts(
            store, given["discounts"] or (), customer_id=subscription["customer"], amount=amount, now=now
        )
        redeem_all(store, made, now)
        discounts = begin(store, made, subscription=subscription["id"])
        fields["discounts"] = [discount["id"] for discount in discounts]
    if "items" in given or given.get("billing_cycle_anchor") == NOW:
        added = added_items(store, subscription, given, now)
        asked = SubscriptionUpdate(params=given, fields=fields, discounts=discounts, added=added)
        return update(store, subscription, asked, now)
    if "add_invoice_items" in given:
        raise ApiError("The local Stripe adds invoice items only with `items`.", param="add_invoice_items")
    return subscription_status.change(store, subscription, now, **fields)


def _plain_fields(store: Store, subscription: Object, given: dict[str, Any]) -> dict[str, Any]:
    """The fields that a call sets and that bill nothing."""
    fields: dict[str, Any] = {}
    if "metadata" in given:
        fields["metadata"] = merged(subscription["metadata"], given["metadata"])
    if "default_payment_method" in given:
        method = given["default_payment_method"] or None
        if method:
            _refuse_foreign(store, method, subscription["customer"])
        fields["default_payment_method"] = method
    if "description" in given:
        fields["description"] = given["description"] or None
    fields |= _collection(subscription, given)
    if "payment_settings" in given:
        wanted = _payment_settings(given["payment_settings"])
        fields["payment_settings"] = {**subscription["payment_settings"], **wanted}
    if "automatic_tax" in given:
        on = given["automatic_tax"].get("enabled", False)
        refuse_unknown_location(store, subscription["customer"], enabled=on)
        fields["automatic_tax"] = {**subscription["automatic_tax"], "enabled": on}
    details = {**subscription["cancellation_details"], **given.get("cancellation_details", {})}
    fields["cancellation_details"] = details
    return fields


@router.delete(
    "/subscriptions/{}",
    {
        "invoice_now": flag,
        "prorate": flag,
        "cancellation_details": {"comment": text, "feedback": FEEDBACK},
    },
)
def cancel_one(call: Call) -> Object:
    subscription = call.store.get("subscription", call.id)
    return cancel(
        call.store,
        subscription,
        invoice_now=call.params.get("invoice_now", False),
        prorate=call.params.get("prorate", False),
        details=call.params.get("cancellation_details", {}),
        now=now_of(call.store, subscription["customer"], call.now),
    )


def end_with_period(subscription: Object, at_period_end: bool, now: int) -> dict[str, Any]:
    """The fields of a subscription that is to end with its period, or is not."""
    end = min(item["current_period_end"] for item in subscription["items"]["data"])
    return {
        **end_at(subscription, end if at_period_end else None, now),
        "cancel_at_period_end": at_period_end,
    }


def end_at(subscription: Object, moment: int | None, now: int) -> dict[str, Any]:
    """The fields of a subscription that is to end then; with None, it goes on. Raises ApiError for a
    moment that is past.
    """
    if moment is not None and moment <= now:
        raise ApiError("`cancel_at` must be in the future.", param="cancel_at")
    reason = "cancellation_requested" if moment is not None else None
    return {
        "cancel_at": moment,
        "cancel_at_period_end": False,
        "canceled_at": None if moment is None else now,
        "cancellation_details": {**subscription["cancellation_details"], "reason": reason},
    }


def _refuse(subscription: Object, given: dict[str, Any]) -> None:
    """Raises ApiError for what cannot be asked of this subscription."""
    asked = set(given) - {"expand"}
    if subscription["status"] in subscription_status.OVER and asked - {"metadata", "cancellation_details"}:
        raise ApiError("A canceled subscription can only update its cancellation_details and metadata.")
    if subscription["schedule"] and any(name in given for name in ENDING):
        raise ApiError(
            f"The subscription is managed by the subscription schedule `{subscription['schedule']}`, and"
            " updating any cancelation behavior directly is not allowed. Please update the schedule instead."
        )
    if given.get("payment_behavior") != PENDING:
        return
    other = sorted(asked - WITH_PENDING)
    other += ["items[metadata]"] if any("metadata" in row for row in given.get("items", ())) else []
    if other:
        raise ApiError(
            "When `payment_behavior` is set to `pending_if_incomplete` you can only pass supported params."
            f" You passed in unsupported params: {', '.join(other)}.",
            param=other[0],
        )


def _refuse_foreign(store: Store, method_id: str, customer_id: str) -> None:
    found = store.get("payment_method", method_id, "default_payment_method")
    if found["customer"] != customer_id:
        raise ApiError(
            f"The customer does not have a payment method with the ID {method_id}. The payment method must be"
            " attached to the customer.",
            code="resource_missing",
            param="default_payment_method",
        )


def _collection(before: Mapping[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """How its invoices are collected. Raises ApiError where they are to be sent without a day to pay by."""
    method = given.get("collection_method", before["collection_method"])
    days = given.get("days_until_due", before["days_until_due"]) if method == SENT else None
    if method == SENT and days is None:
        raise ApiError(
            "You must specify `days_until_due` when `collection_method` is `send_invoice`.",
            code="parameter_missing",
            param="days_until_due",
        )
    return {"collection_method": method, "days_until_due": days}


def _payment_settings(given: dict[str, Any]) -> dict[str, Any]:
    """An empty list of types stands for all."""
    if "payment_method_types" not in given:
        return given
    return {**given, "payment_method_types": given["payment_method_types"] or None}


def amount_of(store: Store, rows: list[Any]) -> int:
    """What these prices and quantities come to in cents, before discounts."""
    found = [(store.find("price", row.get("price", "")), row.get("quantity", 1)) for row in rows]
    return sum(price["unit_amount"] * quantity for price, quantity in found if price)


def _prices(subscription: Object) -> set[str]:
    return {item["price"]["id"] for item in subscription["items"]["data"]}
