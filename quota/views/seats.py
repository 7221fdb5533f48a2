"""A Team's seats: who holds which, what its windows say, giving, moving and freeing them."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.forms import AssignForm
from quota.models import Entitlement
from quota.selectors.roster import roster
from quota.selectors.seats import SeatState, seat_history, seat_state, seats_of
from quota.selectors.shown_bars import shown_bars
from teams.models import Membership, Seat
from teams.permissions import Right, member_of
from teams.services import seats as service
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import attempt, attempt_form


@team_page(get=Right.VIEW_MEMBERS)
def team_seats(request: TeamRequest) -> HttpResponse:
    """Every seat with plan, holder and windows."""
    at = timezone.now()
    states = seats_of(request.team, at)
    context = {"states": states, "free": sum(state.holder is None for state in states), "now": at}
    return show(request, "quota/seats.html", context)


@team_page(get=Right.VIEW_MEMBERS)
def seat(request: TeamRequest, pk: int) -> HttpResponse:
    """One seat: its windows, who held it when and used how much of it, and the plans it had."""
    row = _of_team(request, pk)
    at = timezone.now()
    context = _seat_context(request, seat_state(row, at), AssignForm(_without_seat(request)), at)
    return show(request, "quota/seat.html", context)


@team_page(post=Right.ASSIGN_SEAT)
def assign(request: TeamRequest, pk: int) -> HttpResponse:
    """Gives a free seat to a member, or moves a held one. What was used of it stays used."""
    at = timezone.now()
    state = seat_state(_of_team(request, pk), at)
    form = AssignForm(_without_seat(request), request.POST)

    def give() -> None:
        to = member_of(request.team, form.cleaned_data["member"])
        if state.holder is None:
            service.assign_seat(seat=state.seat, membership=to, by=request.user, at=at)
        else:
            service.move_seat(seat=state.seat, to=to, by=request.user, at=at)

    if attempt_form(form, give):
        enqueue(deliver_mail)
        to = member_of(request.team, form.cleaned_data["member"])
        messages.success(
            request, _("%(name)s holds %(seat)s now.") % {"name": to.user.display_name, "seat": state.seat}
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
    )
    return redirect("team-seat", request.team.slug, row.pk)


def _seat_context(
    request: TeamRequest, state: SeatState, form: AssignForm, at: datetime
) -> dict[str, object]:
    holders = [member_of(request.team, state.holder.pk)] if state.holder else []
    shown = shown_bars(holders, at, viewer_id=request.user.pk)
    return {
        "state": state,
        "shown": shown[0] if shown else None,
        "form": form,
        "history": seat_history(state.seat),
        "entitlements": Entitlement.objects.filter(seat=state.seat)
        .select_related("plan")
        .order_by("-starts_at", "-pk"),
    }


def _without_seat(request: TeamRequest) -> list[Membership]:
    return [row.membership for row in roster(request.team, timezone.now()) if row.seat_id is None]


def _of_team(request: TeamRequest, pk: int) -> Seat:
    row = Seat.objects.for_team(request.team).live().filter(pk=pk).first()
    if row is None:
        raise NotFound(_("This seat does not exist."))
    return row
