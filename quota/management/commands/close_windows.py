"""`manage.py close_windows`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from quota.services.windows_history import close_windows
from tokenplan.kit import clock


class Command(BaseCommand):
    help = "Writes the windows that ended into history."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all",
            action="store_true",
            help="compare all of history, not only what usage since the last run may have changed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        changed = close_windows(at=clock.database_now(), everything=options["all"])
        self.stdout.write(f"{changed} window{'' if changed == 1 else 's'} written.")
