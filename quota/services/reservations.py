"""Reservations whose lifetime is over, marked as released; of some gateways, charged.

Decisions compare a reservation with the clock and never wait for this.
"""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from django.db import OperationalError
from django.db.models import F, QuerySet

from quota import servers
from quota.hot_path.lapses import charge_at_end
from quota.hot_path.state import locked_reservation_state
from quota.models import Reservation
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

logger = logging.getLogger(__name__)

RESERVATIONS_PER_TRANSACTION = 1000


def expire_reservations(*, at: datetime) -> int:
    """Mark the holds whose lifetime was over at `at` as released by the clock. Returns how many.

    They stopped holding anything at that moment by themselves, and a settle that comes later still charges.
    Each batch is one transaction. Rows that another run or a settle has locked are skipped.
    """
    total = 0
    for lapsed in _lapsed_apart(at):
        while (marked := _expire_some(lapsed)) == RESERVATIONS_PER_TRANSACTION:
            total += marked
        total += marked
    return total


def _lapsed_apart(at: datetime) -> list[QuerySet[Reservation]]:
    """Those that one statement may lock: rows of many servers cannot be, so there those of each Team."""
    lapsed = Reservation.objects.lapsed(at)
    if not servers.are_many():
        return [lapsed]
    teams = lapsed.order_by("team").values_list("team", flat=True).distinct()
    return [lapsed.filter(team=team_id) for team_id in list(teams)]


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _expire_some(lapsed: QuerySet[Reservation]) -> int:
    free = lapsed.order_by("pk").select_for_update(skip_locked=True, no_key=True)
    found = list(free.values_list("pk", flat=True)[:RESERVATIONS_PER_TRANSACTION])
    return lapsed.filter(pk__in=found).update(
        state=Reservation.State.RELEASED, expired=True, closed_at=F("holds_until")
    )


def charge_lapsed_holds(*, at: datetime) -> int:
    """Charge, as estimated, what is left of the holds that ended by `at` and whose gateway charges what
    lapses. Returns how many were closed so.

    Each is a transaction of its own. One whose key or seat is locked for long, or that fails for a reason
    nobody foresaw, waits for the next run.
    """
    due = Reservation.objects.to_charge(at).order_by("charges_at").values_list("pk", flat=True)
    charged = 0
    for reservation_id in list(due):
        try:
            charged += _charge_lapsed(reservation_id, at)
        except OperationalError as error:
            logger.warning("Hold %s is charged later: %s", reservation_id, error)
        except Exception:
            logger.exception("Hold %s could not be charged", reservation_id)
    return charged


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _charge_lapsed(reservation_id: UUID, at: datetime) -> bool:
    locked = locked_reservation_state(reservation_id, at=at)
    is_due = locked.charges_at is not None and locked.charges_at <= at
    if locked.state != Reservation.State.HELD or not is_due:
        return False  # It was settled, released or extended since.
    charge_at_end(locked, at=at)
    return True
