"""What Stripe is to do when the period of a subscription ends. Only this module makes, changes and releases
Stripe's subscription schedules, and only it says whether a subscription renews.

Our rows decide: what is planned for each seat, another interval, a cancellation. `keep_schedule` makes Stripe
agree with them after every sync. Around a change that acts at once it is called thus: the change releases the
schedule (`release_for_change`), since Stripe changes no subscription that is on one; while the change is
under way nothing is scheduled; the sync that sees it done, or refused, schedules what is planned again.

Nothing is left unscheduled over a period's end: near it no change waits for its payment (`may_wait`), in the
last hour none is begun (`too_late`), and a payment that waits all the same gives way (`gives_way`). What was
missed nevertheless is made good by `missed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from billing.change_requests import BillChange
from billing.errors import ChangeInProgress, StripeMissing, StripeRefused
from billing.models import Change, Subscription
from billing.selectors.prices import prices_of
from billing.services.changes import bill_ahead
from billing.stripe_api import schedules
from billing.stripe_api.snapshots import ScheduleSnapshot, SubscriptionSnapshot
from billing.stripe_api.subscriptions import subscription

# Stripe keeps a change that waits for its payment so long, at most to the period's end (pending updates).
PENDING_LASTS = timedelta(hours=23)
# What is planned is at Stripe so long before the period's end, whatever sweep or event came late.
MARGIN = timedelta(days=1)
# So long before it no change is sent: one that is not answered would not be settled in time.
LAST = timedelta(hours=1)


class Overtaken(ChangeInProgress):
    """The subscription, or what is planned for it, has changed since it was read: sync it again."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The subscription is over: Stripe does nothing more."""


@dataclass(frozen=True, slots=True)
class ReleasedForChange:
    """A change is under way, which released the schedule. Nothing is scheduled before it is over."""

    change_id: UUID


@dataclass(frozen=True, slots=True)
class AwaitsPayment:
    """Somebody else changed the subscription, and the payment of that waits. What is planned is scheduled
    when it is over, or gives way.
    """


@dataclass(frozen=True, slots=True)
class Missed:
    """The period's end has come that something was planned for, and Stripe bills otherwise. `prices`: what
    was planned.
    """

    prices: Mapping[str, int]
    since: datetime


@dataclass(frozen=True, slots=True)
class MissedEnd:
    """It renewed, although it was canceled before: Stripe did not hear that in time. `since`: when it was to
    end.
    """

    since: datetime


@dataclass(frozen=True, slots=True)
class EndsWithPeriod:
    """The subscription ends. `stripe_knows`: Stripe has it so already. What is planned for the seats stays
    in our rows, for the case that it is resumed.
    """

    stripe_knows: bool


@dataclass(frozen=True, slots=True)
class Unscheduled:
    """It renews as it is."""


@dataclass(frozen=True, slots=True)
class Planned:
    """From `starts_at` on, the period's end, it is billed otherwise. `prices`: Stripe's price id to number of
    seats.
    """

    prices: Mapping[str, int]
    interval: str
    starts_at: datetime


State = (
    Ended | ReleasedForChange | AwaitsPayment | Missed | MissedEnd | EndsWithPeriod | Unscheduled | Planned
)


def schedule_state(row: Subscription, snapshot: SubscriptionSnapshot) -> State:
    """What our rows want to happen at the period's end. `snapshot` is what they agree with."""
    if row.ended_at is not None:
        return Ended()
    change = row.changes.unfinished().first()
    if change is not None:
        return ReleasedForChange(change.pk)
    if row.cancel_for is not None and row.is_end_missed:
        return MissedEnd(row.cancel_for)
    later = bill_ahead(row)
    if later is not None and row.planned_for is not None and row.is_plan_due:
        return Missed(prices_of(later), row.planned_for)
    if row.cancel_asked or snapshot.cancel_at is not None:
        return EndsWithPeriod(stripe_knows=not row.cancel_asked)
    if later is None:
        return Unscheduled()
    if snapshot.pending_until is not None:
        return AwaitsPayment()
    return Planned(prices_of(later), later.interval, snapshot.period_end)


def is_missed(row: Subscription, snapshot: SubscriptionSnapshot) -> Missed | MissedEnd | None:
    state = schedule_state(row, snapshot)
    return state if isinstance(state, Missed | MissedEnd) else None


def may_wait(change: BillChange, snapshot: SubscriptionSnapshot, at: datetime) -> bool:
    """May the change wait for its payment, or must it be paid at once? While it waits nothing is planned at
    Stripe.
    """
    return not change.plans_ahead or at + PENDING_LASTS + MARGIN <= snapshot.period_end


def too_late(change: BillChange, snapshot: SubscriptionSnapshot, at: datetime) -> bool:
    """Is the period's end too near for a change that takes the schedule off for a moment?"""
    return change.plans_ahead and at + LAST > snapshot.period_end


def gives_way(row: Subscription, snapshot: SubscriptionSnapshot, at: datetime) -> bool:
    """Does a payment wait that keeps what is planned from being scheduled, near the period's end?"""
    if snapshot.pending_until is None or row.ended_at is not None or at + MARGIN < snapshot.period_end:
        return False
    return bill_ahead(row) is not None


def keep_schedule(row: Subscription, snapshot: SubscriptionSnapshot) -> list[str]:
    """Makes, changes or releases Stripe's schedule, or ends the subscription with its period, so that Stripe
    does what our rows want. Returns what it did, a line each: nothing, the second time. Raises Overtaken,
    what Stripe says, and NotOnSale for a price that Stripe does not know.
    """
    match schedule_state(row, snapshot):
        case Missed() if row.cancel_asked and snapshot.cancel_at is None:
            return _end_with_period(row, snapshot)
        case Ended() | ReleasedForChange() | AwaitsPayment() | Missed() | MissedEnd():
            return []
        case EndsWithPeriod(stripe_knows=False):
            return _end_with_period(row, snapshot)
        case Planned() as planned:
            return _schedule(row, snapshot, planned)
        case _:
            return _release(snapshot)


def _end_with_period(row: Subscription, snapshot: SubscriptionSnapshot) -> list[str]:
    # Stripe refuses to end a subscription that is on a schedule.
    lines = _release(snapshot)
    schedules.set_cancel_at_period_end(row.stripe_id, cancel=True, number=row.asked_number)
    return [*lines, f"subscription {row.stripe_id}: ends with its period"]


def release_for_change(change: Change, snapshot: SubscriptionSnapshot) -> None:
    """Before a change is sent. The row is there first, and the schedule is looked up after it, so that a sync
    beside this one either sees the row or has its schedule released: see `_schedule`. Raises ValueError for a
    change that is over, and what Stripe says.
    """
    if change.closed_at is not None:
        raise ValueError("Only a change under way releases the schedule.")
    now = subscription(snapshot.id)
    if now.schedule_id:
        schedules.release_schedule(now.schedule_id)


def release_to_undo(snapshot: SubscriptionSnapshot) -> None:
    """Before a change is undone, since Stripe changes no subscription that is on a schedule. The sync that
    follows plans anew.
    """
    _release(snapshot)


def renew_again(row: Subscription) -> None:
    """A subscription that was to end with its period goes on. Its schedule is made by the sync that
    follows. Raises what Stripe says.
    """
    schedules.set_cancel_at_period_end(row.stripe_id, cancel=False, number=row.asked_number)


def ask_again(row: Subscription, snapshot: SubscriptionSnapshot) -> list[str]:
    """Where Stripe heard an earlier call last, since it arrived late, or since ours was lost: what was asked
    last is asked again. What people do at Stripe's own page since counts. Raises what Stripe says.
    """
    ends = snapshot.cancel_at is not None
    is_late = snapshot.asked_number < row.asked_number and ends != row.asked_to_end
    if row.ended_at is not None or row.cancel_asked or not is_late:
        return []
    if row.asked_to_end:
        return _end_with_period(row, snapshot)
    renew_again(row)
    return [f"subscription {row.stripe_id}: renews again"]


def _schedule(row: Subscription, snapshot: SubscriptionSnapshot, planned: Planned) -> list[str]:
    """A schedule also says what is billed until then, so it must not be written from what was read before a
    change. First the schedule is there, then it is asked whether all is as it was read, then it is written: a
    change that comes later releases it (`release_for_change`), and Stripe refuses to write it.
    """
    if snapshot.schedule_id:
        now = schedules.schedule(snapshot.schedule_id)
        # What no phase names would be taken away, so the items that are not ours are named too.
        wanted = {**planned.prices, **{item.price_id: item.quantity or 0 for item in snapshot.others}}
        if now.phases > 1 and dict(now.later) == wanted and now.ends_at == planned.starts_at:
            return []
    held = schedules.hold_schedule(snapshot)
    if not _is_as_read(row, snapshot, planned, held):
        raise Overtaken
    try:
        made = schedules.upsert_schedule(held, snapshot, planned.prices, interval=planned.interval)
    except StripeRefused:
        if schedules.is_live(held.id):
            raise
        raise Overtaken from None
    if schedule_state(Subscription.objects.get(pk=row.pk), snapshot) != planned:
        raise Overtaken  # another plan may have been written before this one
    Subscription.objects.filter(pk=row.pk).update(schedule_id=made.id)
    seats = sum(planned.prices.values())
    return [f"schedule {made.id}: {seats} seats from {planned.starts_at:%Y-%m-%d %H:%M} on"]


def _is_as_read(
    row: Subscription, snapshot: SubscriptionSnapshot, planned: Planned, held: ScheduleSnapshot
) -> bool:
    """Our rows are asked first: a change that is over by then shows at Stripe. While one is under way nothing
    is scheduled, so it does not find the schedule in its way.
    """
    state = schedule_state(Subscription.objects.get(pk=row.pk), snapshot)
    if isinstance(state, ReleasedForChange):
        with suppress(StripeMissing, StripeRefused):  # the change has released it
            schedules.release_schedule(held.id)
    now = subscription(snapshot.id)
    return state == planned and now.schedule_id == held.id and _bills_the_same(now, snapshot)


def _bills_the_same(now: SubscriptionSnapshot, before: SubscriptionSnapshot) -> bool:
    """What a schedule repeats of the current period, and what says that none is to be made."""

    def essence(one: SubscriptionSnapshot) -> tuple[object, ...]:
        others = sorted((item.price_id, item.quantity or 0) for item in one.others)
        waits = (one.cancel_at, one.pending_until, one.ended_at)
        return one.quantities, others, set(one.discounts), one.period_end, waits

    return essence(now.only(before.quantities)) == essence(before)


def _release(snapshot: SubscriptionSnapshot) -> list[str]:
    if not snapshot.schedule_id:
        return []
    with suppress(StripeMissing):
        schedules.release_schedule(snapshot.schedule_id)
        return [f"schedule {snapshot.schedule_id}: released"]
    return []
