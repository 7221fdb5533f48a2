"""Usage of meters that the rate card has no price for: recorded, not charged, and told to the operators."""

from __future__ import annotations

from datetime import datetime, timedelta

from quota.selectors.unpriced import unpriced_meters
from teams.models import Mail, User
from teams.services.mail import queue
from tokenplan.kit.transactions import one_transaction

# How far the sweep of every minute looks back, and that of every night, for when the others did not run.
RECENT = timedelta(hours=1)
MONTH = timedelta(days=31)


@one_transaction()
def report_unpriced(*, at: datetime, reach: timedelta = RECENT) -> int:
    """Mail each operator every meter that a model was used by and has no price for, once a rate card.

    Looks at what was recorded in the last `reach`. Returns how many mails were queued.
    """
    missing = {
        f"unpriced:{found.card_id}:{found.model}:{found.meter}:{operator.pk}": (operator, found)
        for found in unpriced_meters(at - reach)
        for operator in User.objects.operators()
    }
    sent = set(Mail.objects.filter(dedupe_key__in=missing).values_list("dedupe_key", flat=True))
    for dedupe_key, (operator, found) in missing.items():
        if dedupe_key not in sent:
            context = {"model": found.model, "meter": found.meter, "receipt": str(found.event_id)}
            queue(kind="unpriced", to=operator.email, context=context, dedupe_key=dedupe_key, at=at)
    return len(missing.keys() - sent)
