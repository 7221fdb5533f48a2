"""The members of a Team."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.utils import timezone

from quota.selectors.roster import Shown, members_of, rows_of
from teams.permissions import Right
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.text import searched

# A row has what can be done to its member, so that it weighs three kilobytes.
PAGE_SIZE = 40


@team_page(get=Right.VIEW_MEMBERS)
def team_members(request: TeamRequest) -> HttpResponse:
    """Everyone, or those that are searched for, with role, seat and the prefix of the key."""
    search, shown = searched(request.GET.get("q", "")), request.GET.get("show", "")
    found = members_of(request.team, search=search, shown=shown)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "rows": rows_of(list(page.object_list), timezone.now()),
        "page": page,
        "search": search,
        "shown": shown if shown in Shown.values else Shown.EVERYONE,
        "choices": Shown.choices,
    }
    return show(request, "quota/members.html", context)
