"""`manage.py demo`: Teams to try everything with. Their credentials are in DATA/demo.json."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.models import Price
from quota.models import Plan, RateCard
from tokenplan.runtime.demo import DemoRemoved, load_demo, remove_demo, sign_ins


class Command(BaseCommand):
    help = "Makes demo Teams with a month of usage, keys and a gateway. Twice is once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--remove",
            action="store_true",
            help="take the demo's people away: no account, key or gateway of theirs works; history stays",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file = settings.DATA / "demo.json"
        if options["remove"]:
            count = remove_demo(file=file, at=timezone.now())
            self.stdout.write(
                f"Took away {count} demo people, their keys and gateways; what they did is kept"
            )
            return
        if not settings.ADDRESS.is_this_machine:
            raise CommandError(
                "The demo has an operator and members whose passwords are printed, and"
                f" {settings.BASE_URL} is not this machine."
            )
        load_catalog(self.stdout)
        try:
            made = load_demo(file=file, url=settings.BASE_URL, at=timezone.now())
        except DemoRemoved as error:
            raise CommandError("The demo was removed from this data. To have one, use other DATA.") from error
        except OSError as error:
            raise CommandError(
                f"The demo buys at the local Stripe, which cannot be served: {error}. Stop `make run` first."
            ) from error
        for line in sign_ins(file=file):
            self.stdout.write(line)
        self.stdout.write(f"{'Made' if made else 'Kept'} the demo; its credentials are in {file}")


def load_catalog(output: Any) -> None:
    """Loads the shipped plans, prices and price list, each only where there are none.

    What an operator changed since is not put back.
    """
    if not Plan.objects.exists():
        call_command("load_plans", stdout=output)
    if not Price.objects.exists():
        call_command("load_prices", stdout=output)
    if not RateCard.objects.exists():
        call_command("load_rate_card", stdout=output)
