"""`manage.py expire_reservations`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from quota.services.reservations import charge_lapsed_holds, expire_reservations


class Command(BaseCommand):
    help = "Marks the holds whose lifetime is over as released, or charges them where their gateway says so."

    def handle(self, *args: Any, **options: Any) -> None:
        charged, marked = charge_lapsed_holds(), expire_reservations()
        self.stdout.write(f"{marked} reservation{'' if marked == 1 else 's'} expired, {charged} charged.")
