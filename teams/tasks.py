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
from tokenplan.kit import clock
from tokenplan.kit.clock import Turn

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


def each_of(*steps: Callable[[], int], ends_at: tuple[type[Exception], ...] = ()) -> int:
    """Does all of the steps, whatever becomes of those before them, and returns the sum of what they return.
    The first error is raised when all are done; one of `ends_at` at once.
    """
    done, first = 0, None
    for step in steps:
        try:
            done += step()
        except ends_at:
            raise
        except Exception as error:
            logger.exception("Of several steps one has failed, and the others are done all the same")
            first = first or error
    if first is not None:
        raise first
    return done


# How long a sweep begins with more; other tasks have their turn then. Its last part may take as long again.
TURN_SECONDS = 240


@job("teams.deliver_mail")
def deliver_mail() -> int:
    """Sends the mails that are due; also enqueued by whoever queued one."""
    return mail.deliver_due(at=clock.database_now(), turn=Turn(TURN_SECONDS))
