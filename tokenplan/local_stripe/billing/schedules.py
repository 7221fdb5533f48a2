"""Subscription schedules: what a subscription bills from a later moment on.

A phase begins when the one before it ends. Where that is the end of a billing period, its items take the
place of the old ones before the next period is billed; with another interval, periods are counted from
there. At any other moment, they are an update that is prorated as the phase says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from tokenplan.local_stripe.billing import subscription_status
from tokenplan.local_stripe.billing.invoice_lines import active_price
from tokenplan.local_stripe.billing.invoices import drop_pending_update
from tokenplan.local_stripe.billing.renewals import SCHEDULES
from tokenplan.local_stripe.billing.subscription_changes import SubscriptionUpdate
from tokenplan.local_stripe.billing.subscription_changes import cancel as cancel_subscription
from tokenplan.local_stripe.billing.subscription_changes import update as update_subscription
from tokenplan.local_stripe.billing.subscription_items import (
    interval_of,
    item_list,
    one_interval,
    period_of,
    replaced_items,
)
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.clocks import Task
from tokenplan.local_stripe.objects.dates import later
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store

LIVE = ("not_started", "active")
# What a call may say of a phase, besides its items, dates and discounts.
PHASE_FIELDS = ("billing_cycle_anchor", "metadata", "proration_behavior")


def from_subscription(store: Store, subscription: Object, now: int) -> Object:
    """A schedule of one phase, the current period as it is. Raises ApiError for a subscription that has a
    schedule, has ended, or never began.
    """
    if subscription["schedule"]:
        raise ApiError(
            "You cannot migrate a subscription that is already attached to a schedule:"
            f" `{subscription['id']}` is already attached to `{subscription['schedule']}`.",
            param="from_subscription",
        )
    if subscription["status"] in (*subscription_status.OVER, "incomplete"):
        raise ApiError(
            f"You cannot migrate a subscription that is in the `{subscription['status']}` status.",
            param="from_subscription",
        )
    start, end = period_of(subscription)
    rows = [
        {"price": item["price"]["id"], "quantity": item["quantity"]} for item in subscription["items"]["data"]
    ]
    schedule: Object = blank(
        "subscription_schedule",
        id=store.new_id("sub_sched"),
        billing_mode=subscription["billing_mode"],
        created=now,
        current_phase={"start_date": start, "end_date": end},
        customer=subscription["customer"],
        default_settings=_defaults(subscription),
        end_behavior="cancel" if subscription["cancel_at"] else "release",
        phases=[_phase(rows, start, end, discounts=_discounts(store, subscription["discounts"]))],
        subscription=subscription["id"],
        test_clock=subscription["test_clock"],
    )
    emit(store, "subscription_schedule.created", store.save(schedule), now)
    subscription_status.change(store, subscription, now, schedule=schedule["id"])
    return schedule


def update(store: Store, schedule: Object, given: Mapping[str, Any], now: int) -> Object:
    """Replaces the current phase and those after it, or other fields. Raises ApiError for phases that do
    not fit together.
    """
    _refuse_over(schedule, "update")
    after = {**schedule, **{name: given[name] for name in ("end_behavior",) if name in given}}
    if "metadata" in given:
        after["metadata"] = given["metadata"]
    if "phases" in given:
        phases = _phases(store, schedule, given["phases"], now)
        passed = [row for row in schedule["phases"] if row["end_date"] <= phases[0]["start_date"]]
        after["phases"] = [*passed, *phases]
        after["current_phase"] = {name: phases[0][name] for name in ("start_date", "end_date")}
        subscription = store.get("subscription", schedule["subscription"])
        subscription = _apply_discounts(store, subscription, phases[0], now)
        behavior = given.get("proration_behavior", "create_prorations")
        _bill(store, subscription, phases[0], behavior, now, automatic=False)
    before = {name: schedule[name] for name in after if after[name] != schedule[name]}
    store.save(after)
    if before:
        emit(store, "subscription_schedule.updated", after, now, before)
    return after


def release(store: Store, schedule: Object, now: int) -> Object:
    """Ends the schedule; the subscription goes on as it is."""
    _refuse_over(schedule, "release")
    subscription = store.get("subscription", schedule["subscription"])
    schedule = store.save(
        {
            **schedule,
            "status": "released",
            "current_phase": None,
            "released_at": now,
            "released_subscription": subscription["id"],
            "subscription": None,
        }
    )
    subscription_status.change(store, subscription, now, schedule=None)
    emit(store, "subscription_schedule.released", schedule, now)
    return schedule


def cancel(store: Store, schedule: Object, *, invoice_now: bool, prorate: bool, now: int) -> Object:
    """Ends the schedule, and its subscription with it."""
    _refuse_over(schedule, "cancel")
    subscription = store.get("subscription", schedule["subscription"])
    cancel_subscription(store, subscription, invoice_now=invoice_now, prorate=prorate, details={}, now=now)
    return store.get("subscription_schedule", schedule["id"])


def next_period(store: Store, subscription: Object) -> tuple[Object, list[Object], int] | None:
    """What the next period bills: the subscription with its discounts then, its items then, and the anchor
    that periods are counted from then. None where the subscription ends with the current period.
    """
    rows, anchor = subscription["items"]["data"], subscription["billing_cycle_anchor"]
    schedule = store.find("subscription_schedule", subscription["schedule"] or "")
    _, end = period_of(subscription)
    if schedule is None or schedule["current_phase"]["end_date"] != end:
        return subscription, rows, anchor
    phase = _next(schedule)
    if phase is None:
        return (subscription, rows, anchor) if schedule["end_behavior"] == "release" else None
    named = [row["discount"] for row in phase["discounts"]]
    return {**subscription, "discounts": named}, *_in_next_period(store, subscription, phase, end)


def phases_due(store: Store) -> Iterator[Task]:
    """Due work: phases that end."""
    for row in store.all("subscription_schedule", status="active"):
        end = row["current_phase"]["end_date"]
        yield Task(end, SCHEDULES, row["customer"], partial(advance, store, row["id"]))


def advance(store: Store, id: str, now: int) -> None:
    """Ends the current phase and begins the next one; after the last one, the schedule ends as it says."""
    schedule = store.get("subscription_schedule", id)
    subscription = store.get("subscription", schedule["subscription"])
    phase = _next(schedule)
    if phase is None and schedule["end_behavior"] == "release":
        release(store, schedule, now)
        return
    if phase is None:
        done = {"status": "completed", "completed_at": now, "current_phase": None}
        emit(store, "subscription_schedule.completed", store.save({**schedule, **done}), now)
        subscription = drop_pending_update(store, subscription, now)
        subscription_status.end(store, subscription, now, reason="cancellation_requested")
        return
    current = {name: phase[name] for name in ("start_date", "end_date")}
    before = {"current_phase": schedule["current_phase"]}
    schedule = store.save({**schedule, "current_phase": current})
    emit(store, "subscription_schedule.updated", schedule, now, before)
    subscription = _apply_discounts(store, subscription, phase, now)
    if period_of(subscription)[1] == now:
        rows, anchor = _in_next_period(store, subscription, phase, now)
        listed = item_list(subscription["id"], rows)
        subscription_status.change(store, subscription, now, items=listed, billing_cycle_anchor=anchor)
        return
    _bill(store, subscription, phase, phase["proration_behavior"], now, automatic=True)


def _in_next_period(store: Store, subscription: Object, phase: Object, at: int) -> tuple[list[Object], int]:
    """The phase's items and anchor, where it begins with a billing period."""
    rows = replaced_items(store, subscription, phase["items"], at)
    same = interval_of(rows) == interval_of(subscription["items"]["data"])
    counts_on = same and phase["billing_cycle_anchor"] != "phase_start"
    return rows, subscription["billing_cycle_anchor"] if counts_on else at


def _bill(
    store: Store, subscription: Object, phase: Object, behavior: str, now: int, *, automatic: bool
) -> None:
    """Bills the phase's items from now on, if they differ from the subscription's."""
    rows = replaced_items(store, subscription, phase["items"], now)
    if _quantities(rows) != _quantities(subscription["items"]["data"]):
        asked = SubscriptionUpdate(params={"proration_behavior": behavior}, items=rows, automatic=automatic)
        update_subscription(store, subscription, asked, now)


def _quantities(rows: Sequence[Object]) -> dict[str, int]:
    return {row["price"]["id"]: row["quantity"] for row in rows}


def _next(schedule: Object) -> Object | None:
    end = schedule["current_phase"]["end_date"]
    return next((phase for phase in schedule["phases"] if phase["start_date"] == end), None)


def _refuse_over(schedule: Object, verb: str) -> None:
    if schedule["status"] not in LIVE:
        raise ApiError(
            f"You cannot {verb} a subscription schedule that is currently in the `{schedule['status']}`"
            " status. It must be in `not_started`, `active` to do so."
        )


def _phases(store: Store, schedule: Object, given: Sequence[Mapping[str, Any]], now: int) -> list[Object]:
    start = schedule["current_phase"]["start_date"]
    if not given:
        raise ApiError("A schedule must have at least one phase.", param="phases")
    if given[0].get("start_date", start) != start:
        raise ApiError(
            "You can not modify the start date of the current phase.", param="phases[0][start_date]"
        )
    phases = []
    for index, row in enumerate(given):
        at = f"phases[{index}]"
        if row.get("start_date", start) != start:
            raise ApiError(
                "The start date of a phase must be the end date of the one before.", param=f"{at}[start_date]"
            )
        end = _end(row, start, at)
        if end <= max(start, now):
            raise ApiError("The end date of a phase must be in the future.", param=f"{at}[end_date]")
        if not row.get("items"):
            raise ApiError("A phase must have at least one item.", param=f"{at}[items]")
        prices = [
            active_price(store, item.get("price", ""), f"{at}[items][{n}][price]", recurring=True)
            for n, item in enumerate(row["items"])
        ]
        one_interval(prices)
        fields = {name: row[name] for name in PHASE_FIELDS if name in row}
        discounts = _discounts(store, [one["discount"] for one in row.get("discounts", ())])
        phases.append(_phase(row["items"], start, end, discounts=discounts, **fields))
        start = end
    return phases


def _discounts(store: Store, ids: Iterable[str]) -> list[Object]:
    found = [store.get("discount", id) for id in ids]
    return [
        {"coupon": row["source"]["coupon"], "discount": row["id"], "promotion_code": row["promotion_code"]}
        for row in found
    ]


def _apply_discounts(store: Store, subscription: Object, phase: Object, now: int) -> Object:
    """The subscription with the discounts of the phase; one that names none removes them."""
    named = [row["discount"] for row in phase["discounts"]]
    return subscription_status.change(store, subscription, now, discounts=named)


def _end(row: Mapping[str, Any], start: int, at: str) -> int:
    if "end_date" in row:
        return int(row["end_date"])
    if "duration" not in row:
        raise ApiError("A phase needs an `end_date` or a `duration`.", param=f"{at}[end_date]")
    duration = row["duration"]
    return later(start, duration["interval"], duration.get("interval_count", 1))


def _phase(rows: Sequence[Mapping[str, Any]], start: int, end: int, **fields: Any) -> Object:
    """A phase of these prices and quantities."""
    items = [blank("subscription_schedule.phase_item", **row, plan=row["price"]) for row in rows]
    return blank("subscription_schedule.phase", start_date=start, end_date=end, items=items, **fields)


def _defaults(subscription: Object) -> Object:
    return blank(
        "subscription_schedule.default_settings",
        automatic_tax=subscription["automatic_tax"],
        default_payment_method=subscription["default_payment_method"],
        description=subscription["description"],
    )
