"""A seat of a Team: who holds it, what its windows say, giving, moving and freeing it. The list of all is
`billing/views/seats.py`, since it knows of which a smaller plan would do.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.forms import AssignForm
from quota.models import Entitlement
from quota.selectors import roster
from quota.selectors.seats import SeatState, seat_history, seat_state
from quota.selectors.shown_bars import shown_bars
from quota.views.seat_changes import address_to_undo
from teams.models import Seat, SeatHolding
from teams.permissions import Right, member_of
from teams.services import seats as service
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import attempt, attempt_form
from tokenplan.kit.text import searched

# People to give a seat to: who is not among them is searched for.
NAMED = 8


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
