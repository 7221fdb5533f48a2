"""How the periodic jobs are: when each ran last, with what, and when it is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from celery.schedules import crontab
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Count, Max, Q

from teams.models import JobRun

# Nothing is late before that: a worker may be at something else.
GRACE = timedelta(minutes=5)
# A sweep begins with nothing more after four minutes, and what it has begun the database ends after five
# (`teams.tasks.TURN_SECONDS`, `tokenplan.kit.transactions`). Nothing ends a thread that hangs all the same.
LONGEST = timedelta(minutes=10)


class State(StrEnum):
    NEVER = "never"
    AWAITED = "awaited"
    RUNNING = "running"
    WITHOUT_END = "without_end"
    FAILED = "failed"
    LATE = "late"
    FINE = "fine"


@dataclass(frozen=True, slots=True)
class JobHealth:
    """`last` is the run that began last, `failure` the last one that failed; `failures` are those of 30 days
    that failed or have no end. A job that has not run yet is awaited until it is overdue.
    """

    job: str
    last: JobRun | None
    failure: JobRun | None
    failures: int
    due_at: datetime
    state: State

    @property
    def is_well(self) -> bool:
        return self.state in (State.FINE, State.RUNNING, State.AWAITED)

    @property
    def took(self) -> timedelta | None:
        """How long the last run took; None while it is under way, or has no end."""
        return self.last.ended_at - self.last.began_at if self.last and self.last.ended_at else None


def job_health(at: datetime) -> list[JobHealth]:
    """Of every job on the schedule, in its order."""
    newest = JobRun.objects.order_by("job", "-began_at", "-pk").distinct("job")
    last = {run.job: run for run in newest}
    failed = {run.job: run for run in newest.exclude(error="")}
    over = Q(ended_at=None, began_at__lt=at - LONGEST) | ~Q(error="")
    counts = dict(JobRun.objects.filter(over).order_by().values_list("job").annotate(number=Count("pk")))
    since = min(_migrated_at(), at)
    return [
        _health(str(entry["task"]), entry["schedule"], last, failed, counts, since, at)
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
    ]


def _migrated_at() -> datetime:
    """Since when the database has been what the jobs need: what never ran has been awaited since then."""
    applied: datetime = MigrationRecorder(connection).migration_qs.aggregate(last=Max("applied"))["last"]
    return applied


def _health(
    job: str,
    schedule: object,
    last: Mapping[str, JobRun],
    failed: Mapping[str, JobRun],
    counts: Mapping[str, int],
    since: datetime,
    at: datetime,
) -> JobHealth:
    run = last.get(job)
    if run is None:
        due_at = _due(schedule, since)
        state = State.NEVER if due_at < at - GRACE else State.AWAITED
        return JobHealth(job, None, None, counts.get(job, 0), due_at, state)
    due_at = _due(schedule, run.began_at)
    return JobHealth(job, run, failed.get(job), counts.get(job, 0), due_at, _state(run, due_at, at))


def _due(schedule: object, began_at: datetime) -> datetime:
    """When a job that began then is to begin again."""
    if isinstance(schedule, crontab):
        since, delta, _now = schedule.remaining_delta(began_at)
        due: datetime = since + delta
        return due
    if isinstance(schedule, int):
        return began_at + timedelta(seconds=schedule)
    raise TypeError(f"A job's schedule is a number of seconds or a crontab, not {schedule!r}")


def _state(run: JobRun, due_at: datetime, at: datetime) -> State:
    if run.ended_at is None:
        return State.WITHOUT_END if run.began_at < at - LONGEST else State.RUNNING
    if run.error:
        return State.FAILED
    return State.LATE if due_at < at - GRACE else State.FINE
