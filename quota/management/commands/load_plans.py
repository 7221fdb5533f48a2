"""`manage.py load_plans [FILE]`: puts the plans of a file on offer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from quota.services.plans import load_plans
from tokenplan.kit.errors import Refusal
from tokenplan.kit.text import read_operator_file

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "plans.json"


class Command(BaseCommand):
    help = "Puts the plans of a file on offer; a changed plan becomes a new version. Twice is once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, default=SHIPPED, help="JSON; the shipped list if left out"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        try:
            made = load_plans(text=read_operator_file(file), at=timezone.now(), by=None)
        except (OSError, Refusal) as error:
            raise CommandError(str(error)) from error
        for plan in made:
            self.stdout.write(f"{plan} is on offer.")
        if not made:
            self.stdout.write("All plans of the list are on offer already.")
