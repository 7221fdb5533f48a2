"""The webhook inbox: stored once, worked until done, each attempt later than the one before."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Max

from billing.models import StripeEvent
from billing.stripe_api.snapshots import EventSnapshot
from teams.models import User
from teams.services.audit import because, record
from tokenplan.kit.transactions import one_transaction

# Longer than a batch takes, so that no other process takes the event meanwhile. If Stripe is slow, one may do
# so all the same; syncing an object twice changes nothing more.
CLAIM = timedelta(minutes=2)
LONGEST_WAIT = timedelta(hours=6)
# How often Stripe is asked about an object that it does not know.
ASKED_ABOUT_MISSING = 2


@one_transaction()
def receive(*, event: EventSnapshot, payload: dict[str, object], at: datetime) -> bool:
    """Keeps the event for good, once by its id. Returns whether it is new."""
    _, is_new = StripeEvent.objects.get_or_create(
        stripe_id=event.id,
        defaults={
            "kind": event.kind,
            "subject": str(event.object.get("id") or "")[:255],
            "payload": payload,
            "created_at": event.created_at,
            "received_at": at,
            "next_attempt_at": at,
        },
    )
    return is_new


@one_transaction()
def claim(*, at: datetime) -> StripeEvent | None:
    """The event that has waited longest. Nobody else gets it before CLAIM is over. An attempt whose process
    dies counts as one.
    """
    event = StripeEvent.objects.due(at).select_for_update(skip_locked=True).first()
    if event is None:
        return None
    event.attempts += 1
    event.next_attempt_at = at + max(CLAIM, _wait(event.attempts))
    event.save(update_fields=["attempts", "next_attempt_at"])
    return event


def newest() -> int:
    """The primary key of the newest event; every event with a lower one has come already."""
    return StripeEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0


@one_transaction()
def finish(*, event: StripeEvent, changed: list[str], at: datetime) -> None:
    """Marks it as done; `changed`: what changed in our rows. A replay without changes keeps the lines."""
    fields = {"done_at": at, "next_attempt_at": None, "dead_at": None, "error": ""}
    if changed or not event.changed:
        fields["changed"] = "\n".join(changed)
    StripeEvent.objects.filter(pk=event.pk).update(**fields)


@one_transaction()
def fail(*, event: StripeEvent, error: str, at: datetime) -> None:
    """Records the failed attempt. It is due again after 15 s, 30 s, a minute and so on, up to six hours."""
    StripeEvent.objects.filter(pk=event.pk, done_at=None, dead_at=None).update(
        error=error[:5000], next_attempt_at=at + _wait(event.attempts)
    )


@one_transaction()
def fail_missing(*, event: StripeEvent, error: str, at: datetime) -> None:
    """Stripe does not know what the event is about. The first time it is due again, since what was just made
    may be unknown for a moment; after that it is a dead letter: an operator sees it, and may replay it. An
    attempt that Stripe did not answer says nothing about it, and does not count.
    """
    waiting = StripeEvent.objects.filter(pk=event.pk, done_at=None, dead_at=None)
    waiting.update(missing_answers=F("missing_answers") + 1)
    event.refresh_from_db(fields=["missing_answers"])
    if event.missing_answers < ASKED_ABOUT_MISSING:
        fail(event=event, error=error, at=at)
    else:
        StripeEvent.objects.filter(pk=event.pk, done_at=None).update(
            error=error[:5000], next_attempt_at=None, dead_at=at
        )


@one_transaction()
def replay(*, event: StripeEvent, reason: str = "", at: datetime, by: User) -> None:
    """Due again, now. Working an event again only syncs its object again, so it is harmless."""
    StripeEvent.objects.filter(pk=event.pk).update(done_at=None, dead_at=None, next_attempt_at=at)
    details = because(reason)
    record(team=None, by=by, action="stripe_event.replayed", subject=event.stripe_id, details=details, at=at)


def _wait(attempts: int) -> timedelta:
    return min(timedelta(seconds=15 * (1 << min(attempts - 1, 20))), LONGEST_WAIT)
