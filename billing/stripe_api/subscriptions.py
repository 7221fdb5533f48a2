"""Subscriptions: what is billed, what a change costs, what is planned for the period's end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from billing import errors, facts
from billing.facts import InvoiceFacts, ScheduleFacts, SubscriptionFacts
from billing.stripe_api.client import api, asked, listed, once, seconds

# Stripe's price id to number of seats.
Quantities = Mapping[str, int]
SUBSCRIPTION_PARTS = ["latest_invoice", "default_payment_method"]


def subscription(id: str) -> SubscriptionFacts:
    parts = {"expand": SUBSCRIPTION_PARTS}
    return facts.subscription_facts(asked(api().subscriptions.retrieve, id, parts))


def subscriptions(customer: str) -> Iterator[SubscriptionFacts]:
    """All, ended ones too, the newest first."""
    params = {
        "customer": customer,
        "status": "all",
        "expand": [f"data.{part}" for part in SUBSCRIPTION_PARTS],
    }
    return map(facts.subscription_facts, listed(api().subscriptions.list, params))


def preview_new(customer: str, prices: Quantities) -> InvoiceFacts:
    """What a period of so many seats costs; `customer` may be empty."""
    items = [{"price": price, "quantity": quantity} for price, quantity in prices.items()]
    params: dict[str, Any] = {"subscription_details": {"items": items}}
    params |= {"customer": customer} if customer else {"currency": "usd"}
    return facts.invoice_facts(asked(api().invoices.create_preview, params))


def preview_change(now: SubscriptionFacts, prices: Quantities, *, at: datetime | None) -> InvoiceFacts:
    """The invoice of a change made at `at`; without `at`, a regular one of a period billed so, with the
    subscription's own discounts. One that is to end is asked about as if it went on.
    """
    details: dict[str, Any] = {"items": _item_changes(now, prices), "proration_behavior": "none"}
    if at is not None:
        details |= {"proration_behavior": "always_invoice", "proration_date": seconds(at)}
    if now.cancel_at is not None:
        details["cancel_at_period_end"] = False
    if not details["items"]:
        del details["items"]
    params = {"subscription": now.id, "subscription_details": details}
    return facts.invoice_facts(asked(api().invoices.create_preview, params))


def next_invoice(subscription: str) -> InvoiceFacts | None:
    """None where no further one will come."""
    try:
        return facts.invoice_facts(asked(api().invoices.create_preview, {"subscription": subscription}))
    except (errors.StripeMissing, errors.StripeRefused):
        return None


def change_subscription(
    now: SubscriptionFacts, prices: Quantities, *, request: object, at: datetime
) -> SubscriptionFacts:
    """Bills other prices from `at` on, prorated, with an invoice at once. Where that is not paid at once,
    nothing changes until it is: see `pending_until`.
    """
    params = {
        "items": _item_changes(now, prices),
        "proration_behavior": "always_invoice",
        "proration_date": seconds(at),
        "payment_behavior": "pending_if_incomplete",
        "expand": SUBSCRIPTION_PARTS,
    }
    return facts.subscription_facts(asked(api().subscriptions.update, now.id, params, once(request)))


def set_cancel_at_period_end(subscription: str, *, cancel: bool) -> None:
    asked(api().subscriptions.update, subscription, {"cancel_at_period_end": cancel})


def end_subscription(subscription_id: str) -> None:
    """Now, without paying anything back; what was never paid is not owed any more. One that has ended is left
    alone."""
    if subscription(subscription_id).ended_at is not None:
        return
    for bill in list(listed(api().invoices.list, {"subscription": subscription_id, "status": "open"})):
        asked(api().invoices.void_invoice, bill["id"])
    asked(api().subscriptions.cancel, subscription_id, {"invoice_now": False, "prorate": False})


def _item_changes(now: SubscriptionFacts, prices: Quantities) -> list[dict[str, Any]]:
    """What to say of the items so that they are as `prices`. An item whose price is billed no more takes on
    a new one, so that few are deleted and made."""
    wanted = {price: count for price, count in prices.items() if count}
    new = [(price, count) for price, count in wanted.items() if price not in now.quantities]
    changes: list[dict[str, Any]] = []
    for item in now.items:
        if item.price in wanted:
            if wanted[item.price] != item.quantity:
                changes.append({"id": item.id, "quantity": wanted[item.price]})
        elif new:
            price, count = new.pop(0)
            changes.append({"id": item.id, "price": price, "quantity": count})
        else:
            changes.append({"id": item.id, "deleted": True})
    return changes + [{"price": price, "quantity": count} for price, count in new]


def schedule(id: str) -> ScheduleFacts:
    return facts.schedule_facts(asked(api().subscription_schedules.retrieve, id))


def plan_period_end(now: SubscriptionFacts, prices: Quantities, *, interval: str) -> ScheduleFacts:
    """From the period's end on, other prices are billed, in full and without any proration."""
    plan = schedule(now.schedule) if now.schedule else _new_schedule(now.id)
    # A phase that names no discounts has only the customer's.
    discounts = {"discounts": [{"discount": id} for id in now.discounts]} if now.discounts else {}
    until_then = {
        **discounts,
        "items": [{"price": price, "quantity": count} for price, count in now.quantities.items()],
        "start_date": seconds(plan.starts_at or now.period_start),
        "end_date": seconds(now.period_end),
        "proration_behavior": "none",
    }
    then = {
        **discounts,
        "items": [{"price": price, "quantity": count} for price, count in prices.items() if count],
        "duration": {"interval": interval, "interval_count": 1},
        "proration_behavior": "none",
    }
    params = {"phases": [until_then, then], "end_behavior": "release", "proration_behavior": "none"}
    return facts.schedule_facts(asked(api().subscription_schedules.update, plan.id, params))


def _new_schedule(subscription_id: str) -> ScheduleFacts:
    """One that a look beside this one has made already will do."""
    try:
        made = asked(api().subscription_schedules.create, {"from_subscription": subscription_id})
    except errors.StripeRefused:
        other = subscription(subscription_id).schedule
        if not other:
            raise
        return schedule(other)
    return facts.schedule_facts(made)


def forget_period_end(schedule_id: str) -> None:
    """The subscription goes on as it is; a schedule that is over already is left alone."""
    if schedule(schedule_id).status in ("active", "not_started"):
        asked(api().subscription_schedules.release, schedule_id)
