"""`manage.py finish_payments`: what the periodic task `billing.finish` does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from billing.tasks import finish


class Command(BaseCommand):
    help = "Finishes changes, refunds and payment pages that were interrupted between our rows and Stripe."

    def handle(self, *args: Any, **options: Any) -> None:
        done = finish()
        self.stdout.write(f"{done} {'thing' if done == 1 else 'things'} finished.")
