"""`manage.py expire_lots`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from quota.services.credits import expire_lots


class Command(BaseCommand):
    help = "Writes the expiry of lots of Credits into the ledger."

    def handle(self, *args: Any, **options: Any) -> None:
        closed = expire_lots()
        self.stdout.write(f"{closed} lot{'' if closed == 1 else 's'} expired.")
