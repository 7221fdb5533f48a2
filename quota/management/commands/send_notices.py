"""`manage.py send_notices`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from quota.services.notices import send_notices
from teams.tasks import deliver_mail
from tokenplan.kit.enqueue import enqueue


class Command(BaseCommand):
    help = "Queues the notices that are due: windows at 80 % and 100 %, and low Credits."

    def handle(self, *args: Any, **options: Any) -> None:
        queued = send_notices(at=timezone.now())
        if queued:
            enqueue(deliver_mail)
        self.stdout.write(f"{queued} notice{'' if queued == 1 else 's'} queued.")
