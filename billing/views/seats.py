"""The list of a Team's seats: who holds which, what its windows say, and of which a smaller plan would do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from itertools import chain

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.selectors.smaller_plans import OversizedSeat, smaller_plans
from quota.api.csv_cells import usd_cell
from quota.selectors.seats import (
    PlanCount,
    SeatState,
    Shown,
    names_of,
    plan_counts,
    seats_found,
    states_of,
    windows_named,
)
from quota.windows import QuotaWindow
from teams.permissions import Right
from teams.querysets import SeatQuerySet
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.csv_answers import (
    csv_file,
    moment_cell,
    person_cells,
    person_heading,
    read_in_batches,
    yes_cell,
)
from tokenplan.kit.text import searched

PAGE_SIZE = 40


@team_page(get=Right.VIEW_MEMBERS)
def team_seats(request: TeamRequest) -> HttpResponse:
    """Every seat with plan, holder and windows, or those that are searched for."""
    at = timezone.now()
    search, shown = searched(request.GET.get("q", "")), request.GET.get("show", "")
    plans, larger = plan_counts(request.team, at), _larger(request, at)
    plan_code = _plan_code(request, plans)
    page = Paginator(_found(request, plans, larger, at), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "states": states_of(page.object_list, at),
        "page": page,
        "plans": plans,
        "plan_code": plan_code,
        "search": search,
        "shown": shown if shown in Shown.values else Shown.ALL,
        "choices": Shown.choices,
        "is_filtered": bool(search or plan_code or shown in Shown.values[1:]),
        "larger": larger,
        "now": at,
    }
    return show(request, "quota/seats.html", context)


@team_page(get=Right.VIEW_MEMBERS)  # type: ignore[arg-type]  # an answer that is streamed is one too
def seats_csv(request: TeamRequest) -> HttpResponseBase:
    """All of those that are searched for, for a spreadsheet."""
    at = timezone.now()
    found = _found(request, plan_counts(request.team, at), _larger(request, at), at)
    names = windows_named(request.team, at)
    rows = (_cells(state, names) for state in read_in_batches(found, partial(states_of, at=at)))
    heading = (
        *(_("Seat"), _("Plan"), _("Suspended"), *person_heading()),
        *chain.from_iterable(map(_window_heading, names)),
        *(_("Renews (UTC)"), _("Ends (UTC)")),
    )
    return csv_file(f"seats-{request.team.slug}.csv", heading, rows)


def _cells(state: SeatState, names: list[str]) -> tuple[object, ...]:
    windows = dict(zip(names_of(window.limit for window in state.windows), state.windows, strict=True))
    return (
        *(state.seat.number, state.plan.name if state.plan else "", yes_cell(state.suspended)),
        *person_cells(state.holder.user if state.holder else None),
        *chain.from_iterable(_window_cells(windows.get(name)) for name in names),
        moment_cell(state.renews_at),
        "" if state.renews_at else moment_cell(state.ends_at),
    )


def _window_heading(name: str) -> tuple[str, ...]:
    window = {"window": name}
    return (
        *(_("%(window)s: used (USD)") % window, _("%(window)s: limit (USD)") % window),
        *(_("%(window)s: used (%%)") % window, _("%(window)s: all free by (UTC)") % window),
    )


def _window_cells(window: QuotaWindow | None) -> tuple[object, ...]:
    """Empty where the seat has no such window. When all is free is said where something is used or held."""
    if window is None:
        return ("",) * 4
    busy = bool(window.used or window.held)
    return (
        *(usd_cell(window.used), usd_cell(window.limit.nanousd), window.used_percent),
        moment_cell(window.resets_at if busy else None),
    )


def _found(
    request: TeamRequest, plans: list[PlanCount], larger: Mapping[int, OversizedSeat], at: datetime
) -> SeatQuerySet:
    """Those that the list's form asks for."""
    return seats_found(
        request.team,
        at,
        search=searched(request.GET.get("q", "")),
        plan_code=_plan_code(request, plans),
        shown=request.GET.get("show", ""),
        larger=larger,
    )


def _larger(request: TeamRequest, at: datetime) -> dict[int, OversizedSeat]:
    """By id, where these are asked for: to find them takes more than the list of all."""
    if request.GET.get("show") != Shown.LARGER:
        return {}
    return {seat.seat_id: seat for seat in smaller_plans(request.team, at, named=None).seats}


def _plan_code(request: TeamRequest, plans: list[PlanCount]) -> str:
    """What is no plan of the Team asks for all of them."""
    asked = request.GET.get("plan", "")
    return asked if asked in {plan.code for plan in plans} else ""
