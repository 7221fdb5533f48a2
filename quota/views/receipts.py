"""A Team's charges, and receipts: who paid, and what it did to the windows."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.api.receipts_csv import receipts_csv
from quota.hot_path.catalog import prices_then, windows_then
from quota.models import UsageEvent
from quota.selectors.usage_filter import charges_of
from quota.usage_forms import ChargesForm
from quota.views.usage import address, dropped_before, offer_what_was_used, wanted_of
from teams.permissions import Right
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import page_of


@team_page(get=Right.USE)
def own_receipt(request: TeamRequest, pk: UUID) -> HttpResponse:
    """The receipt of one's own charge."""
    return _receipt(request, pk, own=True)


@team_page(get=Right.VIEW_USAGE)
def team_charges(request: TeamRequest) -> HttpResponse:
    """What everyone's calls cost, newest first: of the last 30 days unless asked otherwise."""
    form = ChargesForm(request.GET, of_team=True, today=timezone.now().date())
    if not form.is_valid():
        return show(request, "quota/team_charges.html", {"form": form}, status=422)
    wanted = wanted_of(form, request.team)
    events = charges_of(request.team)
    if request.GET.get("format") == "csv":
        answer = receipts_csv(f"receipts-{request.team.slug}", events, wanted)
        return cast(HttpResponse, answer)  # it streams
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
        "windows": [
            (before, after)
            for before, after in zip(
                windows_then(event.plan_id, event.windows_before),
                windows_then(event.plan_id, event.windows_after),
                strict=True,
            )
        ],
    }
    return show(request, "quota/receipt.html", context)
