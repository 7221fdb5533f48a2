"""Celery's way in: sweeps, each safe to run twice, at the same time as itself, or a week late."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from billing.services.telling import tell_operators
from billing.workflows import buying, changing, inbox, reconciling, refunding, topping_up
from teams.tasks import deliver_mail
from tokenplan.kit.enqueue import enqueue

logger = logging.getLogger(__name__)


@shared_task(name="billing.work_inbox")
def work_inbox() -> int:
    """Works the events that wait, one batch after the other; also rung by the webhook."""
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
    paid = topping_up.top_up_all(at=timezone.now())
    enqueue(deliver_mail)
    return paid


@shared_task(name="billing.finish")
def finish() -> int:
    """Finishes what was interrupted between our rows and Stripe."""
    at = timezone.now()
    done = (
        changing.settle_open_changes(at=at)
        + refunding.send_open_refunds(at=at)
        + buying.look_at_old_checkouts(at=at)
    )
    if done:
        enqueue(deliver_mail)
    return done


@shared_task(name="billing.reconcile")
def reconcile() -> int:
    """Nightly: everything of Stripe's is looked at. What cannot be repaired is logged as an error and
    mailed.
    """
    now = timezone.now()
    report = reconciling.reconcile(at=now)
    for line in report.repaired:
        logger.warning("Repaired: %s", line)
    for line in report.unrepaired:
        logger.error("Not repaired: %s", line)
    if report.unrepaired:
        tell_operators(unrepaired=report.unrepaired, at=now)
    enqueue(deliver_mail)
    return len(report.unrepaired)
