"""Works the webhook inbox: an event says which object to sync; what Stripe answers then decides."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from billing.errors import AnswerUnreadable, PaymentsUnavailable, StripeMissing
from billing.models import StripeEvent
from billing.services import inbox
from billing.sync.checkouts import sync_checkout_session
from billing.sync.invoices import sync_invoice
from billing.sync.payers import sync_payer
from billing.sync.payments import sync_payment, sync_refund
from billing.sync.promotions import sync_promotion
from billing.sync.subscriptions import sync_subscription
from tokenplan.kit.errors import Refusal

logger = logging.getLogger(__name__)

Sync = Callable[[str, datetime], list[str]]
# What was synced in one run, and the newest event that had come before that.
Synced = dict[tuple[Sync, str], int]
# By the name that Stripe gives the event's object: where in it the id is, and what is done. An event about
# another object is kept and changes nothing.
SYNCS: dict[str, tuple[str, Sync]] = {
    "checkout.session": ("id", sync_checkout_session),
    "customer": ("id", sync_payer),
    "payment_method": ("customer", sync_payer),
    "subscription": ("id", sync_subscription),
    "subscription_schedule": ("subscription", sync_subscription),
    "invoice": ("id", sync_invoice),
    "payment_intent": ("id", sync_payment),
    "charge": ("payment_intent", sync_payment),
    "refund": ("id", sync_refund),
    "dispute": ("payment_intent", sync_payment),
    "promotion_code": ("id", sync_promotion),
}
# An invoice that was a draft may be gone.
GONE = ("invoice.deleted",)


def work_inbox(*, at: datetime, most: int = 100) -> int:
    """Works what is due, the longest waiting first, up to `most`. Returns how many are done. Safe to run
    beside itself, or to die in the middle: the event is due again later. Raises PaymentsUnavailable at the
    first that Stripe does not answer about: the others wait untouched.
    """
    done = 0
    synced: Synced = {}
    for _ in range(most):
        event = inbox.claim(at=at)
        if event is None:
            break
        done += work(event=event, at=at, synced=synced)
    return done


def work(*, event: StripeEvent, at: datetime, synced: Synced) -> bool:
    """One event that was claimed. Whether it is done. `synced`: what this run has synced; it adds to it.
    Raises PaymentsUnavailable.
    """
    try:
        changed = _sync_subject(event, at, synced)
    except PaymentsUnavailable as refusal:
        inbox.fail(event=event, error=f"{refusal.code}: {refusal.detail}", at=at)
        if not isinstance(refusal, AnswerUnreadable):  # Stripe answers, and the other events are read
            raise
    except StripeMissing as refusal:
        inbox.fail_missing(event=event, error=f"{refusal.code}: {refusal.detail}", at=at)
    except Refusal as refusal:
        inbox.fail(event=event, error=f"{refusal.code}: {refusal.detail}", at=at)
    except Exception as error:  # whatever is wrong with this one, the others are worked
        logger.exception("The event %s was not worked", event.stripe_id)
        inbox.fail(event=event, error=f"{type(error).__name__}: {error}", at=at)
    else:
        inbox.finish(event=event, changed=changed, at=at)
        return True
    return False


def _sync_subject(event: StripeEvent, at: datetime, synced: Synced) -> list[str]:
    """What the sync changed. An event that had come before this run synced its object is answered by that
    sync: Stripe sends many events about one purchase at once.
    """
    about = event.payload["data"]["object"]
    field, sync = SYNCS.get(str(about.get("object")), ("", None))
    if sync is None or event.kind in GONE:
        return []
    id = about.get(field) or _named_elsewhere(event, field)
    subject = (sync, str(id or ""))
    if not id or synced.get(subject, 0) >= event.pk:
        return []
    newest = inbox.newest()
    changed = sync(str(id), at)
    synced[subject] = newest
    return changed


def _named_elsewhere(event: StripeEvent, field: str) -> object:
    """A schedule that is over, and a payment method that was detached, say it in another place."""
    about = event.payload["data"]
    if field == "subscription":
        return about["object"].get("released_subscription")
    return (about.get("previous_attributes") or {}).get(field)
