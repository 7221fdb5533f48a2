"""A Team's seats: who holds which, what its windows say, giving, moving and freeing them."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.api.csv_answers import csv_file, moment_cell, read_in_batches, yes_cell
from quota.forms import AssignForm
from quota.models import Entitlement
from quota.selectors import roster
from quota.selectors.seats import (
    PlanCount,
    SeatState,
    Shown,
    plan_counts,
    seat_history,
    seat_state,
    seats_found,
    states_of,
)
from quota.selectors.shown_bars import shown_bars
from quota.templatetags.bars import window_share
from quota.views.seat_changes import address_to_undo
from teams.models import Seat, SeatHolding
from teams.permissions import Right, member_of
from teams.querysets import SeatQuerySet
from teams.services import seats as service
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import attempt, attempt_form
from tokenplan.kit.text import searched

PAGE_SIZE = 40
# People to give a seat to: who is not among them is searched for.
NAMED = 8


@team_page(get=Right.VIEW_MEMBERS)
def team_seats(request: TeamRequest) -> HttpResponse:
    """Every seat with plan, holder and windows, or those that are searched for."""
    at = timezone.now()
    search, shown = searched(request.GET.get("q", "")), request.GET.get("show", "")
    plans = plan_counts(request.team, at)
    plan_code = _plan_code(request, plans)
    page = Paginator(_found(request, plans, at), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "states": states_of(page.object_list, at),
        "page": page,
        "plans": plans,
        "plan_code": plan_code,
        "search": search,
        "shown": shown if shown in Shown.values else Shown.ALL,
        "choices": Shown.choices,
        "is_filtered": bool(search or plan_code or shown in Shown.values[1:]),
        "now": at,
    }
    return show(request, "quota/seats.html", context)


@team_page(get=Right.VIEW_MEMBERS)  # type: ignore[arg-type]  # an answer that is streamed is one too
def seats_csv(request: TeamRequest) -> HttpResponseBase:
    """All of those that are searched for, for a spreadsheet."""
    at = timezone.now()
    found = _found(request, plan_counts(request.team, at), at)
    rows = map(_cells, read_in_batches(found, partial(states_of, at=at)))
    heading = (
        *(_("Seat"), _("Plan"), _("Suspended"), _("Held by"), _("E-mail address")),
        *(_("Used"), _("Renews (UTC)"), _("Ends (UTC)")),
    )
    return csv_file(f"seats-{request.team.slug}.csv", heading, rows)


def _cells(state: SeatState) -> tuple[object, ...]:
    holder = state.holder.user if state.holder else None
    return (
        *(state.seat.number, state.plan.name if state.plan else "", yes_cell(state.suspended)),
        *((holder.name, holder.email) if holder else ("", "")),
        "; ".join(window_share(window) for window in state.windows),
        moment_cell(state.renews_at),
        "" if state.renews_at else moment_cell(state.ends_at),
    )


def _found(request: TeamRequest, plans: list[PlanCount], at: datetime) -> SeatQuerySet:
    """Those that the list's form asks for."""
    return seats_found(
        request.team,
        at,
        search=searched(request.GET.get("q", "")),
        plan_code=_plan_code(request, plans),
        shown=request.GET.get("show", ""),
    )


def _plan_code(request: TeamRequest, plans: list[PlanCount]) -> str:
    """What is no plan of the Team asks for all of them."""
    asked = request.GET.get("plan", "")
    return asked if asked in {plan.code for plan in plans} else ""


@team_page(get=Right.VIEW_MEMBERS)
def seat(request: TeamRequest, pk: int) -> HttpResponse:
    """One seat: its windows, who held it when and used how much of it, and the plans it had."""
    row = _of_team(request, pk)
    at = timezone.now()
    return show(request, "quota/seat.html", _seat_context(request, seat_state(row, at), AssignForm(), at))


@team_page(post=Right.ASSIGN_SEAT)
def assign(request: TeamRequest, pk: int) -> HttpResponse:
    """Gives a free seat to a member, or moves a held one. What was used of it stays used."""
    at = timezone.now()
    state = seat_state(_of_team(request, pk), at)
    form = AssignForm(request.POST)

    def give() -> SeatHolding:
        to = member_of(request.team, form.cleaned_data["member"], pointer="/member")
        if state.holder is None:
            return service.assign_seat(seat=state.seat, membership=to, by=request.user, at=at)
        return service.move_seat(seat=state.seat, to=to, held_by=state.holder, by=request.user, at=at)

    if given := attempt_form(form, give):
        enqueue(deliver_mail)
        name = given.value.membership.user.display_name
        messages.success(
            request,
            _("%(name)s holds %(seat)s now.") % {"name": name, "seat": state.seat},
            extra_tags=address_to_undo(request.team.slug, given.value, before=state.holder),
        )
        return redirect("team-seat", request.team.slug, state.seat.pk)
    return show(request, "quota/seat.html", _seat_context(request, state, form, at), status=422)


@team_page(post=Right.ASSIGN_SEAT)
def free(request: TeamRequest, pk: int) -> HttpResponse:
    """Takes the seat from its holder."""
    row = _of_team(request, pk)
    attempt(
        request,
        lambda: service.free_seat(seat=row, by=request.user, at=timezone.now()),
        _("%(seat)s is free. Its usage stays with it.") % {"seat": row},
        undo=lambda ended: address_to_undo(request.team.slug, ended, before=ended.membership),
    )
    return redirect("team-seat", request.team.slug, row.pk)


def _seat_context(
    request: TeamRequest, state: SeatState, form: AssignForm, at: datetime
) -> dict[str, object]:
    search = searched(request.GET.get("q", ""))
    people = roster.members_of(request.team, at, search=search, shown=roster.Shown.WITHOUT_A_SEAT)
    history = seat_history(state.seat)
    # Who held it before may have it back with one click: nobody who left, or has another seat since.
    before = [row.holding.membership_id for row in history if row.holding.ended_at is not None][:1]
    holders = [member_of(request.team, state.holder.pk)] if state.holder else []
    shown = shown_bars(holders, at, viewer_id=request.user.pk)
    return {
        "state": state,
        "shown": shown[0] if shown else None,
        "form": form,
        "search": search,
        "people": people[: NAMED + 1],
        "named": NAMED,
        "before": people.filter(pk__in=before).first() if not search else None,
        "history": history,
        "entitlements": Entitlement.objects.filter(seat=state.seat)
        .select_related("plan")
        .order_by("-starts_at", "-pk"),
    }


def _of_team(request: TeamRequest, pk: int) -> Seat:
    row = Seat.objects.for_team(request.team).live().filter(pk=pk).first()
    if row is None:
        raise NotFound(_("This seat does not exist."))
    return row
