"""`manage.py sync_stripe [--webhook | --dry-run]`: puts what we sell into the Stripe account."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.models import Price
from billing.workflows import catalog
from tokenplan.kit.errors import Refusal


class Command(BaseCommand):
    help = "Puts products, prices and the portal's settings into the Stripe account. Twice is once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--webhook",
            action="store_true",
            help="also make the webhook endpoint, in place of one at the same address, and print its secret",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would be made; write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if not Price.objects.exists():
            raise CommandError("Nothing is on sale yet. Run manage.py load_plans and load_prices first.")
        if options["webhook"] and settings.LOCAL_STRIPE:
            raise CommandError(
                "The local Stripe knows where to send its events. Set STRIPE_SECRET_KEY to use an account."
            )
        did = 0
        try:
            for steps in (
                catalog.publish_prices(dry_run=options["dry_run"]),
                catalog.publish_portal(dry_run=options["dry_run"]),
            ):
                for line in steps:
                    self.stdout.write(line)
                    did += 1
            if not did:
                self.stdout.write("Stripe has all prices, and the portal's settings.")
            if options["dry_run"]:
                self.stdout.write("Nothing was written.")
            elif options["webhook"]:
                self._make_endpoint()
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal

    def _make_endpoint(self) -> None:
        id, secret = catalog.create_endpoint()
        self.stdout.write(f"webhook endpoint {id}: {settings.BASE_URL}/webhooks/stripe/")
        self.stdout.write(
            "Set this for the web server and start it again; Stripe does not show it a second time:"
        )
        self.stdout.write(f"STRIPE_WEBHOOK_SECRET={secret}")
