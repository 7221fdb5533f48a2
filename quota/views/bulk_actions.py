"""A bulk action while it is worked, and what became of each line."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django_htmx.http import HttpResponseClientRefresh

from quota.models import BulkAction
from quota.selectors.bulk_actions import bulk_action_of, lines_of, progress_of, result_of
from quota.services import bulk_actions as service
from quota.services.members import Verb
from teams.permissions import Right, may
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.pages import attempt

PAGE_SIZE = 100


@team_page(get=Right.VIEW_MEMBERS)
def bulk_action(request: TeamRequest, pk: int) -> HttpResponse:
    """How far it has come; it asks again by itself until the action has ended."""
    action = bulk_action_of(request.team, pk)
    if action.ended_at and "HX-Request" in request.headers:
        return HttpResponseClientRefresh()
    refused = request.GET.get("show") == "refused"
    page = Paginator(lines_of(action, refused=refused), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "action": action,
        "label": label_of(action),
        "progress": progress_of(action),
        "page": page,
        "results": [result_of(line) for line in page.object_list],
        "refused": refused,
        "may_stop": action.ended_at is None and may(request.membership, service.right_for(action)),
    }
    return show(request, "quota/bulk_action.html", context)


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
