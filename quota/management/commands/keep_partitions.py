"""`manage.py keep_partitions`: what the periodic task does, once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from quota.services.partitions import keep_partitions
from tokenplan.kit import clock


class Command(BaseCommand):
    help = (
        "Makes the months of calls and of the ledger that are to come, and drops those older than"
        " RETENTION_MONTHS and LEDGER_RETENTION_MONTHS."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        kept = keep_partitions(at=clock.database_now())
        for did, names in (("Made", kept.made), ("Dropped", kept.dropped)):
            for name in names:
                self.stdout.write(f"{did} {name}.")
        if not kept.made and not kept.dropped:
            self.stdout.write("All months are as they should be.")
