"""`manage.py reconcile`: checks charges, meters and balances; fails on any difference."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from quota.models import ReconcileRun
from quota.services.reconcile import FINDINGS_KEPT, Progress, begin_run, work_on
from tokenplan.kit import clock

PAUSE_SECONDS = 0.2
PATIENCE_SECONDS = 120


class Command(BaseCommand):
    help = (
        "Recomputes all charges, meters and balances that are new since the last run, and exits with 1 on "
        "any difference. A run that was cut short is taken up where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="recompute everything there is, however old")

    def handle(self, *args: Any, **options: Any) -> None:
        run = begin_run(at=clock.database_now(), everything=options["all"])
        self._work_on(run)
        run.refresh_from_db()
        for difference in run.findings.order_by("pk"):
            self.stdout.write(str(difference))
        if run.differences > FINDINGS_KEPT:
            self.stdout.write(f"… and {run.differences - FINDINGS_KEPT} more.")
        if run.differences:
            count = run.differences
            raise CommandError(f"{count} difference{'' if count == 1 else 's'} found.")
        what = "Every" if run.is_whole else "What is new of every"
        self.stdout.write(f"{what} charge, balance and meter agrees with the events.")

    def _work_on(self, run: ReconcileRun) -> None:
        patience = PATIENCE_SECONDS / PAUSE_SECONDS
        while (progress := work_on(run=run, at=clock.database_now())) is not Progress.ENDED:
            if progress is Progress.WAITS:
                if (patience := patience - 1) < 0:
                    raise CommandError("A transaction has been open since the run began; run it again later.")
                time.sleep(PAUSE_SECONDS)
