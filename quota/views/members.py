"""The members of a Team."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone

from quota.selectors.roster import roster
from teams.permissions import Right
from teams.views.base import TeamRequest, show, team_page


@team_page(get=Right.VIEW_MEMBERS)
def team_members(request: TeamRequest) -> HttpResponse:
    """Everyone, with role, seat and the prefix of the key."""
    return show(request, "quota/members.html", {"rows": roster(request.team, timezone.now())})
