"""How the periodic jobs are, above the runs that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.selectors.job_health import JobHealth, State, job_health
from teams.models import JobRun
from tokenplan.kit.admin import ReadOnlyAdmin

# What each job of the schedule does.
JOBS = {
    "teams.deliver_mail": _("Send the mails that are due"),
    "quota.send_notices": _("Notices of windows, Credits and missing prices"),
    "quota.watch_reconcile": _("Say when the check is not done"),
    "quota.expire_reservations": _("Mark or charge holds that lapsed"),
    "quota.expire_lots": _("Write expired lots into the ledger"),
    "quota.close_windows": _("Write ended windows into history"),
    "quota.roll_up_usage": _("Add new usage to the sums of reports"),
    "quota.forget_refusals": _("Forget calls refused a week ago"),
    "quota.keep_partitions": _("Make the months of calls, and drop old ones"),
    "quota.work_bulk_actions": _("Work what is done to many people at once"),
    "billing.work_inbox": _("Work the events that Stripe sent"),
    "billing.top_up": _("Buy what auto top-up orders"),
    "billing.finish": _("Finish what was interrupted at Stripe"),
    "quota.reconcile": _("Check new charges and what they count in"),
    "billing.reconcile": _("Compare with Stripe, and repair"),
}

STATES = {
    State.NEVER: _("never ran: does a worker read its queue, and does beat run?"),
    State.AWAITED: _("has not run yet"),
    State.RUNNING: _("under way"),
    State.WITHOUT_END: _(
        "no end for ten minutes: its process was killed, or it still works; the next run takes the rest up"
    ),
    State.FAILED: _("failed: what it left waits for the next run"),
    State.LATE: _("late: does a worker read its queue, and does beat run?"),
    State.FINE: _("fine"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A job as the page says it."""

    health: JobHealth
    words: Any
    state: Any


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin[JobRun]):
    """Runs: of each job the last that went well, and those that failed or have no end, of 30 days."""

    change_list_template = "admin/support/jobs.html"
    list_display = ("job", "began_at", "ended_at", "result", "error")
    list_filter = ("job", ("error", admin.EmptyFieldListFilter))
    ordering = ("-began_at", "-pk")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = [Shown(one, JOBS[one.job], STATES[one.state]) for one in job_health(timezone.now())]
        return super().changelist_view(
            request, {"title": gettext("Jobs"), **(extra_context or {}), "jobs": shown}
        )
