"""`manage.py work_inbox`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from billing.models import StripeEvent
from billing.sync.inbox import work_inbox


class Command(BaseCommand):
    help = "Works the events of Stripe that are due."

    def handle(self, *args: Any, **options: Any) -> None:
        done = work_inbox(at=timezone.now())
        waiting = StripeEvent.objects.filter(done_at=None).count()
        self.stdout.write(f"{done} event{'' if done == 1 else 's'} worked, {waiting} to be tried again.")
