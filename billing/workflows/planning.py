"""Keeps Stripe's schedule for the period's end equal to what the Owner has planned. Safe to run at any
time.
"""

from __future__ import annotations

from billing import stripe_api
from billing.changes import billed, billed_later
from billing.errors import StripeMissing
from billing.facts import SubscriptionFacts
from billing.models import Subscription
from billing.selectors.prices import prices_of
from billing.services.changes import planned


def keep_planned(row: Subscription, facts: SubscriptionFacts) -> list[str]:
    """Makes, changes or releases the schedule, and ends the subscription with its period if that was asked.
    Returns what it did, a line each: nothing, the second time.

    A change under way goes first; a subscription that ends has nothing planned.
    """
    if row.ended_at is not None or row.changes.unfinished().exists():
        return []
    if row.cancel_asked:
        # A subscription on a schedule cannot be told to end. What was planned is kept in our rows.
        lines = _forget(facts)
        stripe_api.set_cancel_at_period_end(row.stripe_id, cancel=True)
        return [*lines, f"subscription {row.stripe_id}: ends with its period"]
    seats, interval = planned(row), row.later_interval
    later = billed_later(seats, interval)
    same = later == billed(seats, row.interval)
    if not seats or same or facts.cancel_at is not None or facts.pending_until is not None:
        return _forget(facts)
    wanted = prices_of(later)
    if facts.schedule:
        now = stripe_api.schedule(facts.schedule)
        if now.phases > 1 and dict(now.later) == wanted and now.ends_at == facts.period_end:
            return []
    plan = stripe_api.plan_period_end(facts, wanted, interval=interval)
    Subscription.objects.filter(pk=row.pk).update(schedule_id=plan.id)
    return [f"schedule {plan.id}: {sum(wanted.values())} seats from {facts.period_end:%Y-%m-%d %H:%M} on"]


def _forget(facts: SubscriptionFacts) -> list[str]:
    if not facts.schedule:
        return []
    try:
        stripe_api.forget_period_end(facts.schedule)
    except StripeMissing:
        return []
    return [f"schedule {facts.schedule}: released"]
