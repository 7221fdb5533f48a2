"""The members of a Team: the list, one of them, and a verb for many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from quota.api.csv_cells import credits_cell
from quota.forms import CapForm, PlanForm
from quota.models import BulkAction
from quota.selectors.roster import RosterRow, Shown, members_of, rows_of
from quota.selectors.seats import free_plans, holdings_of, plan_counts
from quota.selectors.shown_bars import shown_bars
from quota.services import bulk_actions
from quota.services.members import Terms, Verb, act_on_each, counted
from quota.services.seats import give_seat_of_plan
from quota.tasks import work_bulk_actions
from quota.views.seat_changes import address_to_undo
from teams.models import Membership, Seat, Team
from teams.permissions import Right, may, member_of, require
from teams.querysets import MembershipQuerySet
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
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.pages import attempt
from tokenplan.kit.text import searched

PAGE_SIZE = 40
# A verb for so many is one request; for more it is a bulk action, which is worked in the background.
MOST_AT_ONCE = 500
MOST_IN_BULK = 10_000
# Names that are shown before it is confirmed.
NAMED = 500


@team_page(get=Right.VIEW_MEMBERS)
def team_members(request: TeamRequest) -> HttpResponse:
    """Everyone, or those that are searched for, with role, seat and the prefix of the key."""
    at, shown = timezone.now(), request.GET.get("show", "")
    page = Paginator(_found(request.team, request.GET, at), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "rows": rows_of(list(page.object_list), at),
        "page": page,
        "search": searched(request.GET.get("q", "")),
        "shown": shown if shown in Shown.values else Shown.EVERYONE,
        "choices": Shown.choices,
        "verbs": [verb for verb in Verb if may(request.membership, verb.right)],
        "most": MOST_IN_BULK,
        "free_plans": free_plans(request.team, at),
        "bulk_action": BulkAction.objects.for_team(request.team).open().first(),
    }
    return show(request, "quota/members.html", context)


@team_page(get=Right.VIEW_MEMBERS)  # type: ignore[arg-type]  # an answer that is streamed is one too
def members_csv(request: TeamRequest) -> HttpResponseBase:
    """All of those that are searched for, for a spreadsheet."""
    at = timezone.now()
    rows = read_in_batches(_found(request.team, request.GET, at), partial(rows_of, at=at))
    heading = (
        *(*person_heading(), _("Role"), _("Billing right"), _("Member since (UTC)")),
        *(_("Seat"), _("Plan"), _("Key"), _("Key last used (UTC)")),
        *(_("May use Credits"), _("Credits a month, at most")),
    )
    return csv_file(f"members-{request.team.slug}.csv", heading, map(_cells, rows))


def _cells(row: RosterRow) -> tuple[object, ...]:
    member, access = row.membership, row.access
    cap = access.granted_month_cap_nanousd
    return (
        *(*person_cells(member.user), member.get_role_display()),
        *(yes_cell(member.manages_billing), moment_cell(member.joined_at)),
        *(row.seat_number or "", row.plan.name if row.plan else ""),
        _("Revoked") if row.key is None or row.key.revoked_at else row.key.prefix,
        *(moment_cell(row.used_at), yes_cell(access.allowed)),
        None if cap is None or not access.allowed else credits_cell(cap),
    )


def _found(team: Team, asked: QueryDict, at: datetime) -> MembershipQuerySet:
    """Those whom the fields of the list's form ask for."""
    return members_of(team, at, search=searched(asked.get("q", "")), shown=asked.get("show", ""))


@team_page(get=Right.VIEW_MEMBERS)
def member(request: TeamRequest, pk: int) -> HttpResponse:
    """One member: what they may use, which seats they held, and what can be done."""
    at = timezone.now()
    row = member_of(request.team, pk)
    context = {
        "row": rows_of([row], at)[0],
        "shown": shown_bars([row], at, viewer_id=request.user.pk)[0],
        "history": holdings_of(row),
        "plans": plan_counts(request.team, at),
        "now": at,
    }
    return show(request, "quota/member.html", context)


@team_page(post=Right.ASSIGN_SEAT)
def give_seat(request: TeamRequest, pk: int) -> HttpResponse:
    """A free seat of a plan. Who gave it in a list is back there, in front of the next one."""
    row = member_of(request.team, pk)
    plan_code = request.POST.get("plan", "")
    given = attempt(
        request,
        lambda: give_seat_of_plan(membership=row, plan_code=plan_code, by=request.user, at=timezone.now()),
        _("%(name)s has a seat now.") % {"name": row.user.display_name},
        undo=lambda seat: _address_to_undo(request, row, seat),
    )
    if given:
        enqueue(deliver_mail)
    if request.POST.get("from") == "overview":
        return redirect("team", request.team.slug)
    if "show" in request.POST:
        listed = urlencode({name: request.POST.get(name, "") for name in ("q", "show", "page")})
        return redirect(f"{reverse('team-members', args=[request.team.slug])}?{listed}")
    return redirect("team-member", request.team.slug, row.pk)


def _address_to_undo(request: TeamRequest, row: Membership, seat: Seat) -> str:
    """ "" where the member does not hold it any more."""
    holding = seat.holdings.current().filter(membership=row).first()
    return address_to_undo(request.team.slug, holding, before=None) if holding else ""


@team_page(post=Right.VIEW_MEMBERS)
def act(request: TeamRequest) -> HttpResponse:
    """A verb for those that were chosen: first who they are and what it needs, then what became of each."""
    verb = next((verb for verb in Verb if verb == request.POST.get("verb")), None)
    if verb is None:
        messages.error(request, _("Choose what to do."))
        return redirect("team-members", request.team.slug)
    require(request.membership, verb.right)
    try:
        members = _chosen(request)
    except InvalidValue as refusal:
        messages.error(request, refusal.detail)
        return redirect("team-members", request.team.slug)
    form = _form(request, verb)
    context: dict[str, object] = {"verb": verb, "members": members, "form": form, "named": NAMED}
    context["said"] = verb.said_of(len(members))
    if "confirm" in request.POST and (form is None or form.is_valid()):
        typed = form.cleaned_data if form else {}
        terms = Terms(typed.get("plan", ""), typed.get("month_cap"))
        if len(members) > MOST_AT_ONCE:
            return _in_bulk(request, verb, members, terms)
        outcomes = act_on_each(verb=verb, members=members, terms=terms, by=request.user, at=timezone.now())
        enqueue(deliver_mail)
        context |= {"outcomes": outcomes, "counted": counted(outcomes)}
    wrong = form is not None and bool(form.errors)
    return show(request, "quota/members_act.html", context, status=422 if wrong else 200)


def _in_bulk(request: TeamRequest, verb: Verb, members: list[Membership], terms: Terms) -> HttpResponse:
    def start() -> BulkAction:
        return bulk_actions.start_for_members(
            team=request.team, verb=verb, members=members, terms=terms, by=request.user, at=timezone.now()
        )

    return to_bulk_action(request, start)


def to_bulk_action(request: TeamRequest, start: Callable[[], BulkAction]) -> HttpResponse:
    """Starts it, and shows it; where another is under way, that one, with the refusal."""
    started = attempt(request, start, _("It is under way. You may leave this page: it goes on."))
    if started:
        enqueue(work_bulk_actions)
    action = started.value if started else BulkAction.objects.for_team(request.team).open().first()
    if action is None:
        return redirect("team-members", request.team.slug)
    return redirect("team-bulk-action", request.team.slug, action.pk)


def _form(request: TeamRequest, verb: Verb) -> forms.Form | None:
    """What the verb needs beside the people; what was typed counts once it was shown."""
    data = request.POST if "confirm" in request.POST else None
    match verb:
        case Verb.GIVE_SEAT:
            return PlanForm(plan_counts(request.team, timezone.now()), data)
        case Verb.ALLOW_CREDITS:
            return CapForm(data)
    return None


def _chosen(request: TeamRequest) -> list[Membership]:
    """Those whose boxes were ticked, or all that were found. Raises InvalidValue for none, or too many."""
    if request.POST.get("scope") == "found":
        found = _found(request.team, request.POST, timezone.now())
    else:
        found = members_of(request.team, timezone.now()).filter(pk__in=_ids(request))
    return _at_most(found)


def _ids(request: TeamRequest) -> list[int]:
    """From the boxes of the list, or from the page that asks to confirm, which has them in one field."""
    typed = [*request.POST.getlist("member"), *request.POST.get("members", "").split(",")]
    return [int(text) for text in typed if text.isascii() and text.isdecimal() and len(text) < 19]


def _at_most(found: MembershipQuerySet) -> list[Membership]:
    members = list(found[: MOST_IN_BULK + 1])
    if not members:
        raise InvalidValue(_("Nobody is chosen: tick the boxes of some members first."))
    if len(members) > MOST_IN_BULK:
        raise InvalidValue(
            _("These are more than %(most)s people. Search or filter, so that they are fewer.")
            % {"most": MOST_IN_BULK}
        )
    return members
