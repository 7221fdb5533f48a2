"""`manage.py work_inbox`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.errors import PaymentsUnavailable
from billing.models import StripeEvent
from billing.sync.inbox import work_inbox


class Command(BaseCommand):
    help = "Works the events of Stripe that are due."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = work_inbox(at=timezone.now())
        except PaymentsUnavailable as refusal:
            raise CommandError(refusal.detail) from refusal
        waiting = StripeEvent.objects.waiting().count()
        self.stdout.write(f"{done} event{'' if done == 1 else 's'} worked, {waiting} to be tried again.")
