"""manage.py create_gateway NAME: prints the credential of a new gateway, this once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from quota.services.gateways import create_gateway
from tokenplan.kit.errors import Refusal


class Command(BaseCommand):
    help = "Make an API gateway and print its credential. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            _, text = create_gateway(name=name, at=timezone.now(), by=None)
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(text)
