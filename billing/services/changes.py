"""Changes of a subscription: what is planned for the period's end, and what is asked of Stripe at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from billing.change_requests import Bill, BillChange, ChangeRequest, PlannedSeat, bill_later, bill_now
from billing.errors import (
    ChangeInProgress,
    NotOnSale,
    NotSubscribed,
    PaymentOverdue,
    SubscriptionEnding,
)
from billing.models import Change, PurchasedSeat, Subscription
from billing.seat_plans import LEAVES
from billing.selectors.prices import prices_of
from billing.services.notifications import notify_payers
from billing.stripe_api.snapshots import SubscriptionSnapshot
from teams.models import Membership, Team, User
from teams.services import mail
from teams.services.audit import record
from teams.services.locks import lock_kept_team, lock_team
from tokenplan.kit.stored_texts import as_stored
from tokenplan.kit.transactions import one_transaction, refused_by

# The requests of changes that nobody asked for: what was missed at a period's end is made good; a change
# whose payment was taken back is undone.
MISSED, UNDONE = "missed", "undone"

State = Change.State
Status = Subscription.Status


def changeable(team: Team) -> Subscription:
    """The Team's live subscription, if it can be changed now. Raises NotSubscribed, SubscriptionEnding,
    PaymentOverdue, ChangeInProgress."""
    row = Subscription.objects.for_team(team).live().first()
    if row is None or row.status == Status.INCOMPLETE:
        raise NotSubscribed
    if row.owes or row.status not in (Status.ACTIVE, Status.TRIALING):
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


def bill_ahead(row: Subscription) -> Bill | None:
    """What is planned to be billed from the period's end on; None where it renews as it is."""
    seats = planned_seats(row)
    later = bill_later(seats, row.later_interval)
    return later if seats and later != bill_now(seats, row.interval) else None


def keep_plan(*, subscription: Subscription, ahead: Bill | None, at_stripe: Mapping[str, int]) -> None:
    """The plan is for the period's end; where that has come and Stripe bills what was planned, it is over.
    `ahead` is what was planned before this sync, `at_stripe` what is billed now, by price id. Called inside
    the transaction that applies a snapshot.
    """
    row = subscription
    if ahead is not None and row.is_plan_due and _is_billed(ahead, row, at_stripe):
        row.seats.live().update(leaves=False, next_plan=None)
    planned_for = row.planned_for
    if row.ended_at is not None or bill_ahead(row) is None:
        planned_for = None
    elif planned_for is None or planned_for > row.period_start:
        planned_for = row.period_end
    if planned_for != row.planned_for:
        row.planned_for = planned_for
        row.save(update_fields=["planned_for"])


def _is_billed(bill: Bill, row: Subscription, at_stripe: Mapping[str, int]) -> bool:
    try:
        return bill.interval == row.interval and prices_of(bill) == at_stripe
    except NotOnSale:
        return False


@one_transaction()
def open_missed(
    *,
    subscription: Subscription,
    target: Mapping[str, int],
    extra_nanousd: int,
    since: datetime,
    at: datetime,
) -> Change:
    """Writes down that Stripe is about to be asked to bill this period as it was planned, `since` when it
    should have; `extra_nanousd` was billed beyond that. Raises ChangeInProgress.
    """
    team = lock_kept_team(subscription.team)
    row = Subscription.objects.get(pk=subscription.pk)
    if row.fetch_sequence != subscription.fetch_sequence or row.planned_for != since:
        raise ChangeInProgress  # a sync beside this one has seen more
    text = "What was planned for the period's end"
    with refused_by(a_team_has_one_change_in_progress=ChangeInProgress):
        change = Change.objects.create(
            team=team,
            subscription=subscription,
            text=text,
            request={"kind": MISSED, "since": since.isoformat()},
            target=dict(target),
            amount_nanousd=-extra_nanousd,
            proration_at=subscription.period_start,
            created_at=at,
        )
    details = {"amount_nanousd": change.amount_nanousd}
    record(team=team, by=None, action="subscription.change_asked", subject=text, details=details, at=at)
    return change


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
    row.planned_for = row.period_end if change.plans_ahead else None
    row.schedule_id = ""  # Stripe's is of an older plan; until the next sync the sweep finds this one unheard
    row.planned_by = by
    mail.take_back(what_stands(row))
    row.save(update_fields=["next_interval", "planned_for", "schedule_id", "planned_by"])
    record(team=team, by=by, action="subscription.planned", subject=text, at=at)
    return row


@dataclass(frozen=True, slots=True)
class Agreed:
    """What was shown and confirmed, at `proration_at`. `target`: Stripe's price id to number of seats after
    the change.
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
    *,
    subscription: Subscription,
    snapshot: SubscriptionSnapshot,
    plans_before: Mapping[int, int],
    at: datetime,
) -> list[str]:
    """Closes the change under way if what Stripe bills now shows how it ended. Called inside the transaction
    that applies the snapshot. `plans_before`: seat id to plan id before the seats followed the snapshot; what
    a done change made of them is written down. A change that was sent and does not show at Stripe yet stays
    open; `refuse_change` ends it. Returns what changed, one line.
    """
    change = subscription.changes.unfinished().first()
    if change is None:
        return []
    before = change.state
    if snapshot.quantities == change.target and snapshot.change_is_under_way:
        change.state, change.invoice_id = State.AWAITS_PAYMENT, snapshot.change_invoice_id
        change.save(update_fields=["state", "invoice_id"])
    elif snapshot.quantities == change.target:
        # A change that costs nothing makes no invoice; the latest one is of a change before it then.
        if not subscription.changes.filter(invoice_id=snapshot.change_invoice_id).exists():
            Change.objects.filter(pk=change.pk).update(invoice_id=snapshot.change_invoice_id)
        change.seats = _made_of_seats(plans_before, plans_of_seats(subscription))
        change.save(update_fields=["seats"])
        _close(change, State.DONE, "", at)
    elif subscription.ended_at is not None:
        _close(change, State.REFUSED, _lazy("The subscription has ended."), at)
    elif snapshot.pending_until is not None:
        change.state = State.AWAITS_PAYMENT
        change.invoice_id, change.pay_url = snapshot.pending_invoice_id, snapshot.pending_url
        change.save(update_fields=["state", "invoice_id", "pay_url"])
    elif change.state == State.AWAITS_PAYMENT:
        _close(change, State.REFUSED, _why_not_paid(change), at)
    return [] if change.state == before else [f"change “{change.text}”: {change.state}"]


def _why_not_paid(change: Change) -> str | Promise:
    payers = Membership.objects.for_team(change.team).live().payers()
    if change.by is None or payers.filter(user=change.by).exists():
        return _lazy("It was not paid in time.")
    return _lazy("Who asked for it does not manage the Team's billing any more.")


def plans_of_seats(subscription: Subscription) -> dict[int, int]:
    """Seat id to plan id, of the seats that are paid for and not withdrawn."""
    bought = subscription.seats.live().filter(seat__removed_at=None)
    return dict(bought.values_list("seat_id", "plan_id"))


def _made_of_seats(before: Mapping[int, int], after: Mapping[int, int]) -> dict[str, list[int | None]]:
    """As `Change.seats` has it."""
    return {str(id): [before.get(id), plan_id] for id, plan_id in after.items() if before.get(id) != plan_id}


@one_transaction()
def refuse_change(*, change: Change, reason: str, at: datetime) -> Change:
    """Records that Stripe did not do it. A change that is over already stays as it is."""
    lock_kept_team(change.team)
    change.refresh_from_db()
    if change.closed_at is None:
        _close(change, State.REFUSED, reason, at)
    return change


@one_transaction()
def notify_of_dropped_change(*, change: Change, at: datetime) -> None:
    """Tells who pays now that a change which waited for its payment was given up."""
    notify_payers(
        team=change.team,
        kind="change_dropped",
        dedupe_key=f"change_dropped:{change.pk}",
        at=at,
        what=change.text,
        by=change.by.email if change.by else "",
    )


def what_stands(row: Subscription) -> str:
    """What the keys of the mails about a plan that stands begin with."""
    return f"plan_stands:{row.stripe_id}:"


@one_transaction()
def notify_of_what_stands(*, subscription: Subscription, at: datetime) -> bool:
    """Tells who pays now, once, what somebody who does not any more has planned for the period's end. It
    stands: the Team renews as it was decided for it. Returns whether there was anything to tell.
    """
    team = lock_kept_team(subscription.team)
    row = Subscription.objects.select_related("planned_by").get(pk=subscription.pk)
    if row.planned_by is None or row.planned_by != subscription.planned_by:
        return False
    by, row.planned_by = row.planned_by, None
    row.save(update_fields=["planned_by"])
    ends_at, seats = row.ends_at, row.seats.live()
    notify_payers(
        team=team,
        kind="plan_stands",
        dedupe_key=f"{what_stands(row)}{by.pk}:{row.period_end.isoformat()}",
        at=at,
        by=by.email,
        on=(ends_at or row.period_end).isoformat(),
        ends="yes" if ends_at else "",
        leaves=seats.filter(leaves=True).count(),
        moves=seats.exclude(next_plan=None).count(),
        interval=row.next_interval,
    )
    return True


@one_transaction()
def refuse_debited_change(*, change: Change, reason: str, at: datetime) -> None:
    """Records that its payment has failed after days, and tells the Owner, who has left the page by then."""
    team = lock_kept_team(change.team)
    change.refresh_from_db()
    if change.closed_at is not None:
        return
    _close(change, State.REFUSED, reason, at)
    notify_payers(
        team=team,
        kind="change_not_paid",
        dedupe_key=f"change_not_paid:{change.pk}",
        at=at,
        what=change.text,
        reason=change.reason,
    )


def note_undone(*, change: Change, at: datetime) -> None:
    """Its payment was taken back, and Stripe bills the seats as before it. Called inside a transaction that
    has locked the Team.
    """
    if Change.objects.filter(pk=change.pk, undone_at=None).update(undone_at=at):
        action = "subscription.change_undone"
        record(team=change.team, by=None, action=action, subject=change.text, at=at)


def _close(change: Change, state: str, reason: str | Promise, at: datetime) -> None:
    change.state, change.reason, change.closed_at = state, as_stored(reason)[:500], at
    change.save(update_fields=["state", "reason", "closed_at"])
    action = "subscription.change_done" if state == State.DONE else "subscription.change_not_done"
    details = {"reason": change.reason} if change.reason else {}
    record(team=change.team, by=change.by, action=action, subject=change.text, details=details, at=at)
    if state == State.DONE and change.request["kind"] == UNDONE and "change" in change.request:
        undone = Change.objects.get(pk=change.request["change"])
        note_undone(change=undone, at=at)
    if state == State.DONE and change.request["kind"] == MISSED:
        notify_payers(
            team=change.team,
            kind="plan_missed",
            dedupe_key=f"plan_missed:{change.subscription.stripe_id}:{change.request['since']}",
            at=at,
            amount=-change.amount_nanousd,
        )
