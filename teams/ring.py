"""Tells Celery that something waits in the database, without ever holding up or failing who tells it."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task
from django.db import transaction

logger = logging.getLogger(__name__)


def ring(task: Task[Any, Any]) -> None:
    """Sends the task once the present transaction, if any, is committed.

    A lost ring is no loss: a sweep finds the row.
    """
    transaction.on_commit(lambda: _send(task))


def _send(task: Task[Any, Any]) -> None:
    try:
        # No retries: with the broker gone this takes one refused connection, not the default policy's
        # seconds.
        task.apply_async(retry=False, ignore_result=True)
    except Exception as error:  # the broker's client raises many kinds, and none of them matters here
        logger.warning("Not rung: %s (%s: %s)", task.name, type(error).__name__, error)
