"""Bulk actions and how far they are, read-only: whoever started one stops it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.models import BulkAction, BulkLine
from tokenplan.kit.admin import ReadOnlyAdmin


def _count(lines: QuerySet[BulkLine, Any]) -> Coalesce:
    return Coalesce(Subquery(lines.annotate(count=Count("pk")).values("count")), 0)


@admin.register(BulkAction)
class BulkActionAdmin(ReadOnlyAdmin[BulkAction]):
    list_display = ("team", "verb", "by", "created_at", "progress", "ended_at", "stopped_by")
    list_select_related = ("team", "by", "stopped_by")
    list_filter = (("ended_at", admin.EmptyFieldListFilter),)
    search_fields = ("team__slug", "by__email__contains")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[BulkAction]:
        # Counted for each row that is shown, and not for all that there have been in three months.
        lines = BulkLine.objects.filter(action=OuterRef("pk")).order_by().values("action")
        worked = lines.filter(worked_at__isnull=False)
        return super().get_queryset(request).annotate(worked=_count(worked), all_lines=_count(lines))

    @admin.display(description=_("Lines worked"))
    def progress(self, action: BulkAction) -> str:
        counts = {"worked": action.worked, "lines": action.all_lines}  # type: ignore[attr-defined]  # annotated
        return gettext("%(worked)s of %(lines)s") % counts
