"""`manage.py grant seat|credits|voucher …`: what an operator gives, by the services that a purchase goes
through.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from quota.management.parsing import credits_as_nanousd, moment, usd_as_nanousd
from quota.models import CreditLedgerEntry, Plan
from quota.money import credits_words, usd_text
from quota.services.balance import give_voucher
from quota.services.credits import grant_credits
from quota.services.entitlements import grant_seat
from teams.models import Membership, Team
from teams.services.seats import assign_seat
from tokenplan.kit.errors import Refusal
from tokenplan.kit.text import clean_email
from tokenplan.kit.transactions import one_transaction


class Command(BaseCommand):
    help = "Gives a Team a seat, Credits, or a voucher for its API balance."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True, metavar="seat|credits|voucher")
        seat = what.add_parser("seat", help="A seat with a plan")
        seat.add_argument("--team", required=True, metavar="SLUG")
        seat.add_argument("--plan", required=True, metavar="CODE", help="plus, max, ultra")
        seat.add_argument("--to", metavar="EMAIL", help="the member who holds it; left out, it is free")
        seat.add_argument("--until", type=moment, metavar="DATE", help="left out, until further notice")
        lot = what.add_parser("credits", help="A lot of Credits")
        lot.add_argument("--team", required=True, metavar="SLUG")
        lot.add_argument("--credits", required=True, type=credits_as_nanousd, metavar="NUMBER")
        lot.add_argument("--until", type=moment, metavar="DATE", help="left out, 365 days from now")
        lot.add_argument(
            "--source", metavar="TEXT", help="a source grants once, however often it is asked to"
        )

        voucher = what.add_parser("voucher", help="A voucher for the API balance")
        voucher.add_argument("--team", required=True, metavar="SLUG")
        voucher.add_argument("--usd", required=True, type=usd_as_nanousd, metavar="AMOUNT")
        voucher.add_argument("--until", required=True, type=moment, metavar="DATE")
        voucher.add_argument(
            "--source", metavar="TEXT", help="a source gives once, however often it is asked to"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        team = Team.objects.live().filter(slug=options["team"]).first()
        if team is None:
            raise CommandError(f"There is no Team {options['team']!r}")
        try:
            if options["what"] == "seat":
                self.grant_seat(team, options)
            elif options["what"] == "voucher":
                self.give_voucher(team, options)
            else:
                self.grant_credits(team, options)
        except Refusal as error:
            raise CommandError(str(error)) from error

    def grant_seat(self, team: Team, options: dict[str, Any]) -> None:
        """The seat and its holder together: refused as holder, the Team has no new seat either."""
        now = timezone.now()
        plan = Plan.objects.sellable().filter(code=options["plan"]).order_by("-version").first()
        if plan is None:
            on_offer = ", ".join(Plan.objects.sellable().values_list("code", flat=True)) or "none"
            raise CommandError(f"There is no plan {options['plan']!r} on offer; on offer: {on_offer}")
        holder = None
        if options["to"]:
            email = clean_email(options["to"], pointer="--to")
            holder = Membership.objects.for_team(team).live().filter(user__email=email).first()
            if holder is None:
                raise CommandError(f"{options['to']} is not a member of {team}")
        with one_transaction():
            seat = grant_seat(
                team=team, plan=plan, ends_at=options["until"], source="operator, by command", at=now, by=None
            )
            if holder:
                assign_seat(seat=seat, membership=holder, by=None, at=now)
        held = f", held by {options['to']}" if holder else ""
        self.stdout.write(f"{seat} of {team}: {plan}{held}.")

    def grant_credits(self, team: Team, options: dict[str, Any]) -> None:
        lot = grant_credits(
            team=team,
            nanousd=options["credits"],
            source=options["source"] or f"operator, by command {uuid4()}",
            cause=CreditLedgerEntry.GIVEN,
            at=timezone.now(),
            by=None,
            expires_at=options["until"],
        )
        amount, until = credits_words(lot.amount_nanousd), f"{lot.expires_at:%Y-%m-%d %H:%M} UTC"
        self.stdout.write(f"Lot {lot.pk} of {team}: {amount} Credits until {until}.")

    def give_voucher(self, team: Team, options: dict[str, Any]) -> None:
        lot = give_voucher(
            team=team,
            nanousd=options["usd"],
            expires_at=options["until"],
            source=options["source"] or f"operator, by command {uuid4()}",
            reason=CreditLedgerEntry.GIVEN,
            at=timezone.now(),
            by=None,
        )
        until = f"{options['until']:%Y-%m-%d %H:%M} UTC"
        self.stdout.write(f"Lot {lot.pk} of {team}: {usd_text(lot.amount_nanousd)} until {until}.")
