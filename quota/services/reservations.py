"""Reservations whose lifetime is over, marked as released; of some gateways, charged.

Decisions compare a reservation with the clock and never wait for this.
"""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from django.db import OperationalError
from django.db.models import F

from quota import servers
from quota.hot_path.lapses import charge_at_end
from quota.hot_path.state import locked_reservation_state
from quota.models import Reservation
from tokenplan.kit import clock
from tokenplan.kit.clock import WITHOUT_END, Turn
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

logger = logging.getLogger(__name__)

RESERVATIONS_PER_TRANSACTION = 1000


def expire_reservations(*, at: datetime | None = None, turn: Turn = WITHOUT_END) -> int:
    """Mark the holds whose lifetime was over at `at` as released by the clock; None: now, by the database's
    clock. Returns how many.

    They stopped holding anything at that moment by themselves, and a settle that comes later still charges.
    Each batch is one transaction, and what is left when the turn is over is for the next run. Rows that
    another run or a settle has locked are skipped.
    """
    total = 0
    for team_id in _teams_apart(at):
        while True:
            marked = _expire_some(at, team_id)
            total += marked
            if turn.is_over():
                return total
            if marked < RESERVATIONS_PER_TRANSACTION:
                break
    return total


def _teams_apart(at: datetime | None) -> list[int | None]:
    """None, for all of them at once; where their rows are on many servers, which no statement can lock
    together, each Team with lapsed holds.
    """
    if not servers.are_many():
        return [None]
    lapsed = Reservation.objects.lapsed(at or clock.database_now())
    return list(lapsed.order_by("team").values_list("team", flat=True).distinct())


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _expire_some(at: datetime | None, team_id: int | None) -> int:
    lapsed = Reservation.objects.lapsed(at or clock.database_now())
    if team_id is not None:
        lapsed = lapsed.filter(team=team_id)
    free = lapsed.order_by("pk").select_for_update(skip_locked=True, no_key=True)
    found = list(free.values_list("pk", flat=True)[:RESERVATIONS_PER_TRANSACTION])
    return lapsed.filter(pk__in=found).update(
        state=Reservation.State.RELEASED, expired=True, closed_at=F("holds_until")
    )


def charge_lapsed_holds(*, at: datetime | None = None, turn: Turn = WITHOUT_END) -> int:
    """Charge, as estimated, what is left of the holds that ended by `at` and whose gateway charges what
    lapses; None: by now, of each by the database's clock after the locks. Returns how many were closed so.

    Each is a transaction of its own. One whose key or seat is locked for long, or that fails for a reason
    nobody foresaw, waits for the next run; so does what is left when the turn is over.
    """
    due = Reservation.objects.to_charge(at or clock.database_now()).order_by("charges_at")
    charged = 0
    for reservation_id in list(due.values_list("pk", flat=True)):
        if turn.is_over():
            break
        try:
            charged += _charge_lapsed(reservation_id, at)
        except OperationalError as error:
            logger.warning("Hold %s is charged later: %s", reservation_id, error)
        except Exception:
            logger.exception("Hold %s could not be charged", reservation_id)
    return charged


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _charge_lapsed(reservation_id: UUID, at: datetime | None) -> bool:
    locked = locked_reservation_state(reservation_id, at=at)
    is_due = locked.charges_at is not None and locked.charges_at <= locked.at
    if locked.state != Reservation.State.HELD or not is_due:
        return False  # It was settled, released or extended since.
    charge_at_end(locked, at=locked.at)
    return True
