"""Django's command, without the limit that every other statement has (migration 0002 of teams)."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections


class Command(migrate.Command):
    """A migration may take as long as it takes: an index of a large table is no runaway query."""

    def handle(self, *args: Any, **options: Any) -> None:
        with connections[options["database"]].cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        super().handle(*args, **options)
        with connections[options["database"]].cursor() as cursor:
            cursor.execute("RESET statement_timeout")
