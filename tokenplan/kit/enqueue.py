"""Enqueues a Celery task for rows that wait in the database, without delaying or failing the caller."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task
from django.db import transaction

logger = logging.getLogger(__name__)


def enqueue(task: Task[Any, Any]) -> None:
    """Sends the task once the present transaction, if any, is committed.

    A lost message loses no work: a periodic sweep finds the row a little later.
    """
    transaction.on_commit(lambda: _send(task))


def _send(task: Task[Any, Any]) -> None:
    try:
        # No retries: without a broker this costs one refused connection, instead of the seconds that the
        # default policy waits.
        task.apply_async(retry=False, ignore_result=True)
    except Exception as error:  # the broker's client raises many kinds, and none of them matters here
        logger.warning("Not enqueued: %s (%s: %s)", task.name, type(error).__name__, error)
