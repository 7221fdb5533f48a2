"""The Team's inbox: members who ask for a seat."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.models import Plan, SeatRequest
from quota.selectors.seats import free_seats
from quota.services.seat_requests import answer_request
from teams.permissions import Right
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import attempt

ANSWERED_SHOWN = 20


@team_page(get=Right.ASSIGN_SEAT)
def seat_requests(request: TeamRequest) -> HttpResponse:
    """Those that wait, and the last ones that were answered."""
    rows = SeatRequest.objects.for_team(request.team).select_related("membership__user", "closed_by")
    context = {
        "waiting": rows.open().order_by("created_at", "pk"),
        "answered": rows.exclude(closed_at=None).order_by("-closed_at", "-pk")[:ANSWERED_SHOWN],
        "free": free_seats(request.team, timezone.now()),
        "plan_names": dict(Plan.objects.order_by("version").values_list("code", "name")),
    }
    return show(request, "quota/requests.html", context)


@team_page(post=Right.ASSIGN_SEAT)
def answer(request: TeamRequest, pk: int) -> HttpResponse:
    """Grants, with a free seat or without, or declines."""
    row = SeatRequest.objects.for_team(request.team).filter(pk=pk).select_related("membership__user").first()
    if row is None:
        raise NotFound(_("This request does not exist."))
    at = timezone.now()
    granted = request.POST.get("answer") == "grant"
    wanted = request.POST.get("seat", "")
    seat = next((state.seat for state in free_seats(request.team, at) if str(state.seat.pk) == wanted), None)
    if granted and wanted and seat is None:
        messages.error(request, _("That seat is no longer free; choose another."))
        return redirect("team-requests", request.team.slug)
    name = row.membership.user.display_name
    if not granted:
        done = _("You declined the request of %(name)s.") % {"name": name}
    elif seat:
        done = _("%(name)s holds %(seat)s now.") % {"name": name, "seat": seat}
    else:
        done = _("You granted the request of %(name)s.") % {"name": name}
    if attempt(
        request,
        lambda: answer_request(request=row, granted=granted, seat=seat, at=at, by=request.user),
        done,
    ):
        enqueue(deliver_mail)
    return redirect("team-requests", request.team.slug)
