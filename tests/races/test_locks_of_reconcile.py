"""Each part of a run of reconcile, while another process has just done it, or has ended the run.

Each race begins by showing that it is one: without locks it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from quota.models import ReconcileRun, UncheckedSum
from quota.selectors import recent
from quota.services.reconcile import begin_run, work_on
from tests.helpers.factories import T0, make_scene
from tests.helpers.locks import Case, is_lost_without_locks_alone

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def clocks_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run takes all that is there as read: no test waits until a minute is over."""
    monkeypatch.setattr(recent, "CLOCKS_APART", timedelta())


def meets(run: ReconcileRun, holds: Callable[[ReconcileRun], bool], **now: object) -> Case:
    """The run is so by now, says another process, while ours does the next part."""
    return Case(
        lambda: ReconcileRun.objects.filter(pk=run.pk).update(worked_at=T0 + HOUR, **now),
        lambda: work_on(run=run, at=T0 + 2 * HOUR),
        lambda: holds(ReconcileRun.objects.get(pk=run.pk)),
    )


def of_a_call() -> ReconcileRun:
    """A whole run, which has read nothing yet."""
    UncheckedSum.objects.all().delete()
    ReconcileRun.objects.all().delete()
    make_scene().desk.use(3)
    return begin_run(at=T0)


def all_read() -> ReconcileRun:
    run = of_a_call()
    for part in ("usage", "holds", "entries", "members", "again"):
        setattr(run, f"{part}_from", getattr(run, f"{part}_upto"))
    run.save()
    return run


def a_part_that_another_has_read() -> Case:
    run = of_a_call()
    return meets(run, lambda now: now.worked_at == T0 + HOUR, usage_from=run.usage_upto)


def sums_of_a_run_that_has_ended() -> Case:
    """They are left to the next run."""
    run = all_read()
    before = UncheckedSum.objects.count()
    assert before > 0
    return meets(run, lambda _: UncheckedSum.objects.count() == before, ended_at=T0 + HOUR)


def a_run_ended_twice() -> Case:
    run = all_read()
    UncheckedSum.objects.all().delete()
    return meets(run, lambda now: now.ended_at == T0 + HOUR, ended_at=T0 + HOUR)


CASES: list[Callable[[], Case]] = [
    a_part_that_another_has_read,
    sums_of_a_run_that_has_ended,
    a_run_ended_twice,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)
