"""What waits for Stripe delays nobody else: a frozen Stripe, the real broker and the real workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.helpers.installation import Installation
from tests.helpers.serving import wait_for
from tokenplan.runtime import folders
from tokenplan.runtime.queues import WORKERS

pytestmark = [pytest.mark.processes, pytest.mark.slow]

# Forty events whose objects nobody can be asked about, each announced, and then one mail.
QUEUED = """
import django

django.setup()
import tokenplan.celery  # as in every process of the web server

from django.utils import timezone

from billing.models import StripeEvent
from billing.tasks import finish, top_up, work_inbox
from teams.services import mail
from teams.tasks import deliver_mail
from tokenplan.kit.enqueue import enqueue

at = timezone.now()
StripeEvent.objects.bulk_create(
    StripeEvent(
        stripe_id=f"evt_{number}",
        kind="invoice.paid",
        subject=f"in_{number}",
        payload={"data": {"object": {"object": "invoice", "id": f"in_{number}"}}},
        created_at=at,
        received_at=at,
        next_attempt_at=at,
    )
    for number in range(40)
)
for _ in range(40):
    enqueue(work_inbox)
    enqueue(top_up)
    enqueue(finish)
mail.queue(kind="member_removed", to="ada@example.com", context={"team": "A"}, dedupe_key="a", at=at)
enqueue(deliver_mail)
"""


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data")
    installation.environment["DEMO"] = "0"
    yield installation
    installation.kill()


def test_a_mail_leaves_at_once_while_stripe_is_frozen_and_its_events_wait(installation: Installation) -> None:
    installation.start()
    wait_for(installation.ready)
    os.kill(installation.pid_of("local_stripe"), signal.SIGSTOP)
    code = [sys.executable, "-c", QUEUED]
    environment = {**installation.environment, "DJANGO_SETTINGS_MODULE": "tokenplan.settings"}
    subprocess.run(code, env=environment, cwd=folders.ROOT, check=True, timeout=30)
    mails = installation.data / "mail"
    wait_for(lambda: any("ada@example.com" in file.read_text() for file in mails.iterdir()), seconds=30)
    waiting = redis.Redis(unix_socket_path=str(folders.redis_socket(installation.data)))
    with waiting:
        # Of each forty, two may be worked and one may wait.
        assert max(waiting.llen(queue) for queue in WORKERS["payments"]) <= 1
