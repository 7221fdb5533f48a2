"""manage.py rotate_gateway NAME: prints a new credential of the gateway; those before it end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from quota.models import Gateway
from quota.services.gateways import replace_credentials
from tokenplan.kit.errors import Refusal


class Command(BaseCommand):
    help = "Make a new credential of an API gateway and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--overlap-hours",
            type=int,
            default=24,
            help="how long the credentials before it work on; 24 if left out",
        )

    def handle(self, *args: Any, name: str, overlap_hours: int, **options: Any) -> None:
        gateway = Gateway.objects.filter(name=name).first()
        if gateway is None:
            raise CommandError(f"There is no gateway {name!r}")
        try:
            overlap = timedelta(hours=overlap_hours)
            _, text = replace_credentials(gateway=gateway, overlap=overlap, at=timezone.now(), by=None)
        except OverflowError as error:
            raise CommandError("The overlap is too long.") from error
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(text)
