"""The audit log of a Team: a page, and a file."""

from __future__ import annotations

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from billing.forms import AuditFilterForm
from billing.selectors.audit import entries_found, lines_of, numbers_of_all
from teams.permissions import Right
from teams.querysets import AuditEntryQuerySet
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.csv_answers import (
    csv_file_in_steps,
    moment_cell,
    person_cells,
    person_heading,
    rows_in_steps,
)
from tokenplan.kit.pages import page_of
from tokenplan.kit.text import searched


@team_page(get=Right.VIEW_AUDIT)
def audit(request: TeamRequest) -> HttpResponse:
    """Every change of access or money, newest first, or those that are searched for."""
    form = AuditFilterForm(request.GET)
    page = page_of(_found(request, form), request)
    context = {"page": page, "lines": list(lines_of(page.rows)), "form": form}
    return show(request, "billing/audit.html", context)


@team_page(get=Right.VIEW_AUDIT)  # type: ignore[arg-type]  # an answer that is streamed is one too
def audit_csv(request: TeamRequest) -> HttpResponseBase:
    """All of what is searched for, for a spreadsheet."""
    found = rows_in_steps(_found(request, AuditFilterForm(request.GET)), "at")
    lines = lines_of(found, numbers=numbers_of_all(request.team))
    rows = (
        (
            moment_cell(line.entry.at),
            *person_cells(line.entry.by),
            line.kind,
            line.subject,
            line.text,
        )
        for line in lines
    )
    heading = (_("When (UTC)"), *person_heading(), _("Kind"), _("About"), _("What"))
    return csv_file_in_steps(f"audit-{request.team.slug}.csv", heading, rows)


def _found(request: TeamRequest, form: AuditFilterForm) -> AuditEntryQuerySet:
    """What the form asks for; a field that cannot be read asks for nothing."""
    form.is_valid()
    since, until = form.moments()
    return entries_found(
        request.team,
        person=searched(request.GET.get("q", "")),
        kind=form.cleaned_data.get("kind", ""),
        since=since,
        until=until,
    )
