"""Celery's way in: sweeps, each safe to run twice, at the same time as itself, or a week late."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from quota.services import credits, notices, refusals, reservations, rollups, unpriced, windows_history
from quota.services import reconcile as reconciliation
from teams.tasks import deliver_mail
from tokenplan.kit.enqueue import enqueue

logger = logging.getLogger(__name__)


@shared_task(name="quota.close_windows")
def close_windows() -> int:
    """Writes windows that ended into history."""
    return windows_history.close_windows(at=timezone.now())


@shared_task(name="quota.expire_reservations")
def expire_reservations() -> int:
    """Marks holds whose lifetime is over, or charges them."""
    at = timezone.now()
    return reservations.charge_lapsed_holds(at=at) + reservations.expire_reservations(at=at)


@shared_task(name="quota.expire_lots")
def expire_lots() -> int:
    """Writes the expiry of lots into the ledger."""
    return credits.expire_lots(at=timezone.now())


@shared_task(name="quota.forget_refusals")
def forget_refusals() -> int:
    """Forgets refusals of more than a week ago."""
    return refusals.forget_refusals(at=timezone.now())


@shared_task(name="quota.roll_up_usage")
def roll_up_usage() -> int:
    """Adds new usage to the sums that reports are read from."""
    return rollups.roll_up()


@shared_task(name="quota.send_notices")
def send_notices() -> int:
    """Queues the notices that are due, and has them delivered."""
    now = timezone.now()
    queued = notices.send_notices(at=now) + unpriced.report_unpriced(at=now)
    if queued:
        enqueue(deliver_mail)
    return queued


@shared_task(name="quota.reconcile")
def reconcile() -> int:
    """Nightly: all of history written, every meter checked. Drift is logged as an error and mailed."""
    now = timezone.now()
    windows_history.close_windows(at=now, recheck_for=None)
    found = reconciliation.reconcile(at=now)
    for difference in found:
        logger.error("Drift: %s", difference)
    if found:
        reconciliation.report_drift(found=found, at=now)
    if unpriced.report_unpriced(at=now, reach=unpriced.MONTH) or found:
        enqueue(deliver_mail)
    return len(found)
