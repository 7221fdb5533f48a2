"""Celery's way in: sweeps, each safe to run twice, at the same time as itself, or a week late."""

from __future__ import annotations

import logging
import time

from django.utils import timezone

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
from teams.tasks import deliver_mail, job
from tokenplan.kit.enqueue import enqueue

logger = logging.getLogger(__name__)


@job("quota.close_windows")
def close_windows() -> int:
    """Writes windows that ended into history."""
    return windows_history.close_windows(at=timezone.now())


@job("quota.expire_reservations")
def expire_reservations() -> int:
    """Marks holds whose lifetime is over, or charges them."""
    at = timezone.now()
    return reservations.charge_lapsed_holds(at=at) + reservations.expire_reservations(at=at)


@job("quota.expire_lots")
def expire_lots() -> int:
    """Writes the expiry of lots into the ledger."""
    return credits.expire_lots(at=timezone.now())


@job("quota.forget_refusals")
def forget_refusals() -> int:
    """Forgets refusals of more than a week ago."""
    return refusals.forget_refusals(at=timezone.now())


@job("quota.keep_partitions")
def keep_partitions() -> int:
    """Makes the months of calls that are to come, and drops those that are no longer kept."""
    kept = partitions.keep_partitions(at=timezone.now())
    return len(kept.made) + len(kept.dropped)


@job("quota.roll_up_usage")
def roll_up_usage() -> int:
    """Adds new usage to the sums that reports are read from."""
    return rollups.roll_up()


@job("quota.send_notices")
def send_notices() -> int:
    """Queues the notices that are due, and has them delivered. It also looks whether the nightly check is
    done, which could not say so itself, and has one that was cut short taken up.
    """
    now = timezone.now()
    queued = notices.send_notices(at=now) + unpriced.report_unpriced(at=now)
    if reconcile_alarms.is_interrupted(at=now):
        enqueue(reconcile)
    if reconcile_alarms.report_late(at=now) or queued:
        enqueue(deliver_mail)
    return queued


# Other sweeps have their turn in between.
BULK_SECONDS = 20


@job("quota.work_bulk_actions")
def work_bulk_actions() -> int:
    """Works the lines of bulk actions; what takes longer than its turn is taken up by the next message. Also
    enqueued by whoever started one. Forgets those that ended long ago.
    """
    began, worked = time.monotonic(), bulk_actions.forget_bulk_actions(at=timezone.now())
    while bulk_actions.work_next_line(at=timezone.now()):
        worked += 1
        if time.monotonic() - began > BULK_SECONDS:
            enqueue(work_bulk_actions)
            break
    if worked:
        enqueue(deliver_mail)
    return worked


# A task is ended after ten minutes; what is left then is for the next message.
WORK_SECONDS = 420
PAUSE_SECONDS = 0.2


@job("quota.reconcile")
def reconcile() -> int:
    """Nightly: history is written, and all that is new is checked, part by part; what takes longer than a
    task may is taken up by the next one. Drift is logged as an error and mailed. Returns how many differences
    there were, once all is done.
    """
    began = time.monotonic()
    windows_history.close_windows(at=timezone.now())
    if unpriced.report_unpriced(at=timezone.now(), reach=unpriced.MONTH):
        enqueue(deliver_mail)
    run = reconciliation.begin_run(at=timezone.now())
    while (progress := reconciliation.work_on(run=run, at=timezone.now())) is not Progress.ENDED:
        if time.monotonic() - began > WORK_SECONDS:
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
