"""Celery tasks: sweeps, safe to run twice or late."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from teams.services import mail


@shared_task(name="teams.deliver_mail")
def deliver_mail() -> int:
    """Sends the mails that are due; also enqueued by whoever queued one."""
    return mail.deliver_due(at=timezone.now())
