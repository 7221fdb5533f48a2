"""Celery's way in: sweeps, each safe to run twice, at the same time as itself, or a week late. They go by the
database's clock, since that of a worker may be ahead of it.
"""

from __future__ import annotations

import logging
import time
from functools import partial

from quota.services import (
    bulk_actions,
    credits,
    notices,
    partitions,
    reconcile_alarms,
    refusals,
    reservations,
    rollups,
    unpriced,
    windows_history,
)
from quota.services import reconcile as reconciliation
from quota.services.reconcile import Progress
from teams.tasks import TURN_SECONDS, deliver_mail, each_of, job
from tokenplan.kit import clock
from tokenplan.kit.clock import Turn
from tokenplan.kit.enqueue import enqueue

logger = logging.getLogger(__name__)


@job("quota.close_windows")
def close_windows() -> int:
    """Writes windows that ended into history."""
    return windows_history.close_windows(at=clock.database_now(), turn=Turn(TURN_SECONDS))


@job("quota.expire_reservations")
def expire_reservations() -> int:
    """Marks holds whose lifetime is over, or charges them."""
    turn = Turn(TURN_SECONDS)
    return each_of(
        partial(reservations.charge_lapsed_holds, turn=turn),
        partial(reservations.expire_reservations, turn=turn),
    )


@job("quota.expire_lots")
def expire_lots() -> int:
    """Writes the expiry of lots into the ledger."""
    return credits.expire_lots()


@job("quota.forget_refusals")
def forget_refusals() -> int:
    """Forgets refusals of more than a week ago."""
    return refusals.forget_refusals(at=clock.database_now())


@job("quota.keep_partitions")
def keep_partitions() -> int:
    """Makes the months to come of calls and of the ledger, and drops those that are no longer kept."""
    kept = partitions.keep_partitions(at=clock.database_now())
    return len(kept.made) + len(kept.dropped)


@job("quota.roll_up_usage")
def roll_up_usage() -> int:
    """Adds new usage to the sums that reports are read from."""
    return rollups.roll_up(turn=Turn(TURN_SECONDS))


@job("quota.send_notices")
def send_notices() -> int:
    """Queues the notices that are due, and has them delivered."""
    now = clock.database_now()
    of_windows = partial(notices.send_notices, at=now, turn=Turn(TURN_SECONDS))
    queued = each_of(of_windows, partial(unpriced.report_unpriced, at=now))
    if queued:
        enqueue(deliver_mail)
    return queued


@job("quota.watch_reconcile")
def watch_reconcile() -> int:
    """Says when the nightly check is not done, which could not say so itself, and has one that was cut short
    taken up. Nothing else is done here, and no sweep stands before it.
    """
    now = clock.database_now()
    is_late = reconcile_alarms.report_late(at=now)
    if is_late:
        enqueue(deliver_mail)
    if reconcile_alarms.is_interrupted(at=now):
        enqueue(reconcile)
    return int(is_late)


# Other sweeps have their turn in between.
BULK_SECONDS = 20


@job("quota.work_bulk_actions")
def work_bulk_actions() -> int:
    """Works the lines of bulk actions; what takes longer than its turn is taken up by the next message. Also
    enqueued by whoever started one. Forgets those that ended long ago.
    """
    turn = Turn(BULK_SECONDS)
    worked = bulk_actions.forget_bulk_actions(at=clock.database_now())
    while bulk_actions.work_next_line(at=clock.database_now()):
        worked += 1
        if turn.is_over():
            enqueue(work_bulk_actions)
            break
    if worked:
        enqueue(deliver_mail)
    return worked


PAUSE_SECONDS = 0.2


@job("quota.reconcile")
def reconcile() -> int:
    """Nightly: history is written, and all that is new is checked, part by part; what takes longer than its
    turn is taken up by the next message. Drift is logged as an error and mailed. Returns how many differences
    there were, once all is done.
    """
    return each_of(_bring_up_to_date, _check)


def _bring_up_to_date() -> int:
    windows_history.close_windows(at=clock.database_now(), turn=Turn(TURN_SECONDS))
    if unpriced.report_unpriced(at=clock.database_now(), reach=unpriced.MONTH):
        enqueue(deliver_mail)
    return 0


def _check() -> int:
    turn = Turn(TURN_SECONDS)
    run = reconciliation.begin_run(at=clock.database_now())
    while (progress := reconciliation.work_on(run=run, at=clock.database_now())) is not Progress.ENDED:
        if turn.is_over():
            enqueue(reconcile)
            return 0
        if progress is Progress.WAITS:
            time.sleep(PAUSE_SECONDS)
    run.refresh_from_db()
    for difference in run.findings.order_by("pk"):
        logger.error("Drift: %s", difference)
    if run.differences:
        enqueue(deliver_mail)
    return run.differences
