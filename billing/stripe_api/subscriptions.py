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
SUBSCRIPTION_PARTS = ["latest_invoice"]


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
    """The invoice of a change made at `at`; without `at`, the next regular one if it were billed so."""
    details: dict[str, Any] = {"items": _item_changes(now, prices), "proration_behavior": "none"}
    if at is not None:
        details |= {"proration_behavior": "always_invoice", "proration_date": seconds(at)}
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


def end_subscription(subscription: str) -> None:
    """Now, without paying anything back; what was never paid is not owed any more."""
    for bill in listed(api().invoices.list, {"subscription": subscription, "status": "open"}):
        asked(api().invoices.void_invoice, bill["id"])
    asked(api().subscriptions.cancel, subscription, {"invoice_now": False, "prorate": False})


def _item_changes(now: SubscriptionFacts, prices: Quantities) -> list[dict[str, Any]]:
    kept = {item.price: item.id for item in now.items}
    changes: list[dict[str, Any]] = [
        {"id": id, "quantity": prices[price]} if prices.get(price) else {"id": id, "deleted": True}
        for price, id in kept.items()
        if prices.get(price) != now.quantities[price]
    ]
    new = {price: count for price, count in prices.items() if count and price not in kept}
    return changes + [{"price": price, "quantity": count} for price, count in new.items()]


def schedule(id: str) -> ScheduleFacts:
    return facts.schedule_facts(asked(api().subscription_schedules.retrieve, id))


def plan_period_end(now: SubscriptionFacts, prices: Quantities, *, interval: str) -> ScheduleFacts:
    """From the period's end on, other prices are billed, in full and without any proration."""
    schedules = api().subscription_schedules
    plan = (
        schedule(now.schedule)
        if now.schedule
        else facts.schedule_facts(asked(schedules.create, {"from_subscription": now.id}))
    )
    until_then = {
        "items": [{"price": price, "quantity": count} for price, count in now.quantities.items()],
        "start_date": seconds(plan.starts_at or now.period_start),
        "end_date": seconds(now.period_end),
        "proration_behavior": "none",
    }
    then = {
        "items": [{"price": price, "quantity": count} for price, count in prices.items() if count],
        "duration": {"interval": interval, "interval_count": 1},
        "proration_behavior": "none",
    }
    params = {"phases": [until_then, then], "end_behavior": "release", "proration_behavior": "none"}
    return facts.schedule_facts(asked(schedules.update, plan.id, params))


def forget_period_end(schedule_id: str) -> None:
    """The subscription goes on as it is; a schedule that is over already is left alone."""
    if schedule(schedule_id).status in ("active", "not_started"):
        asked(api().subscription_schedules.release, schedule_id)
