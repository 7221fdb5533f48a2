"""Undoing a change whose payment was taken back: which seats it names, and where it is not undone by itself.

Only what the change did is undone, seat by seat. Where a later change built on one of these seats (it was
moved again, given up, or is paid by the year now), that change was priced with the first one in it: what is
right then is for operators to say, so they are told and nothing happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.errors import ChangeInProgress
from billing.models import Change, Price
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
def set_undo_target(*, undo: Change, target: Mapping[str, int]) -> None:
    """What Stripe bills once it is undone; read after the row was written, so that nothing comes between."""
    Change.objects.filter(pk=undo.pk, closed_at=None).update(target=dict(target))


@one_transaction()
def mark_undone(*, change: Change, at: datetime) -> None:
    """Its payment was taken back, and Stripe bills the seats as before it."""
    lock_kept_team(change.team)
    note_undone(change=change, at=at)


@one_transaction()
def report_not_undone(*, change: Change, at: datetime) -> None:
    """What Stripe bills does not contain what the change did: operators get a mail, once."""
    lock_kept_team(change.team)
    notify_of_what_is_not_undone(change=change, at=at)
