"""Changes of a subscription: what is planned for the period's end, and what is asked of Stripe at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from billing.change_requests import BillChange, ChangeRequest, PlannedSeat
from billing.errors import ChangeInProgress, NotSubscribed, PaymentOverdue, SubscriptionEnding
from billing.models import Change, PurchasedSeat, Subscription
from billing.seat_plans import LEAVES
from billing.stripe_api.snapshots import SubscriptionSnapshot
from teams.models import Team, User
from teams.services.audit import record
from teams.services.locks import lock_kept_team, lock_team
from tokenplan.kit.transactions import one_transaction, refused_by

State = Change.State
Status = Subscription.Status


def changeable(team: Team) -> Subscription:
    """The Team's live subscription, if it can be changed now. Raises NotSubscribed, SubscriptionEnding,
    PaymentOverdue, ChangeInProgress."""
    row = Subscription.objects.for_team(team).live().first()
    if row is None or row.status == Status.INCOMPLETE:
        raise NotSubscribed
    if row.status not in (Status.ACTIVE, Status.TRIALING):
        raise PaymentOverdue
    if not row.seats.live().exists():
        raise ChangeInProgress(_("The first payment of the subscription is under way; wait for it."))
    if row.cancel_at is not None or row.cancel_asked:
        raise SubscriptionEnding
    if row.changes.unfinished().exists():
        raise ChangeInProgress
    return row


def planned_seats(row: Subscription) -> tuple[PlannedSeat, ...]:
    """The paid seats and what is planned for them, the oldest first."""
    bought = PurchasedSeat.objects.live().filter(subscription=row).order_by("seat_id")
    return tuple(
        PlannedSeat(seat.seat_id, seat.plan_id, LEAVES if seat.leaves else seat.next_plan_id)
        for seat in bought
    )


def repeated(
    *, team: Team, request: ChangeRequest, amount_nanousd: int, proration_at: datetime
) -> Change | None:
    """The Change that an earlier confirmation of the same request, amount and moment has made; None if there
    is none, or Stripe refused it.
    """
    same = Change.objects.for_team(team).filter(
        request=request.as_json(), amount_nanousd=amount_nanousd, proration_at=proration_at
    )
    return same.exclude(state=State.REFUSED).first()


@one_transaction()
def plan_ahead(*, team: Team, change: BillChange, text: str, at: datetime, by: User | None) -> Subscription:
    """Records what is planned for the period's end. Raises what `changeable` does, and ChangeInProgress when
    the seats are not as they were shown."""
    row = _as_shown(lock_team(team), change.terms.seats)
    for seat in change.seats:
        leaves = seat.next_plan_id == LEAVES
        PurchasedSeat.objects.filter(pk=seat.id).update(
            leaves=leaves, next_plan=None if leaves else seat.next_plan_id
        )
    row.next_interval = change.next_interval
    row.save(update_fields=["next_interval"])
    record(team=team, by=by, action="subscription.planned", subject=text, at=at)
    return row


@dataclass(frozen=True, slots=True)
class Agreed:
    """What was shown and confirmed. `target`: Stripe's price id to number of seats after the change; the
    proration is counted from `proration_at`.
    """

    request: ChangeRequest
    change: BillChange
    text: str
    target: Mapping[str, int]
    amount_nanousd: int
    proration_at: datetime


@one_transaction()
def open_change(*, team: Team, agreed: Agreed, at: datetime, by: User | None) -> Change:
    """Records what is about to be asked of Stripe. A Team has one such change at a time: raises
    ChangeInProgress, and what `changeable` does."""
    team = lock_team(team)
    row = _as_shown(team, agreed.change.terms.seats)
    request = agreed.request.as_json()
    shown_then = row.changes.filter(proration_at=agreed.proration_at).exclude(state=State.REFUSED).first()
    if shown_then is not None:
        if shown_then.request == request:
            raise ChangeInProgress(_("This change was confirmed already; look at the subscription."))
        # Two browser windows opened in the same second: confirming both would charge twice.
        raise ChangeInProgress(
            _("Another change, shown at the same time, was made already; look at it first.")
        )
    with refused_by(a_team_has_one_change_in_progress=ChangeInProgress):
        change = Change.objects.create(
            team=team,
            subscription=row,
            text=agreed.text,
            request=request,
            target=dict(agreed.target),
            before={item.price.stripe_id: item.quantity for item in row.items.select_related("price")},
            moves={str(seat_id): plan_id for seat_id, plan_id in agreed.change.moves.items()},
            amount_nanousd=agreed.amount_nanousd,
            proration_at=agreed.proration_at,
            by=by,
            created_at=at,
        )
    details = {"amount_nanousd": agreed.amount_nanousd}
    record(team=team, by=by, action="subscription.change_asked", subject=agreed.text, details=details, at=at)
    return change


def _as_shown(team: Team, seats: Sequence[PlannedSeat]) -> Subscription:
    row = changeable(team)
    if planned_seats(row) != tuple(seats):
        raise ChangeInProgress(_("The seats have changed since they were shown; look at them again."))
    return row


def close_change_by_bill(
    *, subscription: Subscription, snapshot: SubscriptionSnapshot, at: datetime
) -> list[str]:
    """Closes the change under way if what Stripe bills now shows how it ended. Called inside the transaction
    that applies the snapshot. A change that was sent and does not show at Stripe yet stays open;
    `refuse_change` ends it. Returns what changed, one line.
    """
    change = subscription.changes.unfinished().first()
    if change is None:
        return []
    before = change.state
    if snapshot.quantities == change.target:
        # A change that costs nothing makes no invoice; the latest one is of a change before it then.
        if not subscription.changes.filter(invoice_id=snapshot.change_invoice_id).exists():
            Change.objects.filter(pk=change.pk).update(invoice_id=snapshot.change_invoice_id)
        _close(change, State.DONE, "", at)
    elif subscription.ended_at is not None:
        _close(change, State.REFUSED, _("The subscription has ended."), at)
    elif snapshot.pending_until is not None:
        change.state = State.AWAITS_PAYMENT
        change.invoice_id, change.pay_url = snapshot.pending_invoice_id, snapshot.pending_url
        change.save(update_fields=["state", "invoice_id", "pay_url"])
    elif change.state == State.AWAITS_PAYMENT:
        _close(change, State.REFUSED, _("It was not paid in time."), at)
    return [] if change.state == before else [f"change “{change.text}”: {change.state}"]


@one_transaction()
def refuse_change(*, change: Change, reason: str, at: datetime) -> Change:
    """Records that Stripe did not do it. A change that is over already stays as it is."""
    lock_kept_team(change.team)
    change.refresh_from_db()
    if change.closed_at is None:
        _close(change, State.REFUSED, reason, at)
    return change


@one_transaction()
def mark_undone(*, change: Change, at: datetime) -> None:
    """Its payment was taken back, and Stripe bills the seats as before it."""
    lock_kept_team(change.team)
    Change.objects.filter(pk=change.pk, undone_at=None).update(undone_at=at)
    record(team=change.team, by=None, action="subscription.change_undone", subject=change.text, at=at)


def _close(change: Change, state: str, reason: str, at: datetime) -> None:
    change.state, change.reason, change.closed_at = state, reason[:500], at
    change.save(update_fields=["state", "reason", "closed_at"])
    action = "subscription.change_done" if state == State.DONE else "subscription.change_not_done"
    details = {"reason": change.reason} if change.reason else {}
    record(team=change.team, by=change.by, action=action, subject=change.text, details=details, at=at)
