import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from django.db import transaction

from teams.tasks import deliver_mail
from tokenplan.kit.enqueue import enqueue


class Task:
    name = "a.task"

    def __init__(self) -> None:
        self.sent = 0

    def apply_async(self, **options: Any) -> None:
        self.sent += 1


@pytest.mark.django_db
def test_a_task_is_enqueued_after_the_commit(django_capture_on_commit_callbacks: Callable[..., Any]) -> None:
    task = Task()
    with django_capture_on_commit_callbacks() as callbacks:
        enqueue(task)  # type: ignore[arg-type]
        assert task.sent == 0
    for callback in callbacks:
        callback()
    assert task.sent == 1


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_fails_enqueues_nothing() -> None:
    task = Task()
    with pytest.raises(RuntimeError), transaction.atomic():
        enqueue(task)  # type: ignore[arg-type]
        raise RuntimeError
    assert task.sent == 0
    enqueue(task)  # type: ignore[arg-type]
    assert task.sent == 1


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_is_logged_and_delays_nobody(caplog: pytest.LogCaptureFixture) -> None:
    away = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    away.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS

    @away.task(name="a.task")
    def task() -> None: ...

    began = time.monotonic()
    enqueue(task)
    assert time.monotonic() - began < 3
    [record] = [record for record in caplog.records if record.name == "tokenplan.kit.enqueue"]
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("Not enqueued: a.task (")


def test_the_task_has_the_name_that_the_schedule_knows() -> None:
    assert deliver_mail.name == "teams.deliver_mail"
