"""`manage.py distribute`: shares out what grows with calls over the servers of a Citus cluster."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from quota.services.distribution import NoCluster, detects_deadlocks, distribute, not_shared_out

WARNING = """This shares out what grows with calls over the servers of the cluster, and cannot be taken back.
Calls are decided and charged there as on one server, but none are gathered, so each takes more of the
processors: see docs/decisions/0092. Nothing may call meanwhile, and all processes have to start again."""

DEADLOCKS = """Set citus.distributed_deadlock_detection_factor = -1 on the coordinator. Else Citus ends calls
where many wait for a key: all that have asked no other server yet are one to it, which waits for itself."""


class Command(BaseCommand):
    help = "Shares out what grows with calls over the servers of a Citus cluster, by Team; for trials."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-input", action="store_true", help="Do not ask whether to go on.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            due = not_shared_out()
        except NoCluster:
            raise CommandError("This database is not the coordinator of a Citus cluster.") from None
        if not due:
            self.stdout.write("All that grows with calls is shared out already.")
            return
        if not options["no_input"]:
            self.stdout.write(WARNING)
            if input("Type 'yes' to go on: ") != "yes":
                raise CommandError("Nothing was changed.")
        distribute(self.stdout.write)
        if detects_deadlocks():
            self.stdout.write(DEADLOCKS)
