"""The alarms of the check of meters and balances: it has found a difference, or it has not been done."""

from __future__ import annotations

from datetime import datetime, timedelta

from quota.models import ReconcileRun, UsageEvent
from teams.services.mail import queue_for_operators
from tokenplan.kit.transactions import one_transaction

LINES_IN_MAIL = 20
# It runs every night, and is to have ended by then.
LATE = timedelta(hours=30)
# A part takes seconds: a run that did none for so long was cut short.
IDLE = timedelta(minutes=10)


@one_transaction()
def report_drift(*, run: ReconcileRun, at: datetime) -> None:
    """Mail the operators what the run has found, once a day each."""
    # Each line names rows and amounts as the log does, for whoever repairs the program: it is not translated.
    lines = [str(finding) for finding in run.findings.order_by("pk")[:LINES_IN_MAIL]]
    context: dict[str, str | int] = {
        "count": run.differences,
        "lines": "\n".join(lines),
        "more": run.differences - len(lines),
        "at": at.isoformat(),
    }
    queue_for_operators(kind="drift", context=context, dedupe_key=f"drift:{at:%Y-%m-%d}", at=at)


@one_transaction()
def report_late(*, at: datetime) -> bool:
    """Mail the operators, once a day each, when no run has ended in the last 30 hours. Whether that is so.

    What was never checked is late when the first usage is older than that. It stands apart from the run, and
    is asked by another task.
    """
    ended = ReconcileRun.objects.filter(replaced=False, ended_at__isnull=False).order_by("ended_at").last()
    since = ended.ended_at if ended else _first_usage()
    if since is None or since > at - LATE:
        return False
    run = ReconcileRun.objects.filter(ended_at=None).first()
    context: dict[str, str | int] = {
        "ended_at": ended.ended_at.isoformat() if ended and ended.ended_at else "",
        "began_at": run.began_at.isoformat() if run else "",
        "worked_at": run.worked_at.isoformat() if run else "",
        "hours": LATE // timedelta(hours=1),
    }
    queue_for_operators(
        kind="reconcile_late", context=context, dedupe_key=f"reconcile_late:{at:%Y-%m-%d}", at=at
    )
    return True


def _first_usage() -> datetime | None:
    return UsageEvent.objects.order_by("pk").values_list("recorded_at", flat=True).first()


def is_interrupted(*, at: datetime) -> bool:
    """Whether a run is open that nobody has worked on for ten minutes."""
    return ReconcileRun.objects.filter(ended_at=None, worked_at__lte=at - IDLE).exists()
