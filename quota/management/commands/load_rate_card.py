"""`manage.py load_rate_card [FILE] [--effective-from MOMENT]`: loads a price list."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from quota.management.parsing import moment
from quota.models import RateCard
from quota.services.rate_cards import load_rate_card
from tokenplan.kit.errors import Refusal
from tokenplan.kit.text import read_operator_file

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "rate_card.csv"
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


class Command(BaseCommand):
    help = "Loads a whole price list. Left to itself the first is in force from ever, later ones from now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", nargs="?", type=Path, default=SHIPPED, help="CSV; the shipped list if left out"
        )
        parser.add_argument("--effective-from", type=moment, metavar="MOMENT", help="ISO 8601, UTC")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        effective_from = options["effective_from"] or (now if RateCard.objects.exists() else ALWAYS)
        file: Path = options["file"]
        try:
            card, is_new = load_rate_card(
                text=read_operator_file(file), effective_from=effective_from, at=now, by=None
            )
        except (OSError, Refusal) as error:
            raise CommandError(str(error)) from error
        since = f"in force from {card.effective_from:%Y-%m-%d %H:%M} UTC"
        if is_new:
            self.stdout.write(f"Loaded {card.prices.count()} prices, {since}.")
        else:
            self.stdout.write(f"This list is loaded already, {since}.")
