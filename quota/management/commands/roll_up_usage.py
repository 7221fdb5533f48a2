"""`manage.py roll_up_usage`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from quota.services.rollups import SumsAreAllThereIs, roll_up, start_anew


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
            try:
                start_anew()
            except SumsAreAllThereIs as error:
                raise CommandError(
                    "Old calls have been dropped (RETENTION_MONTHS), and their sums cannot be made anew."
                ) from error
        rolled = roll_up()
        self.stdout.write(f"{rolled} event{'' if rolled == 1 else 's'} rolled up.")
