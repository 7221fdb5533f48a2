"""Inviting people by e-mail, one or many: the Team's invitations, and the page that their links open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from quota.api.csv_cells import credits_cell
from quota.forms import InvitationForm, ManyInvitationsForm
from quota.invitation_lines import Line, read_lines
from quota.selectors.invitations import (
    Shown,
    invitations_found,
    plans_to_promise,
    problems_of,
    promised_seats,
    state_of,
)
from quota.selectors.member_requests import plan_names
from quota.services import invitations as service
from quota.services.bulk_actions import start_inviting
from quota.services.outcomes import outcome_of
from quota.views.members import PAGE_SIZE, to_bulk_action
from teams.errors import InvitationNotUsable, InviterMayNotInvite
from teams.models import Invitation, Role, User
from teams.permissions import Right, may, right_to_invite
from teams.querysets import InvitationQuerySet
from teams.services import invitations as of_teams
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.csv_answers import csv_file, moment_cell, person_cells, person_heading, yes_cell
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import InvalidValue, NotFound
from tokenplan.kit.pages import attempt, attempt_form
from tokenplan.kit.text import searched
from tokenplan.kit.transactions import streamed


@team_page(get=Right.INVITE, post=Right.INVITE)
def invitations(request: TeamRequest) -> HttpResponse:
    """The open invitations, or those that are searched for, and a form for a new one."""
    at = timezone.now()
    form = InvitationForm(plans_to_promise(), _roles(request), request.POST or None)
    if request.method == "POST" and attempt_form(
        form,
        lambda: service.invite(
            team=request.team,
            email=form.cleaned_data["email"],
            role=form.cleaned_data["role"],
            promise=form.promise(),
            by=request.user,
            at=at,
        ),
    ):
        enqueue(deliver_mail)
        messages.success(request, _("%(address)s is invited.") % {"address": form.cleaned_data["email"]})
        return redirect("team-invitations", request.team.slug)
    shown = request.GET.get("show", "")
    page = Paginator(_found(request, at), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "rows": [(row, state_of(row, at)) for row in page.object_list],
        "search": searched(request.GET.get("q", "")),
        "shown": shown if shown in Shown.values else Shown.OPEN,
        "choices": Shown.choices,
        "has_any": Invitation.objects.for_team(request.team).exists(),
        "plan_names": plan_names(),
        "promised": promised_seats(request.team, at),
    }
    return show(request, "quota/invitations.html", context, status=422 if form.errors else 200)


@team_page(get=Right.INVITE)  # type: ignore[arg-type]  # an answer that is streamed is one too
def invitations_csv(request: TeamRequest) -> HttpResponseBase:
    """All of those that are searched for, for a spreadsheet."""
    at, plans = timezone.now(), plan_names()
    found = _found(request, at).select_related("invited_by", "accepted_by")
    rows = (_cells(row, at, plans) for row in streamed(found))
    heading = (
        *(*person_heading(), *person_heading(_("Invited by")), _("Role"), _("Promised seat")),
        *(_("May use Credits"), _("Credits a month, at most"), _("Sent (UTC)"), _("Times sent")),
        *(_("Valid until (UTC)"), _("State"), _("Accepted or revoked (UTC)")),
    )
    return csv_file(f"invitations-{request.team.slug}.csv", heading, rows)


def _cells(row: Invitation, at: datetime, plans: dict[str, str]) -> tuple[object, ...]:
    cap = row.month_cap_nanousd
    return (
        *(row.accepted_by.name if row.accepted_by else "", row.email),
        *(*person_cells(row.invited_by), row.get_role_display()),
        plans.get(row.seat_plan_code, row.seat_plan_code),
        *(yes_cell(row.gives_credits), None if cap is None else credits_cell(cap)),
        *(moment_cell(row.sent_at), row.times_sent, moment_cell(row.expires_at)),
        *(str(state_of(row, at).label), moment_cell(row.accepted_at or row.revoked_at)),
    )


def _found(request: TeamRequest, at: datetime) -> InvitationQuerySet:
    """Those that the list's form asks for."""
    search, shown = searched(request.GET.get("q", "")), request.GET.get("show", "")
    return invitations_found(request.team, at, search=search, shown=shown)


EXAMPLE = "mia@example.com\nnoah@example.com, admin\nzoe@example.com, {plan}, 5000"


# So many lines are one request; more are a bulk action, which is worked in the background.
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line, and what is wrong with it, or became of it."""

    line: Line
    done: bool
    text: str


@team_page(get=Right.INVITE, post=Right.INVITE)
def invite_many(request: TeamRequest) -> HttpResponse:
    """A line a person: first what would become of each, then, once it is confirmed, what did."""
    at, plans = timezone.now(), plans_to_promise()
    form = ManyInvitationsForm(request.POST or None)
    context: dict[str, object] = {
        "form": form,
        "plan_names": plan_names(),
        "example": EXAMPLE.format(plan=next(iter(plans.values()), "Max")),
    }
    if request.method == "POST" and form.is_valid() and (lines := _lines(form, plans)):
        is_bulk = len(lines) > AT_ONCE
        if "confirm" in request.POST and is_bulk:
            with override(settings.LANGUAGE_CODE):  # what is wrong with a line is kept
                kept = _lines(form, plans)
            start = partial(start_inviting, team=request.team, lines=kept, by=request.user, at=at)
            return to_bulk_action(request, start)
        if "confirm" in request.POST:
            rows = [_invited(request, line, at) for line in lines]
            enqueue(deliver_mail)
            context |= {"results": rows, "done": sum(row.done for row in rows)}
        else:
            problems = problems_of(request.team, lines)
            rows = [_checked(request, line, problems) for line in lines]
            context |= {
                "rows": [row for row in rows if not row.done][:AT_ONCE] if is_bulk else rows,
                "lines_in_bulk": len(rows) if is_bulk else 0,
                "sound": sum(row.done for row in rows),
                "promised": promised_seats(
                    request.team, at, (row.line.plan_code for row in rows if row.done)
                ),
            }
    return show(request, "quota/invite_many.html", context, status=422 if form.errors else 200)


def _lines(form: ManyInvitationsForm, plans: dict[str, str]) -> list[Line]:
    """Those that were typed; none, and the form says why, where they are too many."""
    try:
        return read_lines(form.cleaned_data["lines"], plans)
    except InvalidValue as refusal:
        form.add_error("lines", refusal.detail)
        return []


def _roles(request: TeamRequest) -> list[Role]:
    """With which this person may invite."""
    return [role for role in (Role.MEMBER, Role.ADMIN) if may(request.membership, right_to_invite(role))]


def _checked(request: TeamRequest, line: Line, problems: dict[int, str]) -> LineRow:
    problem = line.problem or problems.get(line.number, "")
    if not problem and line.role not in _roles(request):
        problem = _("Only the Owner invites somebody as Admin.")
    return LineRow(line, not problem, problem or _("Will be invited."))


def _invited(request: TeamRequest, line: Line, at: datetime) -> LineRow:
    """Each line by itself: what is wrong with one stops no other."""

    def invite() -> str:
        return service.invite_line(team=request.team, line=line, by=request.user, at=at)

    return LineRow(line, *outcome_of(invite, about=f"line {line.number} of invitations"))


@team_page(post=Right.INVITE)
def resend(request: TeamRequest, pk: UUID) -> HttpResponse:
    """A new mail with a new link."""
    invitation = _of_team(request, pk)
    done = _("The invitation of %(address)s was sent again. The earlier link no longer works.")
    if attempt(
        request,
        lambda: of_teams.resend(invitation=invitation, by=request.user, at=timezone.now()),
        done % {"address": invitation.email},
    ):
        enqueue(deliver_mail)
    return redirect("team-invitations", request.team.slug)


@team_page(post=Right.INVITE)
def revoke(request: TeamRequest, pk: UUID) -> HttpResponse:
    """The link stops working."""
    invitation = _of_team(request, pk)
    done = _("The invitation of %(address)s is revoked.") % {"address": invitation.email}
    attempt(request, lambda: of_teams.revoke(invitation=invitation, by=request.user, at=timezone.now()), done)
    return redirect("team-invitations", request.team.slug)


def join(request: HttpRequest, token: str) -> HttpResponse:
    """The page that an invitation's link opens; whoever it was sent to can accept it there."""
    at = timezone.now()
    try:
        invitation = of_teams.find_open(token=token, at=at)
    except (InvitationNotUsable, InviterMayNotInvite) as refusal:
        context = {"invitation": None, "inviter_may_not": isinstance(refusal, InviterMayNotInvite)}
        return render(request, "quota/join.html", context, status=410)
    user = request.user
    if isinstance(user, User) and request.method == "POST":
        joined = attempt(
            request,
            lambda: service.join(token=token, by=user, at=at),
            _("You are now a member of %(team)s.") % {"team": invitation.team.display_name},
        )
        if joined is None:
            return redirect("join", token)
        enqueue(deliver_mail)
        _say_what_came(request, joined.value)
        return redirect("team", joined.value.membership.team.slug)
    is_for_me = isinstance(user, User) and (
        EmailAddress.objects.filter(user=user, verified=True, email=invitation.email).exists()
    )
    shown = {"invitation": invitation, "is_for_me": is_for_me, "plan_names": plan_names()}
    return render(request, "quota/join.html", shown)


def _say_what_came(request: HttpRequest, joined: service.Joined) -> None:
    """Of what was promised."""
    if joined.seat:
        messages.success(request, _("You hold %(seat)s.") % {"seat": joined.seat})
    elif joined.waits:
        messages.info(request, _("The promised seat could not be given now. We asked the Team for one."))
    elif joined.seat_gone:
        code = joined.promise.seat_plan_code
        gone = _("The promised %(plan)s seat could not be given: it is not sold any more. Ask for another.")
        messages.warning(request, gone % {"plan": plan_names().get(code, code)})
    if joined.credits_wait:
        messages.info(request, _("The promised Credits could not be given. We asked the Team for them."))
    elif joined.credits_gone:
        messages.warning(request, _("The promised Credits could not be given. Ask the Team for them."))


def _of_team(request: TeamRequest, pk: UUID) -> Invitation:
    invitation = Invitation.objects.for_team(request.team).filter(pk=pk).first()
    if invitation is None:
        raise NotFound(_("This invitation does not exist."))
    return invitation
