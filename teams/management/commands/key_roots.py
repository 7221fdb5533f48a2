"""`manage.py key_roots`: how many working keys each root has; one without any can be withdrawn."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db.models import Count
from django.utils import timezone

from teams.models import SubscriptionKey


class Command(BaseCommand):
    help = "Counts the working Subscription Keys of each root secret. The first root makes new keys."

    def handle(self, *args: Any, **options: Any) -> None:
        working = SubscriptionKey.objects.working(timezone.now())
        counts = dict(working.values_list("root").annotate(Count("pk")).order_by("root"))
        for position, root in enumerate(settings.KEY_ROOTS):
            use = "makes new keys" if position == 0 else "old"
            self.stdout.write(f"{root}: {counts.pop(root, 0)} working keys ({use})")
        for root, count in counts.items():
            self.stdout.write(
                self.style.ERROR(f"{root}: {count} keys cannot work: this root is not configured")
            )
