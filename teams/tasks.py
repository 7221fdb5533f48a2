"""Celery tasks: sweeps, safe to run twice or late; and how one is written, so that its runs are recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from celery import shared_task
from django.db import Error
from django.utils import timezone

from teams.models import JobRun
from teams.services import jobs, mail

if TYPE_CHECKING:
    from celery import Task

logger = logging.getLogger(__name__)


def job(name: str) -> Callable[[Callable[[], int]], Task[[], int]]:
    """Make of a function, which returns how much it did, a task of this name. When it runs, when that ended
    and with what stands in JobRun, whoever enqueued it. What it raises is recorded and raised on.
    """

    def task_of(work: Callable[[], int]) -> Any:
        @shared_task(name=name)
        @wraps(work)
        def run() -> int:
            recorded = jobs.begin_run(job=name, at=timezone.now())
            try:
                result = work()
            except Exception as error:
                _record_failure(recorded, error)
                raise
            jobs.end_run(run=recorded, result=result, at=timezone.now())
            return result

        return run

    return task_of


def _record_failure(run: JobRun, error: Exception) -> None:
    """Where the database is what failed, the run stays without an end, and the job's own error is raised."""
    try:
        jobs.end_run(run=run, result=None, error=f"{type(error).__name__}: {error}", at=timezone.now())
    except Error as unrecorded:
        logger.warning("Not recorded that %s failed: %s", run.job, unrecorded)


@job("teams.deliver_mail")
def deliver_mail() -> int:
    """Sends the mails that are due; also enqueued by whoever queued one."""
    return mail.deliver_due(at=timezone.now())
