"""`manage.py demo`: two Teams to try everything with. Their credentials are in DATA/demo.json."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from billing.models import Price
from quota.models import Plan, RateCard
from tokenplan.runtime.demo import load_demo


class Command(BaseCommand):
    help = "Makes demo Teams, keys and a gateway, with the shipped plans and prices. Twice is once."

    def handle(self, *args: Any, **options: Any) -> None:
        # Only where there are none: what an operator changed since is not put back.
        if not Plan.objects.exists():
            call_command("load_plans", stdout=self.stdout)
        if not Price.objects.exists():
            call_command("load_prices", stdout=self.stdout)
        if not RateCard.objects.exists():
            call_command("load_rate_card", stdout=self.stdout)
        file = settings.DATA / "demo.json"
        made = load_demo(file=file, url=settings.BASE_URL, at=timezone.now())
        self.stdout.write(f"{'Made' if made else 'Kept'} the demo; its credentials are in {file}")
