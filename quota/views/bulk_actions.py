"""A bulk action while it is worked, and what became of each line."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django_htmx.http import HttpResponseClientRefresh

from quota.forms import LinesFilterForm
from quota.models import BulkAction, BulkLine
from quota.selectors.bulk_actions import Result, bulk_action_of, lines_of, progress_of, result_of
from quota.services import bulk_actions as service
from quota.services.members import Verb
from teams.permissions import Right, may
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.csv_answers import csv_file, person_heading
from tokenplan.kit.pages import attempt
from tokenplan.kit.transactions import streamed

PAGE_SIZE = 100


@team_page(get=Right.VIEW_MEMBERS)
def bulk_action(request: TeamRequest, pk: int) -> HttpResponse:
    """How far it has come, which it asks again by itself until the action has ended; and what became of its
    lines, or of those that are asked for.
    """
    action = bulk_action_of(request.team, pk)
    if action.ended_at and request.headers.get("HX-Target") == "progress":
        return HttpResponseClientRefresh()
    form, found = _asked(request, action)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "action": action,
        "label": label_of(action),
        "progress": progress_of(action),
        "form": form,
        "page": page,
        "results": [(result, _state_of(result, action)) for result in map(result_of, page.object_list)],
        "may_stop": action.ended_at is None and may(request.membership, service.right_for(action)),
    }
    return show(request, "quota/bulk_action.html", context)


@team_page(get=Right.VIEW_MEMBERS)  # type: ignore[arg-type]  # an answer that is streamed is one too
def bulk_action_csv(request: TeamRequest, pk: int) -> HttpResponseBase:
    """All lines that are asked for, for a spreadsheet."""
    action = bulk_action_of(request.team, pk)
    results = map(result_of, streamed(_asked(request, action)[1]))
    rows = (
        (
            *(result.place, "" if result.name == result.email else result.name, result.email),
            *(str(_state_of(result, action)), result.text),
        )
        for result in results
    )
    heading = (_("Line"), *person_heading(), _("State"), _("Result"))
    return csv_file(f"results-{request.team.slug}-{action.pk}.csv", heading, rows)


def _asked(request: TeamRequest, action: BulkAction) -> tuple[LinesFilterForm, QuerySet[BulkLine]]:
    """The form, and what it asks for; a field that cannot be read asks for nothing."""
    form = LinesFilterForm(request.GET)
    form.is_valid()
    asked = form.cleaned_data
    return form, lines_of(action, search=asked.get("q", ""), shown=asked.get("show", ""))


def _state_of(result: Result, action: BulkAction) -> str | Promise:
    """What became of the line, for people."""
    if result.done is None:
        return _lazy("Left as it was") if action.ended_at else _lazy("Waits")
    return _lazy("Done") if result.done else _lazy("Refused")


@team_page(post=Right.VIEW_MEMBERS)
def stop(request: TeamRequest, pk: int) -> HttpResponse:
    """What is not done yet is left as it is."""
    action = bulk_action_of(request.team, pk)
    attempt(
        request,
        lambda: service.stop(action=action, by=request.user, at=timezone.now()),
        _("Stopped. What was done stays done."),
    )
    return redirect("team-bulk-action", request.team.slug, action.pk)


def label_of(action: BulkAction) -> str | Promise:
    return _lazy("Invite people") if action.verb == service.INVITE else Verb(action.verb).label
