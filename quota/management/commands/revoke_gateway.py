"""manage.py revoke_gateway NAME: the gateway's credential stops working at once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from quota.models import Gateway
from quota.services.gateways import revoke_gateway
from tokenplan.kit.errors import Refusal


class Command(BaseCommand):
    help = "Revoke an API gateway."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        gateway = Gateway.objects.filter(name=name).first()
        if gateway is None:
            raise CommandError(f"There is no gateway {name!r}")
        try:
            revoke_gateway(gateway=gateway, at=timezone.now(), by=None)
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"Revoked: {name}")
