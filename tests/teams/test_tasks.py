"""A job is a task of which every run is recorded."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError

from billing import tasks as of_billing
from quota import tasks as of_quota
from teams import tasks
from teams.models import JobRun
from teams.services import jobs
from teams.tasks import each_of, job
from tests.helpers.people import NOON

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@job("tests.count")
def count() -> int:
    return 3


@job("tests.fail")
def fail() -> int:
    raise ValueError("no\x00 such thing")


def test_a_run_is_recorded_with_when_it_began_and_ended_and_how_much_it_did() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        run = count.run
        clock.shift(SECOND)
        assert (count.name, run()) == ("tests.count", 3)

    recorded = JobRun.objects.get()
    assert (recorded.job, recorded.result, recorded.error) == ("tests.count", 3, "")
    assert recorded.began_at == recorded.ended_at == NOON + SECOND


def test_what_a_run_raises_is_recorded_and_raised_on() -> None:
    with pytest.raises(ValueError, match="such thing"):
        fail()

    recorded = JobRun.objects.get()
    assert (recorded.job, recorded.result, recorded.error) == (
        "tests.fail",
        None,
        "ValueError: no such thing",
    )
    assert recorded.ended_at is not None


def test_where_the_database_fails_too_the_run_has_no_end_and_the_jobs_own_error_is_raised(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(**_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(jobs, "end_run", away)

    with caplog.at_level(logging.WARNING), pytest.raises(ValueError, match="such thing"):
        fail()

    assert JobRun.objects.get().ended_at is None
    assert "Not recorded that tests.fail failed: gone" in caplog.text


def test_of_several_steps_each_is_done_and_the_first_error_is_raised_when_all_are() -> None:
    done: list[int] = []

    def step(number: int, error: Exception | None = None) -> int:
        done.append(number)
        if error:
            raise error
        return number

    first, second = ValueError("first"), KeyError("second")
    assert each_of(partial(step, 1), partial(step, 2)) == 3
    with pytest.raises(ValueError, match="first"):
        each_of(partial(step, 3, first), partial(step, 4, second), partial(step, 5))
    assert done == [1, 2, 3, 4, 5]

    with pytest.raises(KeyError):
        each_of(partial(step, 6, first), partial(step, 7, second), partial(step, 8), ends_at=(KeyError,))
    assert done[5:] == [6, 7]


def test_every_job_of_the_schedule_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    class Begun(Exception):
        pass

    def begin(*, job: str, at: object) -> None:
        begun.append(job)
        raise Begun

    monkeypatch.setattr(jobs, "begin_run", begin)
    scheduled = {str(entry["task"]) for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    floors = {"teams": tasks, "quota": of_quota, "billing": of_billing}
    for name in scheduled:
        floor, _, function = name.partition(".")
        with pytest.raises(Begun):
            getattr(floors[floor], function)()

    assert set(begun) == scheduled
