"""`manage.py load_prices [FILE]`: puts the prices of a file on sale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.services.prices import load_prices
from quota.money import usd_text
from tokenplan.kit.errors import Refusal
from tokenplan.kit.text import read_operator_file

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "prices.json"


class Command(BaseCommand):
    help = "Puts the prices of a file on sale; a plan of another price becomes a new version. Twice is once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, default=SHIPPED, help="JSON; the shipped list if left out"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        try:
            made = load_prices(text=read_operator_file(file), at=timezone.now(), by=None)
        except (OSError, Refusal) as error:
            raise CommandError(str(error)) from error
        for price in made:
            self.stdout.write(f"{price} costs {usd_text(price.amount_nanousd)}.")
        if not made:
            self.stdout.write("All prices of the list are on sale already.")
