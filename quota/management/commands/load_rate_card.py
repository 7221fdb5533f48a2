"""`manage.py load_rate_card [FILE] [--effective-from MOMENT] [--dry-run]`: loads a price list."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from quota.management.parsing import moment, utc
from quota.models import RateCard
from quota.pricing import DEFAULT_HOLD
from quota.selectors.rate_cards import card_changes, rows_of
from quota.services.rate_cards import ProposedCard, load_rate_card, proposed_card
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
        parser.add_argument("--dry-run", action="store_true", help="show what would change; write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        effective_from = options["effective_from"] or (now if RateCard.objects.live().exists() else ALWAYS)
        file: Path = options["file"]
        try:
            text = read_operator_file(file)
            if options["dry_run"]:
                self._show(proposed_card(text=text, effective_from=effective_from, at=now))
            else:
                self._say(*load_rate_card(text=text, effective_from=effective_from, at=now, by=None))
        except (OSError, Refusal) as error:
            raise CommandError(str(error)) from error

    def _say(self, card: RateCard, is_new: bool) -> None:
        since = f"in force from {utc(card.effective_from)}"
        if is_new:
            self.stdout.write(f"Loaded {card.prices.exclude(meter=DEFAULT_HOLD).count()} prices, {since}.")
        else:
            self.stdout.write(f"This list is loaded already, {since}.")

    def _show(self, proposed: ProposedCard) -> None:
        before = proposed.before
        if before and proposed.is_loaded:
            self._say(before, is_new=False)
            return
        since = f"In force from {utc(proposed.effective_from)}"
        if proposed.following:
            since += f" until {utc(proposed.following.effective_from)}"
        instead = f"in place of the rate card of {utc(before.effective_from)}" if before else "as the first"
        self.stdout.write(f"{since}, {instead}:")
        for change in card_changes(rows_of(before), proposed.rows):
            self.stdout.write(f"  {change}")
        self.stdout.write("Nothing was written.")
