"""`manage.py roll_up_usage`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from quota.services.rollups import roll_up, start_anew


class Command(BaseCommand):
    help = "Adds new usage to the sums that reports are read from."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anew",
            action="store_true",
            help="forget these sums and make them again of all events, as after reconcile has named some",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["anew"]:
            start_anew()
        rolled = roll_up()
        self.stdout.write(f"{rolled} event{'' if rolled == 1 else 's'} rolled up.")
