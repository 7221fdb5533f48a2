"""How the jobs are, at a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.migrations.recorder import MigrationRecorder

from billing.selectors.job_health import JobHealth, State, job_health
from teams.models import JobRun
from teams.services.jobs import begin_run, end_run
from tests.helpers.factories import T0

pytestmark = pytest.mark.django_db
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
MAIL, NIGHTLY, HOURLY = "teams.deliver_mail", "quota.reconcile", "quota.forget_refusals"


def ran(job: str, at: datetime, *, result: int | None = 4, error: str = "") -> JobRun:
    run = begin_run(job=job, at=at)
    end_run(run=run, result=result, error=error, at=at + 2 * SECOND)
    return run


def of(job: str, at: datetime = T0) -> JobHealth:
    return next(one for one in job_health(at) if one.job == job)


def test_a_job_that_ran_is_due_a_period_later_and_late_five_minutes_after_that() -> None:
    ran(MAIL, T0)

    health = of(MAIL, T0 + 30 * SECOND)

    assert (health.state, health.due_at, health.took) == (State.FINE, T0 + 30 * SECOND, 2 * SECOND)
    assert (health.failures, health.failure, health.is_well) == (0, None, True)
    assert of(MAIL, T0 + 30 * SECOND + 5 * MINUTE).state == State.FINE
    late = of(MAIL, T0 + 31 * SECOND + 5 * MINUTE)
    assert (late.state, late.is_well) == (State.LATE, False)


def test_a_job_of_the_night_is_due_at_its_minute() -> None:
    assert (of(NIGHTLY).state, of(NIGHTLY).due_at) == (State.AWAITED, datetime(2026, 6, 4, 3, 17, tzinfo=UTC))
    ran(NIGHTLY, datetime(2026, 6, 3, 3, 17, 1, tzinfo=UTC))

    health = of(NIGHTLY, datetime(2026, 6, 4, 3, 21, tzinfo=UTC))

    assert (health.state, health.due_at) == (State.FINE, datetime(2026, 6, 4, 3, 17, tzinfo=UTC))
    assert of(NIGHTLY, datetime(2026, 6, 4, 3, 22, 1, tzinfo=UTC)).state == State.LATE


def test_what_has_not_run_yet_is_awaited_until_it_is_overdue() -> None:
    """Counted from when the database was made, or migrated last."""
    MigrationRecorder.Migration.objects.update(applied=T0)

    fresh = of(MAIL, T0 + 10 * SECOND)
    assert (fresh.state, fresh.is_well, fresh.last, fresh.took) == (State.AWAITED, True, None, None)
    assert fresh.due_at == T0 + 30 * SECOND
    assert all(one.is_well for one in job_health(T0 + 5 * MINUTE))

    overdue = of(MAIL, T0 + 31 * SECOND + 5 * MINUTE)
    assert (overdue.state, overdue.is_well) == (State.NEVER, False)
    assert of(HOURLY, T0 + 65 * MINUTE).state == State.AWAITED
    assert of(HOURLY, T0 + 66 * MINUTE).state == State.NEVER
    assert of(NIGHTLY, datetime(2026, 6, 4, 3, 22, tzinfo=UTC)).state == State.AWAITED
    assert of(NIGHTLY, datetime(2026, 6, 4, 3, 23, tzinfo=UTC)).state == State.NEVER


def test_right_after_an_upgrade_a_job_that_is_new_is_awaited() -> None:
    MigrationRecorder.Migration.objects.update(applied=T0 - 400 * 24 * 60 * MINUTE)
    MigrationRecorder.Migration.objects.create(app="quota", name="9999_new", applied=T0)

    assert of(MAIL, T0 + MINUTE).state == State.AWAITED


def test_a_failure_is_said_until_the_next_run_goes_well_and_counted_for_30_days() -> None:
    first = ran(MAIL, T0, result=None, error="ValueError: one")
    second = ran(MAIL, T0 + MINUTE, result=None, error="ValueError: two")
    failed = of(MAIL, T0 + MINUTE)
    assert (failed.state, failed.failure, failed.failures) == (State.FAILED, second, 2)

    ran(MAIL, T0 + 2 * MINUTE)

    well = of(MAIL, T0 + 2 * MINUTE)
    assert (well.state, well.failure, well.failures) == (State.FINE, second, 2)
    assert JobRun.objects.filter(pk=first.pk).exists()


def test_a_run_without_an_end_is_under_way_for_ten_minutes_and_then_has_no_end() -> None:
    begin_run(job=MAIL, at=T0)

    running, without_end = of(MAIL, T0 + 10 * MINUTE), of(MAIL, T0 + 10 * MINUTE + SECOND)

    assert (running.state, running.is_well, running.failures) == (State.RUNNING, True, 0)
    assert (without_end.state, without_end.is_well, without_end.failures) == (State.WITHOUT_END, False, 1)
