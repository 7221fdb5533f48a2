"""Works the webhook inbox: an event says where to look; what is there decides."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from billing.models import StripeEvent
from billing.services import inbox
from billing.workflows import looks
from tokenplan.kit.errors import Refusal

logger = logging.getLogger(__name__)

Look = Callable[[str, datetime], list[str]]
# What was looked at, and the newest event that had come before.
Seen = dict[tuple[Look, str], int]
# By the object's own name. An event of another object is kept and changes nothing.
LOOKS: dict[str, tuple[str, Look]] = {
    "checkout.session": ("id", looks.look_at_session),
    "customer": ("id", looks.look_at_customer),
    "payment_method": ("customer", looks.look_at_customer),
    "subscription": ("id", looks.look_at_subscription),
    "subscription_schedule": ("subscription", looks.look_at_subscription),
    "invoice": ("id", looks.look_at_invoice),
    "payment_intent": ("id", looks.look_at_payment),
    "charge": ("payment_intent", looks.look_at_payment),
    "refund": ("payment_intent", looks.look_at_payment),
    "dispute": ("payment_intent", looks.look_at_payment),
    "promotion_code": ("id", looks.look_at_promotion),
}
# A schedule that is over names its subscription elsewhere; an invoice that was a draft may be gone.
GONE = ("invoice.deleted",)


def work_inbox(*, at: datetime, most: int = 100) -> int:
    """Works what is due, the longest waiting first, up to `most`. Returns how many are done. Safe to run
    beside itself, or to die in the middle: the event is due again later.
    """
    done = 0
    seen: Seen = {}
    for _ in range(most):
        event = inbox.claim(at=at)
        if event is None:
            break
        done += work(event=event, at=at, seen=seen)
    return done


def work(*, event: StripeEvent, at: datetime, seen: Seen) -> bool:
    """One event that was claimed. Whether it is done. `seen`: what this run has looked at."""
    try:
        changed = _looked(event, at, seen)
    except Refusal as refusal:
        inbox.fail(event=event, error=f"{refusal.code}: {refusal.detail}", at=at)
    except Exception as error:  # whatever is wrong with this one, the others are worked
        logger.exception("The event %s was not worked", event.stripe_id)
        inbox.fail(event=event, error=f"{type(error).__name__}: {error}", at=at)
    else:
        inbox.finish(event=event, changed=changed, at=at)
        return True
    return False


def _looked(event: StripeEvent, at: datetime, seen: Seen) -> list[str]:
    """What a look changed. An event that was here before this run's look at its object is answered by that
    look: Stripe tells of one purchase many times at once.
    """
    about = event.payload["data"]["object"]
    name, look = LOOKS.get(str(about.get("object")), ("", None))
    if look is None or event.kind in GONE:
        return []
    id = about.get(name) or (about.get("released_subscription") if name == "subscription" else "")
    subject = (look, str(id or ""))
    if not id or seen.get(subject, 0) >= event.pk:
        return []
    newest = inbox.newest()
    changed = look(str(id), at)
    seen[subject] = newest
    return changed
