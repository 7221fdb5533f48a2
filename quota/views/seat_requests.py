"""The Team's inbox: members who ask for a seat or for Credits; and the answer to who asks for a seat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.forms import GrantCreditsForm
from quota.models import CreditAccess, CreditRequest, SeatRequest
from quota.money import credits_words
from quota.selectors.credits import team_balance, team_credits
from quota.selectors.member_requests import (
    answered_in,
    open_by_kind,
    plan_names,
    waiting_for_credits,
    waiting_for_seats,
)
from quota.services.seat_requests import answer_request
from teams.models import Membership, Seat, Team
from teams.permissions import Right, who_may
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import attempt

ANSWERED_SHOWN = 20
WAITING_SHOWN = 20


@dataclass(frozen=True, slots=True)
class WaitingForCredits:
    request: CreditRequest
    access: CreditAccess
    form: GrantCreditsForm


@team_page(get=Right.ASSIGN_SEAT)
def inbox(request: TeamRequest) -> HttpResponse:
    """Those that wait, and the last ones that were answered."""
    return show_inbox(request, {})


def show_inbox(request: TeamRequest, forms: Mapping[int, GrantCreditsForm]) -> HttpResponse:
    """A page of those that wait: who asks for a seat, then who asks for Credits. `forms`: by the id of a
    request for Credits, what was typed there and refused; the page is then the one with it.
    """
    at, team = timezone.now(), request.team
    seats, credits = open_by_kind(team)
    paginator = Paginator(range(seats + credits), WAITING_SHOWN)
    page = paginator.get_page(_page_of(team, forms, seats) if forms else request.GET.get("page"))
    first, last = page.start_index() - 1, page.end_index()
    of_credits = waiting_for_credits(team, slice(max(first - seats, 0), max(last - seats, 0)))
    access = CreditAccess.objects.of([row.membership for row in of_credits])
    context = {
        "page": page,
        "for_seats": waiting_for_seats(team, at, slice(max(first, 0), last)),
        "for_credits": [
            WaitingForCredits(row, access[row.membership_id], forms.get(row.pk) or _form(row))
            for row in of_credits
        ],
        "buyers": _(" or ").join(who_may(team, Right.MANAGE_BILLING)),
        "owner": Membership.objects.owner_of(team),
        "answered": answered_in(team, ANSWERED_SHOWN),
        "balance": team_balance(team.pk, at),
        "rules": team_credits(team.pk),
        "plan_names": plan_names(),
    }
    return show(request, "quota/requests.html", context, status=422 if forms else 200)


def _page_of(team: Team, forms: Mapping[int, GrantCreditsForm], seats: int) -> int:
    """The page with the first request for Credits of these, where so many for seats are before them."""
    places = enumerate(waiting_for_credits(team), seats)
    return next((place // WAITING_SHOWN + 1 for place, row in places if row.pk in forms), 1)


def _form(row: CreditRequest) -> GrantCreditsForm:
    wanted = "" if row.wanted_nanousd is None else credits_words(row.wanted_nanousd)
    return GrantCreditsForm(row, initial={"overflow": "allow", "month_cap": wanted})


@team_page(post=Right.ASSIGN_SEAT)
def answer(request: TeamRequest, pk: int) -> HttpResponse:
    """Grants with a seat, or declines."""
    row = SeatRequest.objects.for_team(request.team).filter(pk=pk).select_related("membership__user").first()
    if row is None:
        raise NotFound(_("This request does not exist."))
    at = timezone.now()
    granted = request.POST.get("answer") == "grant"
    seat = _seat(request.team, request.POST.get("seat", "")) if granted else None
    name = row.membership.user.display_name
    done = (
        _("%(name)s holds %(seat)s now.") % {"name": name, "seat": seat}
        if granted
        else _("You declined the request of %(name)s.") % {"name": name}
    )
    if attempt(
        request,
        lambda: answer_request(request=row, granted=granted, seat=seat, at=at, by=request.user),
        done,
    ):
        enqueue(deliver_mail)
    return redirect("team-requests", request.team.slug)


def _seat(team: Team, typed: str) -> Seat | None:
    """The Team's seat with this number; whether it can be given, the service says."""
    number = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 19 else 0
    return Seat.objects.for_team(team).live().filter(pk=number).first()
