"""Changes of a subscription: what is planned for the period's end, and what is asked of Stripe at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from billing.allotment import LEAVES
from billing.changes import SeatPlanned
from billing.errors import ChangeInProgress, NotSubscribed, PaymentOverdue, SubscriptionEnding
from billing.facts import SubscriptionFacts
from billing.models import Change, PurchasedSeat, Subscription
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
        raise ChangeInProgress("The first payment of the subscription is under way; wait for it.")
    if row.cancel_at is not None or row.cancel_asked:
        raise SubscriptionEnding
    if row.changes.unfinished().exists():
        raise ChangeInProgress
    return row


def endable(team: Team) -> Subscription:
    """The Team's live subscription, if it can be canceled or resumed now: also while a payment is overdue.
    Raises NotSubscribed, ChangeInProgress."""
    row = Subscription.objects.for_team(team).live().first()
    if row is None or row.status == Status.INCOMPLETE:
        raise NotSubscribed
    if row.changes.unfinished().exists():
        raise ChangeInProgress
    return row


@one_transaction()
def ask_to_cancel(*, team: Team, at: datetime, by: User | None) -> Subscription:
    """The subscription is to end with its period: every look sees to it until Stripe knows. What is planned
    for the seats stays planned. Raises what `endable` does."""
    row = endable(lock_team(team))
    row.cancel_asked = True
    row.save(update_fields=["cancel_asked"])
    record(team=team, by=by, action="subscription.cancel_asked", subject=row.stripe_id, at=at)
    return row


@one_transaction()
def ask_to_resume(*, team: Team, at: datetime, by: User | None) -> Subscription:
    """The subscription is to go on. Raises what `endable` does."""
    row = endable(lock_team(team))
    row.cancel_asked = False
    row.save(update_fields=["cancel_asked"])
    record(team=team, by=by, action="subscription.resume_asked", subject=row.stripe_id, at=at)
    return row


def planned(row: Subscription) -> list[SeatPlanned]:
    """The paid seats and what is planned for them, the oldest first."""
    bought = PurchasedSeat.objects.live().filter(subscription=row).order_by("seat_id")
    return [SeatPlanned(seat.seat_id, seat.plan_id, _planned(seat)) for seat in bought]


def _planned(seat: PurchasedSeat) -> int | None:
    return LEAVES if seat.leaves else seat.next_plan_id


@one_transaction()
def plan_ahead(
    *,
    team: Team,
    before: Sequence[SeatPlanned],
    after: Sequence[SeatPlanned],
    next_interval: str,
    text: str,
    at: datetime,
    by: User | None,
) -> Subscription:
    """For the period's end `after` is planned, where `before` was. Raises what `changeable` does, and
    ChangeInProgress when the seats are not as they were shown."""
    team = lock_team(team)
    row = changeable(team)
    if planned(row) != list(before):
        raise ChangeInProgress("The seats have changed since they were shown; look at them again.")
    for seat in after:
        PurchasedSeat.objects.filter(pk=seat.id).update(
            leaves=seat.planned == LEAVES, next_plan=None if seat.planned == LEAVES else seat.planned
        )
    row.next_interval = next_interval
    row.save(update_fields=["next_interval"])
    record(team=team, by=by, action="subscription.planned", subject=text, at=at)
    return row


@one_transaction()
def open_change(
    *,
    team: Team,
    before: Sequence[SeatPlanned],
    text: str,
    target: Mapping[str, int],
    moves: Mapping[int, int],
    amount_nanousd: int,
    proration_at: datetime,
    at: datetime,
    by: User | None,
) -> Change:
    """Notes what is about to be asked of Stripe. One at a time for a Team: raises ChangeInProgress, and what
    `changeable` does."""
    team = lock_team(team)
    row = changeable(team)
    if planned(row) != list(before):
        raise ChangeInProgress("The seats have changed since they were shown; look at them again.")
    if row.changes.filter(proration_at=proration_at).exclude(state=State.REFUSED).exists():
        raise ChangeInProgress("What was shown was confirmed already; look at the subscription.")
    with refused_by(a_team_has_one_change_in_progress=ChangeInProgress):
        change = Change.objects.create(
            team=team,
            subscription=row,
            text=text,
            target=dict(target),
            moves={str(seat): plan for seat, plan in moves.items()},
            amount_nanousd=amount_nanousd,
            proration_at=proration_at,
            by=by,
            created_at=at,
        )
    details = {"amount_nanousd": amount_nanousd}
    record(team=team, by=by, action="subscription.change_asked", subject=text, details=details, at=at)
    return change


def settle_change(*, subscription: Subscription, facts: SubscriptionFacts, at: datetime) -> list[str]:
    """What became of the change under way, by what Stripe bills now. Inside of the transaction that applies
    the facts. A change that was sent and is not seen at Stripe yet stays open: `refuse_change` ends it.
    """
    change = subscription.changes.unfinished().first()
    if change is None:
        return []
    before = change.state
    if facts.quantities == change.target:
        _close(change, State.DONE, "", at)
    elif subscription.ended_at is not None:
        _close(change, State.REFUSED, "The subscription has ended.", at)
    elif facts.pending_until is not None:
        change.state = State.AWAITS_PAYMENT
        change.invoice_id, change.pay_url = facts.pending_invoice, facts.pending_url
        change.save(update_fields=["state", "invoice_id", "pay_url"])
    elif change.state == State.AWAITS_PAYMENT:
        _close(change, State.REFUSED, "It was not paid in time.", at)
    return [] if change.state == before else [f"change “{change.text}”: {change.get_state_display()}"]


@one_transaction()
def refuse_change(*, change: Change, reason: str, at: datetime) -> Change:
    """Stripe did not do it. Nothing happens to a change that is over already."""
    lock_kept_team(change.team)
    change.refresh_from_db()
    if change.closed_at is None:
        _close(change, State.REFUSED, reason, at)
    return change


def _close(change: Change, state: str, reason: str, at: datetime) -> None:
    change.state, change.reason, change.closed_at = state, reason[:500], at
    change.save(update_fields=["state", "reason", "closed_at"])
    action = "subscription.change_done" if state == State.DONE else "subscription.change_not_done"
    details = {"reason": change.reason} if change.reason else {}
    record(team=change.team, by=change.by, action=action, subject=change.text, details=details, at=at)
