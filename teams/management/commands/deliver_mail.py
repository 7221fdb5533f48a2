"""`manage.py deliver_mail`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from teams.services import mail


class Command(BaseCommand):
    help = "Sends the mails that wait."

    def handle(self, *args: Any, **options: Any) -> None:
        sent = mail.deliver_due(at=timezone.now())
        self.stdout.write(f"{sent} mail{'' if sent == 1 else 's'} sent.")
