"""Canceling a subscription at its period's end, and resuming it: what was asked for, before Stripe knows."""

from __future__ import annotations

from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.errors import ChangeInProgress, NothingToChange, NotSubscribed
from billing.models import Payment, Refund, Subscription
from billing.services.changes import what_stands
from billing.services.notifications import notify_payers
from billing.services.refunds import open_refund
from quota.money import usd_text
from teams.models import AuditEntry, Team, User
from teams.services import mail
from teams.services.audit import Details, record
from teams.services.locks import lock_kept_team, lock_team
from tokenplan.kit.transactions import one_transaction


def cancelable(team: Team) -> Subscription:
    """The Team's live subscription, if it can be canceled now: also while a payment is overdue. Raises
    NotSubscribed, ChangeInProgress; NothingToChange where it ends already."""
    row = _without_change(team)
    if _ends(row):
        raise NothingToChange
    return row


def resumable(team: Team) -> Subscription:
    """The Team's live subscription, if it was canceled. Raises NotSubscribed, ChangeInProgress,
    NothingToChange."""
    row = _without_change(team)
    if not _ends(row):
        raise NothingToChange
    return row


def _without_change(team: Team) -> Subscription:
    row = Subscription.objects.for_team(team).live().first()
    if row is None or row.status == Subscription.Status.INCOMPLETE:
        raise NotSubscribed
    if row.changes.unfinished().exists():
        raise ChangeInProgress
    return row


def _ends(row: Subscription) -> bool:
    return row.cancel_at is not None or row.cancel_asked


COUNTED = ("asked_number", "asked_to_end")


def _count(row: Subscription, *, to_end: bool) -> None:
    """Stripe is told the number too, so that a call that arrives late is known by it."""
    row.asked_number, row.asked_to_end = row.asked_number + 1, to_end


@one_transaction()
def ask_to_cancel(*, team: Team, at: datetime, by: User | None) -> Subscription:
    """Records that the subscription is to end with its period; each sync asks Stripe for it until Stripe has
    it. What is planned for the seats stays planned. Raises NotSubscribed, ChangeInProgress."""
    row = _without_change(lock_team(team))
    row.cancel_asked, row.cancel_for, row.planned_by = True, row.period_end, by
    _count(row, to_end=True)
    row.save(update_fields=["cancel_asked", "cancel_for", "planned_by", *COUNTED])
    mail.take_back(what_stands(row))
    record(team=team, by=by, action="subscription.cancel_asked", subject=row.stripe_id, at=at)
    return row


def end_where_no_seat_stays(*, subscription: Subscription, at: datetime) -> list[str]:
    """Every seat is to be given up at the period's end, since the others were taken away: nothing is left to
    renew, so the subscription ends then. Called inside the transaction that applies a snapshot. Returns what
    changed, a line.
    """
    row, seats = subscription, subscription.seats.live()
    if row.ended_at is not None or row.is_plan_due or row.changes.unfinished().exists():
        return []
    if not seats.exists() or seats.filter(leaves=False).exists():
        return []
    seats.update(leaves=False)
    if not _ends(row):
        row.cancel_asked, row.cancel_for = True, row.period_end
        row.save(update_fields=["cancel_asked", "cancel_for"])
        record(team=row.team, by=None, action="subscription.cancel_asked", subject=row.stripe_id, at=at)
    return [f"subscription {row.stripe_id}: every seat is given up, so it ends with its period"]


@one_transaction()
def ask_to_resume(*, team: Team, at: datetime, by: User | None) -> Subscription:
    """Records that the subscription is to renew again. Raises NotSubscribed, ChangeInProgress."""
    row = _without_change(lock_team(team))
    row.cancel_asked, row.cancel_for, row.planned_by = False, None, by  # what is planned stands again
    _count(row, to_end=False)
    row.save(update_fields=["cancel_asked", "cancel_for", "planned_by", *COUNTED])
    mail.take_back(what_stands(row))
    record(team=team, by=by, action="subscription.resume_asked", subject=row.stripe_id, at=at)
    return row


@one_transaction()
def open_missed_end(
    *,
    subscription: Subscription,
    payment: Payment | None,
    by_balance_nanousd: int,
    since: datetime,
    at: datetime,
) -> Refund | None:
    """Writes down that the period which began `since` is about to be ended and paid back. Again, it gives the
    same refund; None where nothing was charged: then the Owner is told now, else by `close_refund`.
    `by_balance_nanousd`: what the customer's balance paid, which is about to go back to it. Raises
    ChangeInProgress when a sync beside this one has seen more, or a refund of that payment is under way.
    """
    team = lock_kept_team(subscription.team)
    row = Subscription.objects.get(pk=subscription.pk)
    if row.fetch_sequence != subscription.fetch_sequence or not row.is_end_missed:
        raise ChangeInProgress
    once = f"cancellation_missed:{row.stripe_id}:{since.isoformat()}"
    request = uuid5(NAMESPACE_URL, once)
    refund = Refund.objects.filter(pk=request).first()
    with override(settings.LANGUAGE_CODE):  # it is stored
        reason = _("The subscription was canceled before this period.")
    if refund is None and payment is not None and payment.left_nanousd > 0:
        refund = open_refund(
            payment=payment,
            amount_nanousd=payment.left_nanousd,
            reason=reason,
            request=request,
            at=at,
            by=None,
        )
    if refund is None:
        notify_payers(
            team=team,
            kind="cancellation_missed",
            dedupe_key=once,
            at=at,
            amount=0,
            refused="",
            balance=by_balance_nanousd,
        )
    action = "subscription.end_missed"
    known = AuditEntry.objects.filter(action=action, subject=row.stripe_id)
    if not known.filter(details__since=since.isoformat()).exists():
        details: Details = {
            "since": since.isoformat(),
            "refund": usd_text(refund.amount_nanousd if refund else 0),
            "balance": usd_text(by_balance_nanousd),
        }
        record(
            team=team,
            by=None,
            action="subscription.end_missed",
            subject=row.stripe_id,
            details=details,
            at=at,
        )
    return refund
