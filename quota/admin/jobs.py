"""What sweeps have done: runs of the nightly check with what they found, and how far jobs have read."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from quota.models import JobProgress, ReconcileFinding, ReconcileRun
from tokenplan.kit.admin import ReadOnlyAdmin, ReadOnlyInline


class FindingsInline(ReadOnlyInline):
    model = ReconcileFinding
    fields = ("about", "expected", "found")
    show_change_link = False


@admin.register(ReconcileRun)
class ReconcileRunAdmin(ReadOnlyAdmin[ReconcileRun]):
    list_display = ("began_at", "state", "worked_at", "ended_at", "is_whole", "differences")
    list_filter = ("is_whole",)
    inlines = (FindingsInline,)
    ordering = ("-pk",)

    @admin.display(description=_("State"))
    def state(self, run: ReconcileRun) -> str:
        if run.replaced:
            return str(_("replaced by a whole run"))
        return str(_("ended")) if run.ended_at else str(_("under way"))


@admin.register(JobProgress)
class JobProgressAdmin(ReadOnlyAdmin[JobProgress]):
    list_display = ("job", "ran_at")
    ordering = ("job",)
