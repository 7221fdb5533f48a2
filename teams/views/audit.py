"""The audit log of a Team."""

from __future__ import annotations

from django.http import HttpResponse

from teams.models import AuditEntry
from teams.permissions import Right
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.pages import page_of


@team_page(get=Right.VIEW_AUDIT)
def audit(request: TeamRequest) -> HttpResponse:
    """Every change of access or money, newest first."""
    entries = AuditEntry.objects.for_team(request.team).select_related("by")
    return show(request, "teams/audit.html", {"page": page_of(entries, request)})
