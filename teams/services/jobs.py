"""What is recorded of each run of a periodic job."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from teams.models import JobRun
from tokenplan.kit.transactions import one_transaction

# Of a run that failed, or that was cut short.
KEPT_FOR = timedelta(days=30)
LONGEST_ERROR = 500


@one_transaction()
def begin_run(*, job: str, at: datetime) -> JobRun:
    """The job has begun to run. What failed more than 30 days ago is forgotten."""
    JobRun.objects.filter(job=job, result=None, began_at__lt=at - KEPT_FOR).delete()
    return JobRun.objects.create(job=job, began_at=at)


@one_transaction()
def end_run(*, run: JobRun, result: int | None, error: str = "", at: datetime) -> None:
    """The run is over: with how much it did, or with why it failed. Of the runs that went well before it
    nothing is kept.
    """
    run.ended_at, run.result = max(at, run.began_at), result
    run.error = error.replace("\x00", "")[:LONGEST_ERROR]
    run.save(update_fields=["ended_at", "result", "error"])
    if result is not None:
        earlier = Q(began_at__lt=run.began_at) | Q(began_at=run.began_at, pk__lt=run.pk)
        JobRun.objects.filter(earlier, job=run.job, result__isnull=False).delete()
