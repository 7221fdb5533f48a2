"""The Team's inbox: members who ask for a seat or for Credits; and the answer to who asks for a seat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.api.csv_cells import Number, credits_cell
from quota.forms import GrantCreditsForm
from quota.models import CreditAccess, CreditRequest, SeatRequest
from quota.money import credits_words
from quota.selectors.credits import team_balance, team_credits
from quota.selectors.member_requests import (
    AnyRequest,
    Kind,
    Shown,
    answered_of,
    answered_rows,
    open_by_kind,
    open_for_credits,
    open_for_seats,
    plan_names,
    waiting_for_credits,
    waiting_for_seats,
)
from quota.services.seat_requests import answer_request
from teams.models import Membership, Seat, Team
from teams.permissions import Right, who_may
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.csv_answers import (
    csv_file,
    moment_cell,
    person_cells,
    person_heading,
    read_in_batches,
    yes_cell,
)
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import attempt
from tokenplan.kit.transactions import streamed

ANSWERED_SHOWN = 20
WAITING_SHOWN = 20


@dataclass(frozen=True, slots=True)
class WaitingForCredits:
    request: CreditRequest
    access: CreditAccess
    form: GrantCreditsForm


@team_page(get=Right.ASSIGN_SEAT)
def inbox(request: TeamRequest) -> HttpResponse:
    """Those that wait, and the last ones that were answered; or those that are asked for."""
    return show_inbox(request, {})


@team_page(get=Right.ASSIGN_SEAT)  # type: ignore[arg-type]  # an answer that is streamed is one too
def requests_csv(request: TeamRequest) -> HttpResponseBase:
    """All of those that are asked for, for a spreadsheet."""
    names = plan_names()
    heading = (
        *(*person_heading(), _("Asks for"), _("Plan asked for")),
        *(_("Credits a month asked for"), _("Message"), _("Asked (UTC)"), _("Was granted")),
        *(_("Seat given"), _("Plan given"), _("Credits a month, at most")),
        *(_("Also when a window is full"), *person_heading(_("Answered by")), _("Answered (UTC)")),
    )
    rows = (_cells(row, names) for row in _all_found(request))
    return csv_file(f"requests-{request.team.slug}.csv", heading, rows)


def _all_found(request: TeamRequest) -> Iterator[AnyRequest]:
    """As the page has them: who asks for a seat, who asks for Credits, and what was answered."""
    team, (kind, shown) = request.team, _asked_for(request)
    if shown != Shown.ANSWERED:
        if kind != Kind.CREDITS:
            yield from streamed(open_for_seats(team))
        if kind != Kind.SEATS:
            yield from streamed(open_for_credits(team))
    if shown != Shown.OPEN:
        yield from read_in_batches(answered_of(team, kind), answered_rows)


def _cells(row: AnyRequest, names: Mapping[str, str]) -> tuple[object, ...]:
    asked: list[object]
    given: list[object]
    if isinstance(row, SeatRequest):
        asked = [_("Seat"), names.get(row.plan_code, row.plan_code), ""]
        seat = row.seat.number if row.seat else ""
        given = [seat, names.get(row.seat_plan_code, row.seat_plan_code), "", ""]
    else:
        asked = [_("Credits"), "", _credits(row.wanted_nanousd)]
        also = yes_cell(row.overflow == "allow") if row.granted else ""
        given = ["", "", _credits(row.month_cap_nanousd), also]
    return (
        *(*person_cells(row.membership.user), *asked, row.message, moment_cell(row.created_at)),
        *("" if row.granted is None else yes_cell(row.granted), *given),
        *(*person_cells(row.closed_by), moment_cell(row.closed_at)),
    )


def _credits(nanousd: int | None) -> Number | None:
    return None if nanousd is None else credits_cell(nanousd)


def _asked_for(request: TeamRequest) -> tuple[Kind, Shown]:
    """By the form above the list; what it does not offer asks for everything."""
    kind, shown = request.GET.get("kind"), request.GET.get("show")
    return (
        next((one for one in Kind if one == kind), Kind.ALL),
        next((one for one in Shown if one == shown), Shown.ALL),
    )


def show_inbox(request: TeamRequest, forms: Mapping[int, GrantCreditsForm]) -> HttpResponse:
    """A page of those that wait: who asks for a seat, then who asks for Credits; or of those that were
    answered. `forms`: by the id of a request for Credits, what was typed there and refused; the page is then
    the one with it.
    """
    at, team, (kind, shown) = timezone.now(), request.team, _asked_for(request)
    seats, credits = (0, 0) if shown == Shown.ANSWERED else open_by_kind(team, kind)
    paginator = Paginator(range(seats + credits), WAITING_SHOWN)
    page = paginator.get_page(_page_of(team, forms, seats) if forms else request.GET.get("page"))
    first, last = page.start_index() - 1, page.end_index()
    of_credits = waiting_for_credits(team, slice(max(first - seats, 0), max(last - seats, 0)))
    access = CreditAccess.objects.of([row.membership for row in of_credits])
    of_answered = Paginator(answered_of(team, kind), ANSWERED_SHOWN)
    answered = of_answered.get_page(request.GET.get("page") if shown == Shown.ANSWERED else 1)
    context = {
        "page": answered if shown == Shown.ANSWERED else page,
        "kind": kind,
        "kinds": Kind.choices,
        "shown": shown,
        "choices": Shown.choices,
        "for_seats": waiting_for_seats(team, at, slice(max(first, 0), min(last, seats))),
        "for_credits": [
            WaitingForCredits(row, access[row.membership_id], forms.get(row.pk) or _form(row))
            for row in of_credits
        ],
        "buyers": _(" or ").join(who_may(team, Right.MANAGE_BILLING)),
        "owner": Membership.objects.owner_of(team),
        "answered": [] if shown == Shown.OPEN else answered_rows(answered.object_list),
        "has_any": bool(kind or shown or page.paginator.count or answered.paginator.count),
        "more_answered": shown == Shown.ALL and answered.has_next(),
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
