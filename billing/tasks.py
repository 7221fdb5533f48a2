"""Celery's way in: sweeps, each safe to run twice, at the same time as itself, or a week late."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from billing.services.notifications import notify_operators
from billing.sync import inbox
from billing.sync import reconcile as reconciliation
from billing.sync.customers import renew_contacts
from billing.workflows import changes, checkouts, refunds, top_ups
from teams.tasks import deliver_mail
from tokenplan.kit.enqueue import enqueue

logger = logging.getLogger(__name__)


@shared_task(name="billing.work_inbox")
def work_inbox() -> int:
    """Works the events that wait, one batch after the other; also enqueued by the webhook."""
    done = batch = inbox.work_inbox(at=timezone.now())
    while batch:
        batch = inbox.work_inbox(at=timezone.now())
        done += batch
    if done:
        enqueue(deliver_mail)
    return done


@shared_task(name="billing.top_up")
def top_up() -> int:
    """Buys Credits for Teams that are below their threshold."""
    paid = top_ups.top_up_all(at=timezone.now())
    enqueue(deliver_mail)
    return paid


@shared_task(name="billing.finish")
def finish() -> int:
    """Finishes what was interrupted between our rows and Stripe."""
    at = timezone.now()
    done = (
        changes.settle_open_changes(at=at)
        + refunds.send_open_refunds(at=at)
        + checkouts.expire_old_checkouts(at=at)
        + renew_contacts(at)
    )
    if done:
        enqueue(deliver_mail)
    return done


@shared_task(name="billing.reconcile")
def reconcile() -> int:
    """Nightly: compares everything with Stripe. What cannot be repaired is logged as an error and mailed."""
    now = timezone.now()
    report = reconciliation.reconcile(at=now)
    for line in report.repaired:
        logger.warning("Repaired: %s", line)
    for line in report.unrepaired:
        logger.error("Not repaired: %s", line)
    if report.unrepaired:
        notify_operators(unrepaired=report.unrepaired, at=now)
    enqueue(deliver_mail)
    return len(report.unrepaired)
