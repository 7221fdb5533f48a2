"""How far a job has read what is new, kept from run to run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quota.models import JobProgress
from quota.selectors.recent import horizon, is_over
from tokenplan.kit.transactions import one_transaction


@dataclass(frozen=True, slots=True)
class News:
    """What a run has to read: events and entitlements with ids above `…_after`. Those up to `…_settled` will
    have been read for good by it; newer ones are read by the next run again.
    """

    usage_after: UUID
    entitlements_after: int
    usage_settled: UUID
    entitlements_settled: int


@one_transaction()
def find_news(*, job: str) -> News:
    """What a run of the job that begins now has to read. A run that takes nothing as read for good, since it
    is cut short, takes nothing from the next one.
    """
    now = horizon()
    JobProgress.objects.get_or_create(job=job)
    row = lock_progress(job=job)
    settled = row.next_after_transaction is not None and is_over(row.next_after_transaction)
    news = News(
        row.usage_done,
        row.entitlements_done,
        row.usage_next if settled else row.usage_done,
        row.entitlements_next if settled else row.entitlements_done,
    )
    if settled or row.next_after_transaction is None:
        row.usage_next = max(row.usage_done, now.usage)
        row.entitlements_next, row.next_after_transaction = now.entitlements, now.transaction
        row.save()
    return news


def lock_progress(*, job: str) -> JobProgress:
    """The job's row: two runs that lock it first do not wait for each other's rows in turns."""
    return JobProgress.objects.select_for_update(no_key=True).get(job=job)


def have_read(*, job: str, usage: UUID | None = None, entitlements: int | None = None) -> None:
    """The job has read events, or entitlements, up to here for good. It is said in the
    transaction that used them.
    """
    row = lock_progress(job=job)
    row.usage_done = max(row.usage_done, usage or row.usage_done)
    row.entitlements_done = max(row.entitlements_done, entitlements or 0)
    row.save(update_fields=["usage_done", "entitlements_done"])


def have_run(*, job: str, at: datetime) -> None:
    """A whole run of the job, as of `at`, has ended."""
    JobProgress.objects.filter(job=job).update(ran_at=at)
