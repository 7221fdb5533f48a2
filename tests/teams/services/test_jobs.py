"""What is kept of the runs of jobs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError

from teams.models import JobRun
from teams.services.jobs import begin_run, end_run
from tests.helpers.people import NOON

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def ran(minute: int, *, job: str = "a", result: int | None = 1, error: str = "") -> JobRun:
    run = begin_run(job=job, at=NOON + minute * MINUTE)
    end_run(run=run, result=result, error=error, at=NOON + minute * MINUTE + timedelta(seconds=3))
    return run


def test_of_the_runs_that_went_well_the_last_is_kept_and_every_one_that_did_not() -> None:
    ran(0)
    failed = ran(1, result=None, error="ValueError: no")
    cut_short = begin_run(job="a", at=NOON + 2 * MINUTE)
    other = ran(0, job="b")
    ran(3)
    last = ran(4, result=7)

    kept = {(run.pk, run.began_at, run.ended_at, run.result, run.error) for run in JobRun.objects.all()}

    seconds = timedelta(seconds=3)
    assert kept == {
        (failed.pk, NOON + MINUTE, NOON + MINUTE + seconds, None, "ValueError: no"),
        (cut_short.pk, NOON + 2 * MINUTE, None, None, ""),
        (other.pk, NOON, NOON + seconds, 1, ""),
        (last.pk, NOON + 4 * MINUTE, NOON + 4 * MINUTE + seconds, 7, ""),
    }


def test_a_run_that_ends_after_a_later_one_takes_nothing_of_it() -> None:
    slow = begin_run(job="a", at=NOON)
    quick = ran(1)
    end_run(run=slow, result=2, at=NOON + 5 * MINUTE)

    assert set(JobRun.objects.values_list("pk", flat=True)) == {slow.pk, quick.pk}


def test_what_failed_more_than_30_days_ago_is_forgotten_at_the_next_run_of_that_job() -> None:
    old, other = ran(0, result=None, error="x"), ran(0, job="b", result=None, error="x")
    kept = ran(1, result=None, error="x")

    run = begin_run(job="a", at=NOON + 30 * DAY + MINUTE)

    assert set(JobRun.objects.values_list("pk", flat=True)) == {other.pk, kept.pk, run.pk}
    assert not JobRun.objects.filter(pk=old.pk).exists()


def test_a_clock_that_was_set_back_ends_no_run_before_it_began_and_an_error_is_cut() -> None:
    run = begin_run(job="a", at=NOON)
    end_run(run=run, result=None, error="x\x00" * 600, at=NOON - MINUTE)

    run.refresh_from_db()
    assert (run.ended_at, run.error) == (NOON, "x" * 500)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"ended_at": NOON - MINUTE, "result": 1}, "a_run_ends_after_it_began"),
        ({"ended_at": NOON}, "a_run_that_is_over_has_a_result_or_an_error"),
        ({"result": 1}, "a_run_that_is_over_has_a_result_or_an_error"),
        ({"ended_at": NOON, "result": 1, "error": "x"}, "a_run_that_is_over_has_a_result_or_an_error"),
    ],
)
def test_the_database_refuses_what_no_run_can_be(change: dict[str, object], rule: str) -> None:
    run = begin_run(job="a", at=NOON)
    with pytest.raises(IntegrityError, match=rule):
        JobRun.objects.filter(pk=run.pk).update(**change)
