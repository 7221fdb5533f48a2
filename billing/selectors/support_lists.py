"""How much waits for somebody at the support desk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.models import StripeEvent
from quota.models import QuarantinedRow, RefusedCall, Reservation
from teams.models import Mail

LATELY = timedelta(days=1)


@dataclass(frozen=True)
class Waiting:
    """Each is counted when it is asked for, by an index. `refused` and `lapsed` are of the last 24 hours."""

    at: datetime

    def quarantined(self) -> int:
        """Reports of gateways that could not be recorded."""
        return QuarantinedRow.objects.waiting().count()

    def given_up(self) -> int:
        """Events of Stripe's that are worked no more."""
        return StripeEvent.objects.filter(done_at=None).exclude(dead_at=None).count()

    def failing(self) -> int:
        """Events of Stripe's that failed so far."""
        return StripeEvent.objects.waiting().exclude(error="").count()

    def unsent(self) -> int:
        """Mails that could not be sent so far."""
        return Mail.objects.filter(sent_at=None).exclude(last_error="").count()

    def refused(self) -> int:
        return RefusedCall.objects.since(self.at - LATELY).count()

    def lapsed(self) -> int:
        return Reservation.objects.filter(expired=True, created_at__gte=self.at - LATELY).count()
