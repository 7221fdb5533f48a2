"""Canceling a subscription at its period's end, and resuming it: what was asked for, before Stripe knows."""

from __future__ import annotations

from datetime import datetime

from billing.errors import ChangeInProgress, NothingToChange, NotSubscribed
from billing.models import Subscription
from teams.models import Team, User
from teams.services.audit import record
from teams.services.locks import lock_team
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


@one_transaction()
def ask_to_cancel(*, team: Team, at: datetime, by: User | None) -> Subscription:
    """Records that the subscription is to end with its period; each sync asks Stripe for it until Stripe has
    it. What is planned for the seats stays planned. Raises NotSubscribed, ChangeInProgress."""
    row = _without_change(lock_team(team))
    row.cancel_asked = True
    row.save(update_fields=["cancel_asked"])
    record(team=team, by=by, action="subscription.cancel_asked", subject=row.stripe_id, at=at)
    return row


@one_transaction()
def ask_to_resume(*, team: Team, at: datetime, by: User | None) -> Subscription:
    """Records that the subscription is to renew again. Raises NotSubscribed, ChangeInProgress."""
    row = _without_change(lock_team(team))
    row.cancel_asked = False
    row.save(update_fields=["cancel_asked"])
    record(team=team, by=by, action="subscription.resume_asked", subject=row.stripe_id, at=at)
    return row
