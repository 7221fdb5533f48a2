"""`manage.py withdraw_rate_card MOMENT [--dry-run]`: a price list that is not in force yet never will be."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from quota.errors import RateCardInForce
from quota.management.parsing import moment, utc
from quota.models import RateCard
from quota.selectors.rate_cards import changes_of_withdrawal
from quota.services.rate_cards import withdraw_rate_card
from tokenplan.kit.errors import Refusal


class Command(BaseCommand):
    help = "Withdraws the rate card that is to be in force from a moment; the one before it stays in force."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("moment", type=moment, help="from when it is to be in force; ISO 8601, UTC")
        parser.add_argument("--dry-run", action="store_true", help="show what would change; write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        card = RateCard.objects.live().filter(effective_from=options["moment"]).first()
        if card is None:
            coming = RateCard.objects.live().filter(effective_from__gt=now).order_by("effective_from")
            moments = ", ".join(row.effective_from.isoformat() for row in coming) or "none"
            raise CommandError(
                f"There is no rate card of {utc(options['moment'])}. Not in force yet: {moments}"
            )
        if card.effective_from <= now:
            raise CommandError(RateCardInForce().detail)
        instead, changes = changes_of_withdrawal(card)
        stays = f"the rate card of {utc(instead.effective_from)} stays" if instead else "no rate card is"
        self.stdout.write(f"From {utc(card.effective_from)} {stays} in force:")
        for change in changes:
            self.stdout.write(f"  {change}")
        if options["dry_run"]:
            self.stdout.write("Nothing was written.")
            return
        try:
            withdraw_rate_card(card=card, at=now, by=None)
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"The rate card of {utc(card.effective_from)} is withdrawn.")
