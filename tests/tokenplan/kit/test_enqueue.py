import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery
from celery.beat import ScheduleEntry, Scheduler
from celery.schedules import schedule
from django.conf import settings
from django.db import transaction

from teams.tasks import deliver_mail
from tokenplan.celery import app
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


@pytest.fixture
def queue() -> Iterator[Any]:
    """The queue of mails, empty, at the broker itself."""
    with app.connection_for_write() as connection:
        queue = app.amqp.queues[app.conf.task_routes["teams.deliver_mail"]["queue"]].bind(connection)
        queue.declare()
        queue.purge()
        yield queue
        queue.purge()


def waiting(queue: Any) -> int:
    return int(queue.queue_declare().message_count)


@pytest.mark.django_db(transaction=True)
def test_of_a_task_that_is_enqueued_often_one_message_waits(queue: Any) -> None:
    for _ in range(5):
        enqueue(deliver_mail)
    assert waiting(queue) == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_enqueued_while_the_message_before_is_worked_is_not_lost(queue: Any) -> None:
    enqueue(deliver_mail)
    message = queue.get()
    assert message.headers["task"] == "teams.deliver_mail"
    enqueue(deliver_mail)
    enqueue(deliver_mail)
    assert waiting(queue) == 1
    message.ack()


def test_the_clock_adds_no_message_to_one_that_waits_however_long_no_worker_reads(queue: Any) -> None:
    scheduler = Scheduler(app, lazy=True)
    entry = ScheduleEntry(task="teams.deliver_mail", app=app, schedule=schedule(30))
    for _ in range(5):
        scheduler.apply_async(entry, advance=False)
    assert waiting(queue) == 1


def test_the_task_has_the_name_that_the_schedule_knows() -> None:
    assert deliver_mail.name == "teams.deliver_mail"
