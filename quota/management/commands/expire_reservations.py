"""`manage.py expire_reservations`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from quota.services.reservations import expire_reservations


class Command(BaseCommand):
    help = "Marks the holds whose lifetime is over as released."

    def handle(self, *args: Any, **options: Any) -> None:
        marked = expire_reservations(at=timezone.now())
        self.stdout.write(f"{marked} reservation{'' if marked == 1 else 's'} expired.")
