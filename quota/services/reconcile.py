"""The check of all meters and balances against the events, and the alarm when they differ."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction

from quota.selectors.reconcile import Difference, differences
from teams.services.mail import queue_for_operators
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

LINES_IN_MAIL = 20


def reconcile(*, at: datetime) -> list[Difference]:
    """Every difference there is at this moment. An empty list means that all is right.

    It reads one snapshot and takes no locks, so it runs beside traffic. Nothing is repaired: a difference is
    a fault of the program, and the events are there to find it by. Not inside of another transaction.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET LOCAL statement_timeout = {SWEEP_STATEMENT_TIMEOUT_MS}")
        return list(differences(at))


@one_transaction()
def report_drift(*, found: Sequence[Difference], at: datetime) -> None:
    """Mail the operators what was found, once a day each."""
    # Each line names rows and amounts as the log does, for whoever repairs the program: it is not translated.
    lines = [str(difference) for difference in found[:LINES_IN_MAIL]]
    context: dict[str, str | int] = {
        "count": len(found),
        "lines": "\n".join(lines),
        "more": len(found) - len(lines),
        "at": at.isoformat(),
    }
    queue_for_operators(kind="drift", context=context, dedupe_key=f"drift:{at:%Y-%m-%d}", at=at)
