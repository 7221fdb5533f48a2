"""Enqueues a Celery task for rows that wait in the database, without delaying or failing the caller."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from celery import Task
from django.db import transaction

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    AnyTask = Task[Any, Any]
else:  # Celery's own class takes no type parameter when it runs
    AnyTask = Task


class OnePending(AnyTask):
    """A task of which at most one message waits, each in its own queue: sent again, it adds none.

    The broker's count is asked, so no mark of ours can be left behind. It decides nothing that matters: two
    senders at once may add two messages, which do what one does, and the next sweep finds what a lost message
    left. A message that is being worked does not count: what is enqueued meanwhile is found by the next.
    """

    abstract = True

    def apply_async(  # type: ignore[override]  # none of our tasks has arguments
        self, args: Any = None, kwargs: Any = None, *, producer: Any = None, **options: Any
    ) -> Any:
        """None where a message waits already."""
        with self.app.producer_or_acquire(producer) as sender:
            queue = self.app.amqp.router.route({}, self.name)["queue"]
            if queue.bind(sender.channel).queue_declare().message_count:
                return None
            return super().apply_async(args, kwargs, producer=sender, **options)


def enqueue(task: AnyTask) -> None:
    """Sends the task once the present transaction, if any, is committed.

    A lost message loses no work: a periodic sweep finds the row a little later.
    """
    transaction.on_commit(lambda: _send(task))


def _send(task: AnyTask) -> None:
    try:
        # No retries: without a broker this costs one refused connection, instead of the seconds that the
        # default policy waits.
        task.apply_async(retry=False, ignore_result=True)
    except Exception as error:  # the broker's client raises many kinds, and none of them matters here
        logger.warning("Not enqueued: %s (%s: %s)", task.name, type(error).__name__, error)
