"""`manage.py top_up`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.errors import PaymentsUnavailable
from billing.workflows.top_ups import top_up_all
from tokenplan.kit import clock


class Command(BaseCommand):
    help = "Buys Credits for Teams whose balance is below the threshold of their auto top-up."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            paid = top_up_all(at=clock.database_now())
        except PaymentsUnavailable as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"{paid} top-up{'' if paid == 1 else 's'} paid.")
