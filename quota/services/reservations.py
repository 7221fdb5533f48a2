"""Reservations whose lifetime is over, marked as released.

Decisions compare a reservation with the clock and never wait for this.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from quota.models import Reservation
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

RESERVATIONS_PER_TRANSACTION = 1000


def expire_reservations(*, at: datetime) -> int:
    """Mark the holds whose lifetime was over at `at` as released by the clock. Returns how many.

    They stopped holding anything at that moment by themselves, and a settle that comes later still charges.
    Each batch is one transaction. Rows that another run or a settle has locked are skipped.
    """
    total = 0
    while True:
        marked = _expire_some(at)
        total += marked
        if marked < RESERVATIONS_PER_TRANSACTION:
            return total


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _expire_some(at: datetime) -> int:
    lapsed = Reservation.objects.lapsed(at).order_by("pk").select_for_update(skip_locked=True, no_key=True)
    found = list(lapsed.values_list("pk", flat=True)[:RESERVATIONS_PER_TRANSACTION])
    return Reservation.objects.filter(pk__in=found).update(
        state=Reservation.State.RELEASED, expired=True, closed_at=F("holds_until")
    )
