"""`manage.py send_notices`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from quota.services.notices import send_notices
from quota.services.unpriced import report_unpriced
from teams.tasks import deliver_mail
from tokenplan.kit import clock
from tokenplan.kit.enqueue import enqueue


class Command(BaseCommand):
    help = "Queues the notices that are due: windows at 80 % and 100 %, low Credits, usage without a price."

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.database_now()
        queued = send_notices(at=now) + report_unpriced(at=now)
        if queued:
            enqueue(deliver_mail)
        self.stdout.write(f"{queued} notice{'' if queued == 1 else 's'} queued.")
