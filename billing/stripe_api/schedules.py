"""What Stripe is to do at a period's end: a subscription schedule, or the subscription's end. Called by
`billing.sync.schedule` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.errors import StripeRefused
from billing.stripe_api.client import api, asked, seconds
from billing.stripe_api.reading import ASKED_NUMBER
from billing.stripe_api.snapshots import (
    OtherItem,
    ScheduleSnapshot,
    SubscriptionSnapshot,
    schedule_snapshot,
)
from billing.stripe_api.subscriptions import subscription

LIVE = ("active", "not_started")


def schedule(id: str) -> ScheduleSnapshot:
    return schedule_snapshot(asked(api().subscription_schedules.retrieve, id))


def hold_schedule(now: SubscriptionSnapshot) -> ScheduleSnapshot:
    """The subscription's schedule; a new one, of the current period as Stripe has it, where it has none."""
    return schedule(now.schedule_id) if now.schedule_id else _new_schedule(now.id)


def upsert_schedule(
    plan: ScheduleSnapshot, now: SubscriptionSnapshot, prices: Mapping[str, int], *, interval: str
) -> ScheduleSnapshot:
    """From the period's end on other prices are billed, in full and without any proration. `prices`: Stripe's
    price id to number of seats. The rest of the current period is billed as `now` says: it must be read, or
    compared with Stripe, after the schedule was there. Raises StripeRefused for a schedule that was released.
    """
    # A phase that names no discounts has only the customer's.
    others = [_as_it_is(item) for item in now.others]
    discounts = {"discounts": [{"discount": id} for id in now.discounts]} if now.discounts else {}
    until_then = {
        **discounts,
        "items": [{"price": price, "quantity": count} for price, count in now.quantities.items()] + others,
        "start_date": seconds(plan.starts_at or now.period_start),
        "end_date": seconds(now.period_end),
        "proration_behavior": "none",
    }
    then = {
        **discounts,
        "items": [{"price": price, "quantity": count} for price, count in prices.items() if count] + others,
        "duration": {"interval": interval, "interval_count": 1},
        "proration_behavior": "none",
    }
    params = {"phases": [until_then, then], "end_behavior": "release", "proration_behavior": "none"}
    return schedule_snapshot(asked(api().subscription_schedules.update, plan.id, params))


def is_live(schedule_id: str) -> bool:
    return schedule(schedule_id).status in LIVE


def _as_it_is(item: OtherItem) -> dict[str, Any]:
    """An item that is not ours, as a phase has it: what no phase names would be taken away."""
    quantity = {} if item.quantity is None else {"quantity": item.quantity}
    return {"price": item.price_id, **quantity}


def _new_schedule(subscription_id: str) -> ScheduleSnapshot:
    """A new schedule, or the one that another process has made at the same time."""
    try:
        made = asked(api().subscription_schedules.create, {"from_subscription": subscription_id})
    except StripeRefused:
        other = subscription(subscription_id).schedule_id
        if not other:
            raise
        return schedule(other)
    return schedule_snapshot(made)


def release_schedule(schedule_id: str) -> None:
    """The subscription goes on as it is; a schedule that is over already is left alone. Raises
    StripeMissing.
    """
    if is_live(schedule_id):
        asked(api().subscription_schedules.release, schedule_id)


def set_cancel_at_period_end(subscription_id: str, *, cancel: bool, number: int) -> None:
    """`number` is read later as `asked_number`. Raises StripeRefused while there is a schedule."""
    params = {"cancel_at_period_end": cancel, "metadata": {ASKED_NUMBER: str(number)}}
    asked(api().subscriptions.update, subscription_id, params)
