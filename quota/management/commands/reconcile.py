"""`manage.py reconcile`: recomputes every balance and meter from the events; fails on any difference."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from quota.services.reconcile import reconcile


class Command(BaseCommand):
    help = "Recomputes every balance and meter from the events, and exits with 1 on any difference."

    def handle(self, *args: Any, **options: Any) -> None:
        found = reconcile(at=timezone.now())
        for difference in found:
            self.stdout.write(str(difference))
        if found:
            raise CommandError(f"{len(found)} difference{'' if len(found) == 1 else 's'} found.")
        self.stdout.write("Every balance and meter agrees with the events.")
