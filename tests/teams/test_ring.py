import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from django.db import transaction

from teams.ring import ring
from teams.tasks import deliver_mail


class Task:
    name = "a.task"

    def __init__(self) -> None:
        self.sent = 0

    def apply_async(self, **options: Any) -> None:
        self.sent += 1


@pytest.mark.django_db
def test_a_ring_waits_for_the_commit(django_capture_on_commit_callbacks: Callable[..., Any]) -> None:
    task = Task()
    with django_capture_on_commit_callbacks() as callbacks:
        ring(task)  # type: ignore[arg-type]
        assert task.sent == 0
    for callback in callbacks:
        callback()
    assert task.sent == 1


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_fails_rings_nobody() -> None:
    task = Task()
    with pytest.raises(RuntimeError), transaction.atomic():
        ring(task)  # type: ignore[arg-type]
        raise RuntimeError
    assert task.sent == 0
    ring(task)  # type: ignore[arg-type]
    assert task.sent == 1


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_gone_is_logged_and_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    away = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    away.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS

    @away.task(name="a.task")
    def task() -> None: ...

    began = time.monotonic()
    ring(task)
    assert time.monotonic() - began < 3
    [record] = [record for record in caplog.records if record.name == "teams.ring"]
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("Not rung: a.task (")


def test_the_task_has_the_name_that_the_schedule_knows() -> None:
    assert deliver_mail.name == "teams.deliver_mail"
