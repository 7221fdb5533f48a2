"""Makes our rows agree with a subscription as Stripe has it. What becomes of its seats: `paid_seats`; what
follows a payment that failed: `overdue`.
"""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.errors import AlreadySubscribed, PriceUnknown
from billing.fetch import Fetched
from billing.models import Change, Price, Subscription, SubscriptionItem
from billing.services.cancellations import end_where_no_seat_stays
from billing.services.changes import bill_ahead, close_change_by_bill, keep_plan, plans_of_seats
from billing.services.notifications import notify_payers
from billing.services.overdue import notify_of_payment
from billing.services.paid_seats import entitle_paid_seats, make_paid_seats
from billing.stripe_api.snapshots import ItemSnapshot, SubscriptionSnapshot
from quota.models import SeatRequest
from quota.services.seat_requests import grant_raised, lock_requests_of_holders
from teams.models import Team
from teams.services.audit import Details, record
from teams.services.locks import lock_kept_team, lock_team
from tokenplan.kit.transactions import one_transaction

Status = Subscription.Status
# In these statuses a period has begun, so the seats exist; they may still be suspended.
HAS_SEATS = {Status.TRIALING, Status.ACTIVE, Status.PAST_DUE, Status.UNPAID, Status.PAUSED}
ENDED = {Status.CANCELED, Status.INCOMPLETE_EXPIRED}


@one_transaction()
def apply_subscription(
    *,
    team: Team,
    fetched: Fetched[SubscriptionSnapshot],
    overdue_since: datetime | None,
    at: datetime,
) -> list[str]:
    """Our rows show what was fetched, unless they show something more recent, and the seats follow.

    `overdue_since` is when the oldest unpaid invoice was first to be paid. A subscription has no
    seats before its first invoice is paid. Usage is never reset. Returns what changed, a line each; applying
    the same answer again changes nothing. Raises PriceUnknown; NotFound for a deleted Team, unless the
    subscription has ended too; AlreadySubscribed for a second one that has not ended.
    """
    snapshot = fetched.value
    over = snapshot.status in ENDED or snapshot.ended_at is not None
    team = lock_kept_team(team) if over else lock_team(team)
    prices = _prices(snapshot)
    row = Subscription.objects.filter(stripe_id=snapshot.id).first()
    if row is not None and row.fetch_sequence >= fetched.sequence:
        return []
    row = row or Subscription(stripe_id=snapshot.id)
    row.team = team
    was_overdue = row.owes
    ahead = None if row._state.adding else bill_ahead(row)
    plans_before = {} if row._state.adding else plans_of_seats(row)
    change = None if row._state.adding else row.changes.unfinished().select_related("by").first()
    # Before any seat, in the order of all locks.
    asking = lock_requests_of_holders(list(map(int, change.moves))) if change and change.moves else []
    changed = _write(row, fetched, overdue_since, at)
    _write_items(row, snapshot, prices)
    items = {
        plan_id: item for item in snapshot.items if (plan_id := prices[item.price_id].plan_id) is not None
    }
    if snapshot.change_is_under_way:
        items = _of_seats_as_they_are(row, items)
    begun = not over and snapshot.status in HAS_SEATS and not snapshot.awaits_first_payment
    if not (begun and snapshot.change_is_under_way):
        changed += make_paid_seats(
            subscription=row,
            paid={plan_id: item.quantity for plan_id, item in items.items()} if begun else {},
            at=at,
        )
    changed += close_change_by_bill(subscription=row, snapshot=snapshot, plans_before=plans_before, at=at)
    changed += end_where_no_seat_stays(subscription=row, at=at)
    keep_plan(subscription=row, ahead=ahead, at_stripe=snapshot.quantities)
    changed += entitle_paid_seats(
        subscription=row, items=items, overdue_since=overdue_since, was_overdue=was_overdue, at=at
    )
    return changed + (_grant(change, asking, at) if change and asking else [])


def _grant(change: Change, asking: list[SeatRequest], at: datetime) -> list[str]:
    """Who made the change has answered those whose seat it has raised to the plan that they asked for."""
    change.refresh_from_db()
    if change.state != Change.State.DONE or change.by is None:
        return []
    granted = grant_raised(requests=asking, at=at, by=change.by)
    return [f"request {request.pk} for {request.plan_code} is granted" for request in granted]


def _of_seats_as_they_are(row: Subscription, items: dict[int, ItemSnapshot]) -> dict[int, ItemSnapshot]:
    """While a change is being paid, the seats stay as they are, for the period that is billed: also those of
    a plan that the change takes away.
    """
    some = next(iter(items.values()))
    return {**dict.fromkeys(row.seats.live().values_list("plan", flat=True), some), **items}


def _prices(snapshot: SubscriptionSnapshot) -> dict[str, Price]:
    """Our prices by Stripe's id. Raises PriceUnknown for one that is not the price of a plan of ours."""
    wanted = {item.price_id for item in snapshot.items}
    found = Price.objects.filter(stripe_id__in=wanted).exclude(plan=None)
    prices = {price.stripe_id or "": price for price in found}
    for missing in sorted(wanted - set(prices)) or ([] if wanted else [_("nothing that can be read")]):
        unknown = _("The subscription %(subscription)s bills %(price)s, which is not one of our prices.")
        raise PriceUnknown(unknown % {"subscription": snapshot.id, "price": missing})
    return prices


def _write(
    row: Subscription, fetched: Fetched[SubscriptionSnapshot], overdue_since: datetime | None, at: datetime
) -> list[str]:
    """The subscription's row as Stripe has it."""
    snapshot = fetched.value
    before, overdue_before = (row.status, row.cancel_at, row.period_start), row.past_due_since
    row.status = snapshot.status
    row.interval = snapshot.interval
    row.period_start = snapshot.period_start
    row.period_end = snapshot.period_end
    row.cancel_at = snapshot.cancel_at
    row.ended_at = snapshot.ended_at or (row.ended_at or at if snapshot.status in ENDED else None)
    row.past_due_since = overdue_since if row.ended_at is None else None
    row.created_at = snapshot.created_at
    row.schedule_id = snapshot.schedule_id
    if row.next_interval == snapshot.interval:
        row.next_interval = ""
    # One that reached Stripe after the period's end was heard for the wrong period: it stays, and is missed.
    heard = row.cancel_at is not None and not row.is_end_missed
    if heard or row.ended_at is not None:
        row.cancel_asked, row.cancel_for = False, None
    row.fetch_sequence = fetched.sequence
    if row._state.adding and row.ended_at is None:
        for other in Subscription.objects.for_team(row.team).live():
            second = _("%(team)s has the subscription %(one)s and also %(other)s; one of them must end.")
            raise AlreadySubscribed(second % {"team": row.team, "one": other, "other": row})
    row.save()
    notify_of_payment(subscription=row, overdue_before=overdue_before, at=at)
    if row.ended_at is not None and before[0] in HAS_SEATS:
        once, unpaid = f"subscription_ended:{row.stripe_id}", "yes" if overdue_before else ""
        notify_payers(team=row.team, kind="subscription_ended", dedupe_key=once, at=at, unpaid=unpaid)
    if before == (row.status, row.cancel_at, row.period_start):
        return []
    details: Details = {
        "status": row.status,
        "until": date_format(row.period_end, "Y-m-d H:i"),
        "renews": row.cancel_at is None and row.ended_at is None,
    }
    record(
        team=row.team, by=None, action="subscription.changed", subject=row.stripe_id, details=details, at=at
    )
    return [f"subscription {row.stripe_id}: {row.status}"]


def _write_items(row: Subscription, snapshot: SubscriptionSnapshot, prices: dict[str, Price]) -> None:
    """Replaces all items if one differs. Updated one by one, two items that swapped their prices would have
    the same price for a moment, which the database refuses.
    """
    fetched = [
        SubscriptionItem(
            subscription=row,
            stripe_id=item.id,
            price=prices[item.price_id],
            quantity=item.quantity,
            period_start=item.period_start,
            period_end=item.period_end,
        )
        for item in snapshot.items
    ]
    if {_values(item) for item in fetched} != {_values(item) for item in row.items.all()}:
        row.items.all().delete()
        SubscriptionItem.objects.bulk_create(fetched)


def _values(item: SubscriptionItem) -> tuple[object, ...]:
    return item.stripe_id, item.price_id, item.quantity, item.period_start, item.period_end
