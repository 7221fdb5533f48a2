"""Events: what happened, stored for whoever asks, and queued for each webhook endpoint that wants to know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.objects.store import Store

VERSION = "2026-10-28.endive"
# The types of events that can happen here.
EVENT_TYPES = (
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.failed",
    "charge.pending",
    "charge.refund.updated",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "coupon.created",
    "coupon.updated",
    "customer.created",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "customer.subscription.updated",
    "customer.tax_id.created",
    "customer.tax_id.deleted",
    "customer.tax_id.updated",
    "customer.updated",
    "invoice.created",
    "invoice.deleted",
    "invoice.finalization_failed",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.sent",
    "invoice.updated",
    "invoice.voided",
    "invoiceitem.created",
    "payment_intent.canceled",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payment_method.attached",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "payment_method.updated",
    "price.created",
    "price.updated",
    "product.created",
    "product.deleted",
    "product.updated",
    "promotion_code.created",
    "promotion_code.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "subscription_schedule.canceled",
    "subscription_schedule.completed",
    "subscription_schedule.created",
    "subscription_schedule.released",
    "subscription_schedule.updated",
    "test_helpers.test_clock.advancing",
    "test_helpers.test_clock.created",
    "test_helpers.test_clock.deleted",
    "test_helpers.test_clock.ready",
)
# Types that an endpoint can ask for, as at Stripe, though they never happen here.
SILENT_TYPES = ("invoice.overdue", "invoice.upcoming", "invoice.will_be_due")


def emit(
    store: Store, kind: str, subject: Object, now: int, previous: Mapping[str, Any] | None = None
) -> Object:
    """Stores the event that this happened to an object, with the object as it is now. `previous`: the
    previous values of the fields that changed.
    """
    data: Object = {"object": json.loads(json.dumps(subject))}
    if previous:
        data["previous_attributes"] = dict(previous)
    endpoints = [row for row in store.all("webhook_endpoint", status="enabled") if wants(row, kind)]
    event = store.save(
        blank(
            "event",
            id=store.new_id("evt"),
            api_version=VERSION,
            created=now,
            data=data,
            pending_webhooks=len(endpoints),
            type=kind,
        )
    )
    for endpoint in endpoints:
        deliver(store, event["id"], endpoint["id"])
    return event


def emit_updated(store: Store, kind: str, before: Object, after: Object, now: int) -> Object:
    """Stores the changed object, and the event of it. Returns the object. Does nothing where nothing
    differs.
    """
    changed = {name: before.get(name) for name in after if after[name] != before.get(name)}
    if changed:
        store.save(after)
        emit(store, kind, after, now, changed)
    return after


def wants(endpoint: Object, kind: str) -> bool:
    return kind in endpoint["enabled_events"] or "*" in endpoint["enabled_events"]


def deliver(store: Store, event: str, endpoint: str) -> Object:
    """Queues the event for the endpoint; `webhooks.send_due` sends it."""
    return store.save(
        {
            "id": store.new_id("del"),
            "object": "local.delivery",
            "event": event,
            "endpoint": endpoint,
            "state": "waiting",
            "attempts": 0,
            "due": 0,
            "answer": "",
        }
    )
