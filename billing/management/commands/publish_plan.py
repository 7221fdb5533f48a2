"""`manage.py publish_plan CODE [--dry-run]`: puts the draft of a plan on sale."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.selectors.plan_versions import publication
from billing.workflows.plans import publish_plan
from quota.models import Plan
from tokenplan.kit.errors import Refusal


class Command(BaseCommand):
    help = "Shows what the draft of a plan changes, gives Stripe its prices, and puts it on sale."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code", help="of the plan: plus, max …")
        parser.add_argument("--dry-run", action="store_true", help="show what would change; write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        draft = Plan.objects.filter(code=options["code"], published_at=None).first()
        if draft is None:
            raise CommandError(f"There is no draft of a plan {options['code']!r}.")
        try:
            shown = publication(draft, now)
            self.stdout.write(f"{shown.on_sale or 'Nothing'} is on sale; the draft is {draft}:")
            for line in shown.lines:
                if line.differs:
                    self.stdout.write(f"  {line}")
            for version, count in shown.holders.items():
                self.stdout.write(f"Seats that keep {draft.name} v{version}: {count}.")
            if options["dry_run"]:
                self.stdout.write("Nothing was written.")
                return
            published = publish_plan(plan=draft, digest=shown.digest, at=now, by=None)
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"{published} is on sale.")
