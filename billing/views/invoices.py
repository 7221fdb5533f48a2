"""A Team's invoices: a part of its billing page, and a file."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from billing.forms import InvoicesFilterForm
from billing.models import Invoice
from billing.querysets import InvoiceQuerySet
from quota.api.csv_cells import usd_cell
from teams.permissions import Right
from teams.views.base import TeamRequest, team_page
from tokenplan.kit.csv_answers import csv_file, moment_cell
from tokenplan.kit.pages import asked_of, page_of
from tokenplan.kit.reach import between
from tokenplan.kit.transactions import streamed

INVOICES_PAGE = 12


def invoices_of(request: TeamRequest) -> dict[str, object]:
    """What `includes/invoices.html` shows: a page of those that are asked for, the latest first."""
    form, found = _asked(request)
    return {
        "invoices_form": form,
        "invoices": page_of(found, request, moment="created_at", size=INVOICES_PAGE),
        "invoices_asked": asked_of(request, *form.fields),
    }


@team_page(get=Right.MANAGE_BILLING)  # type: ignore[arg-type]  # an answer that is streamed is one too
def invoices_csv(request: TeamRequest) -> HttpResponseBase:
    """All invoices that are asked for, for a spreadsheet."""
    found = _asked(request)[1].order_by("-created_at", "-pk")
    rows = (
        (
            str(invoice),
            moment_cell(invoice.created_at),
            usd_cell(invoice.total_nanousd),
            usd_cell(invoice.paid_nanousd),
            invoice.status_words,
            invoice.url,
        )
        for invoice in streamed(found)
    )
    heading = (_("Number"), _("Date (UTC)"), _("Total (USD)"), _("Paid (USD)"), _("State"), _("Link"))
    return csv_file(f"invoices-{request.team.slug}.csv", heading, rows)


def _asked(request: TeamRequest) -> tuple[InvoicesFilterForm, InvoiceQuerySet]:
    """The form, and what it asks for; a field that cannot be read asks for nothing."""
    form = InvoicesFilterForm(request.GET)
    form.is_valid()
    since, until = form.moments()
    found = Invoice.objects.for_team(request.team).shown()
    if state := form.cleaned_data.get("state"):
        found = found.filter(status=state)
    return form, between(found, "created_at", since, until)
