"""Celery's way in: sweeps, each safe to run twice, at the same time as itself, or a week late."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from billing.errors import PaymentsUnavailable
from billing.services.notifications import notify_operators
from billing.sync import inbox
from billing.sync import reconcile as reconciliation
from billing.sync.customers import renew_contacts
from billing.workflows import campaigns, changes, checkouts, former_payers, refunds, top_ups
from teams.tasks import TURN_SECONDS, deliver_mail, each_of, job
from tokenplan.kit import clock
from tokenplan.kit.clock import Turn
from tokenplan.kit.enqueue import enqueue

logger = logging.getLogger(__name__)


@job("billing.work_inbox")
def work_inbox() -> int:
    """Works the events that wait, one batch after the other; also enqueued by the webhook."""
    done, turn = 0, Turn(TURN_SECONDS)
    with _until_stripe_is_away():
        while not turn.is_over() and (batch := inbox.work_inbox(at=clock.database_now())):
            done += batch
    return done


@job("billing.top_up")
def top_up() -> int:
    """Buys Credits for Teams that are below their threshold."""
    paid = 0
    with _until_stripe_is_away():
        paid += top_ups.top_up_all(at=clock.database_now())
    return paid


@job("billing.finish")
def finish() -> int:
    """Finishes what was interrupted between our rows and Stripe."""
    at = clock.database_now()
    done = 0
    with _until_stripe_is_away():
        sweeps = (
            changes.settle_open_changes,
            changes.keep_plans,
            refunds.send_open_refunds,
            former_payers.end_checkouts_of_former_payers,
            former_payers.drop_changes_of_former_payers,
            former_payers.tell_what_former_payers_planned,
            checkouts.expire_old_checkouts,
            campaigns.finish_campaigns,
            renew_contacts,
        )
        done += each_of(*(partial(sweep, at=at) for sweep in sweeps), ends_at=(PaymentsUnavailable,))
    return done


@contextmanager
def _until_stripe_is_away() -> Iterator[None]:
    """What is inside ends when Stripe does not answer: it waits for the next time, and the worker does not
    wait for Stripe meanwhile. The mails that it has queued are delivered.
    """
    try:
        yield
    except PaymentsUnavailable as refusal:
        logger.warning("Stripe does not answer, the rest waits: %s", refusal)
    finally:
        enqueue(deliver_mail)


@job("billing.reconcile")
def reconcile() -> int:
    """Nightly: compares everything with Stripe. What cannot be repaired is logged as an error and mailed."""
    now = clock.database_now()
    report = reconciliation.reconcile(at=now)
    for line in report.repaired:
        logger.warning("Repaired: %s", line)
    for line in report.unrepaired:
        logger.error("Not repaired: %s", line)
    if report.unrepaired:
        notify_operators(unrepaired=report.unrepaired, at=now)
    enqueue(deliver_mail)
    return len(report.unrepaired)
