"""A Team's charges, and receipts: who paid, and what it did to the windows."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.api.csv_cells import usd_cell
from quota.api.receipts_csv import charges_in_steps, file_name
from quota.hot_path.catalog import prices_then, windows_around
from quota.models import UsageEvent
from quota.selectors.usage_filter import UsageFilter, charges_of
from quota.templatetags.guides import modality_name
from quota.usage_forms import ChargesForm
from quota.views.usage import (
    address,
    dropped_before,
    offer_what_was_used,
    say_what_is_wrong,
    wanted_of,
)
from teams.models import Team
from teams.permissions import Right
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.csv_answers import csv_file_in_steps, moment_cell, person_heading, yes_cell
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import page_of

# Of a charge, for its line in a file.
COLUMNS = (
    *("id", "occurred_at", "membership__user__name", "membership__user__email", "api_key__name"),
    *("model", "modality", "agent", "tags", "usage", "amount_nanousd", "from_quota_nanousd"),
    *("from_credits_nanousd", "from_balance_nanousd", "overrun_nanousd", "estimated", "unpriced"),
    *("recorded_at", "corrects_id"),
)


@team_page(get=Right.USE)
def own_receipt(request: TeamRequest, pk: UUID) -> HttpResponse:
    """The receipt of one's own charge."""
    return _receipt(request, pk, own=True)


@team_page(get=Right.VIEW_USAGE)
def team_charges(request: TeamRequest) -> HttpResponse:
    """What everyone's calls cost, newest first: of the last 30 days unless asked otherwise."""
    form = ChargesForm(request.GET, of_team=True, today=timezone.now().date())
    if not form.is_valid():
        return say_what_is_wrong(request, "quota/team_charges.html", form)
    wanted = wanted_of(form, request.team)
    events = charges_of(request.team)
    if request.GET.get("format") == "csv":
        return cast(HttpResponse, _csv(request.team, wanted))  # it streams
    offer_what_was_used(form, request.team)
    context = {
        "form": form,
        "page": page_of(
            wanted.charges(events).select_related("membership__user"),
            request,
            moment="occurred_at",
            among=wanted.among(events),
        ),
        "receipt": "team-receipt",
        "kept_since": dropped_before(wanted),
        "everything": address(request, **dict.fromkeys(form.FILTERS, "")),
        "csv": address(request, format="csv"),
    }
    return show(request, "quota/team_charges.html", context)


def _csv(team: Team, wanted: UsageFilter) -> HttpResponseBase:
    """All charges that are asked for, for a spreadsheet."""
    heading = (
        *(_("When (UTC)"), *person_heading(), _("API key"), _("Model"), _("Modality"), _("Agent")),
        *(_("Tags"), _("Used"), _("Price (USD)"), _("From quota (USD)"), _("From Credits (USD)")),
        *(_("From the API balance (USD)"), _("Overrun (USD)"), _("Estimated"), _("Not priced")),
        *(_("Recorded (UTC)"), _("Receipt"), _("Corrects")),
    )
    rows = map(_cells, charges_in_steps(charges_of(team), wanted, COLUMNS))
    return csv_file_in_steps(file_name(f"receipts-{team.slug}", wanted), heading, rows)


def _cells(values: tuple[Any, ...]) -> tuple[object, ...]:
    id, at, name, email, api_key, model, modality, agent, tags, used, *rest = values
    *amounts, estimated, unpriced, recorded_at, corrects = rest
    return (
        *(moment_cell(at), name, email, api_key, model),
        *(modality_name(modality) if modality else "", agent, ", ".join(tags)),
        ", ".join(f"{meter} {quantity}" for meter, quantity in sorted(used.items())),
        *map(usd_cell, amounts),
        *(yes_cell(estimated), yes_cell(unpriced), moment_cell(recorded_at), str(id), str(corrects or "")),
    )


@team_page(get=Right.VIEW_USAGE)
def team_receipt(request: TeamRequest, pk: UUID) -> HttpResponse:
    """The receipt of anyone's charge."""
    return _receipt(request, pk, own=False)


def _receipt(request: TeamRequest, pk: UUID, *, own: bool) -> HttpResponse:
    events = UsageEvent.objects.for_team(request.team).select_related("membership__user", "plan", "seat")
    if own:
        events = events.filter(membership=request.membership)
    event = events.filter(pk=pk).first()
    if event is None:
        raise NotFound(_("There is no such charge."))
    prices = {price.meter: price for price in prices_then(event.rate_card_id, event.model, event.usage)}
    context = {
        "event": event,
        "undo": UsageEvent.objects.filter(corrects=event, is_undo=True).first(),
        "own": own,
        "receipt": "account-receipt" if own else "team-receipt",
        "meters": [(meter, quantity, prices.get(meter)) for meter, quantity in sorted(event.usage.items())],
        "windows": list(zip(*windows_around(event), strict=True)),
    }
    return show(request, "quota/receipt.html", context)
