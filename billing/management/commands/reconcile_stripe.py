"""`manage.py reconcile_stripe`: compares everything with Stripe and repairs it; fails on what it cannot
repair.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.sync.reconcile import reconcile
from tokenplan.kit.errors import Refusal


class Command(BaseCommand):
    help = (
        "Compares what Stripe has of ours and is new since the last run, repairs every difference, and exits "
        "with 1 if one cannot be repaired or something was not answered."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="compare everything there is, however old")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = reconcile(at=timezone.now(), everything=options["all"])
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        for line in report.repaired:
            self.stdout.write(f"Repaired: {line}")
        for line in report.unrepaired:
            self.stdout.write(f"Not repaired: {line}")
        if report.unrepaired:
            count = len(report.unrepaired)
            raise CommandError(f"{count} difference{'' if count == 1 else 's'} could not be repaired.")
        compared = f"{report.compared} object{'' if report.compared == 1 else 's'} of Stripe's compared"
        count = len(report.repaired)
        done = "everything agrees" if not count else f"{count} repair{'' if count == 1 else 's'} made"
        self.stdout.write(f"{compared}; {done}.")
