"""Undoing what a payment that was taken back has paid for: which seats that names, and where nothing is
undone by itself.

Only what the change did is undone, seat by seat. Where a later change built on one of these seats (it was
moved again, given up, or is paid by the year now), that change was priced with the first one in it: what is
right then is for operators to say, so they are told and nothing happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.errors import ChangeInProgress
from billing.models import Change, Invoice, Payment, Price, Subscription
from billing.seat_plans import LEAVES
from billing.services.changes import UNDONE, note_undone, plans_of_seats
from billing.services.notifications import notify_of_what_is_not_undone
from teams.services.locks import lock_kept_team
from tokenplan.kit.transactions import one_transaction, refused_by


@one_transaction()
def open_undo(*, change: Change, at: datetime) -> Change | None:
    """Writes down that Stripe is about to be asked to undo a change, so that no other one begins meanwhile;
    its `moves` name the seats. None where it is undone, and where a later change built on it: operators get
    a mail then, once. Raises ChangeInProgress while another change is under way, or this undo is.
    """
    team = lock_kept_team(change.team)
    change = Change.objects.get(pk=change.pk)
    if change.undone_at is not None:
        return None
    if change.subscription.changes.unfinished().exists():
        raise ChangeInProgress
    moves = _way_back(change)
    if moves is None:
        notify_of_what_is_not_undone(change=change, at=at)
        return None
    with override(settings.LANGUAGE_CODE):  # as all texts of changes, which are stored
        text = _("Undo: %(change)s") % {"change": change.text}
    with refused_by(a_team_has_one_change_in_progress=ChangeInProgress):
        return Change.objects.create(
            team=team,
            subscription=change.subscription,
            text=text[:200],
            request={"kind": UNDONE, "change": str(change.pk)},
            target={},
            moves=moves,
            amount_nanousd=0,
            proration_at=at,
            created_at=at,
        )


def _way_back(change: Change) -> dict[str, int] | None:
    """Seat to the plan that it had before the change, LEAVES for one that it added; None where a later change
    built on it."""
    now, row = plans_of_seats(change.subscription), change.subscription
    by_another_interval = Price.objects.filter(stripe_id__in=change.target).exclude(interval=row.interval)
    if not change.seats or by_another_interval.exists():
        return None
    if any(now.get(int(seat_id)) != after for seat_id, (_before, after) in change.seats.items()):
        return None
    return {
        seat_id: LEAVES if before is None else before for seat_id, (before, _after) in change.seats.items()
    }


@one_transaction()
def open_end_of_period(*, subscription: Subscription, bill: Invoice, at: datetime) -> Change | None:
    """Writes down that the seats which this period's invoice paid for are about to be taken away, while seats
    that later changes paid for stay. None where that is done. Raises ChangeInProgress likewise.
    """
    team = lock_kept_team(subscription.team)
    row = Subscription.objects.get(pk=subscription.pk)
    request = {"kind": UNDONE, "invoice": bill.stripe_id}
    if row.changes.filter(request=request, state=Change.State.DONE).exists():
        return None
    stay = seats_paid_since(row, bill)
    with override(settings.LANGUAGE_CODE):
        text = _("End of the seats of invoice %(invoice)s") % {"invoice": bill}
    with refused_by(a_team_has_one_change_in_progress=ChangeInProgress):
        return Change.objects.create(
            team=team,
            subscription=row,
            text=text[:200],
            request=request,
            target={},
            moves={str(seat_id): LEAVES for seat_id in plans_of_seats(row) if seat_id not in stay},
            amount_nanousd=0,
            proration_at=at,
            created_at=at,
        )


def seats_paid_since(subscription: Subscription, bill: Invoice) -> set[int]:
    """The live seats that changes after this invoice of a period have added, and whose payment stands. A seat
    of the invoice that was raised since is one of the invoice: the raise alone pays for no seat.
    """
    added: set[int] = set()
    later = subscription.changes.filter(
        state=Change.State.DONE, undone_at=None, created_at__gte=bill.created_at
    )
    bills = Invoice.objects.filter(stripe_id__in=later.values("invoice_id")).exclude(payment_id="")
    payments = {bill.payment_id: bill.stripe_id for bill in bills}
    taken_back = {
        payments[payment.stripe_id]
        for payment in Payment.objects.filter(stripe_id__in=payments)
        if payment.is_taken_back
    }
    for change in later.exclude(invoice_id__in=taken_back):
        added |= {int(seat_id) for seat_id, (before, _after) in change.seats.items() if before is None}
    return added & plans_of_seats(subscription).keys()


@one_transaction()
def set_undo_target(*, undo: Change, target: Mapping[str, int]) -> None:
    """What Stripe bills once it is undone; read after the row was written, so that nothing comes between.

    Raises ChangeInProgress where the sweep has closed the row meanwhile, as of an undo that took long: then
    another change may have begun. The event comes again, and so does the undo.
    """
    if not Change.objects.filter(pk=undo.pk, closed_at=None).update(target=dict(target)):
        raise ChangeInProgress


@one_transaction()
def mark_undone(*, change: Change, at: datetime) -> None:
    """Its payment was taken back, and Stripe bills the seats as before it."""
    lock_kept_team(change.team)
    note_undone(change=change, at=at)


@one_transaction()
def report_not_undone(*, change: Change, at: datetime) -> None:
    """What Stripe bills does not contain what the change did: operators get a mail, once."""
    notify_of_what_is_not_undone(change=change, at=at)


def ended_by(payment: Payment) -> list[str]:
    """What became of seats since this payment was taken back: a line for each change that is undone, and for
    each period whose seats, or whose subscription, ended before its time."""
    lines = []
    for bill in Invoice.objects.for_team(payment.team).filter(payment_id=payment.stripe_id):
        row = Subscription.objects.for_team(payment.team).filter(stripe_id=bill.subscription_id).first()
        if row is None:
            continue
        undone = Q(invoice_id=bill.stripe_id, undone_at__isnull=False)
        ended = Q(request={"kind": UNDONE, "invoice": bill.stripe_id}, state=Change.State.DONE)
        lines += list(
            row.changes.filter(undone | ended).order_by("created_at").values_list("text", flat=True)
        )
        if row.ended_at is not None and bill.created_at <= row.ended_at < row.period_end:
            with override(settings.LANGUAGE_CODE):
                text = _("The subscription %(subscription)s has ended.")
                lines.append(text % {"subscription": row.stripe_id})
    return lines
