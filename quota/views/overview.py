"""A Team's first page."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.selectors.attention import attention
from quota.selectors.credits import team_balance
from quota.selectors.member_requests import asking, open_requests, plan_names
from quota.selectors.seat_fullness import seat_fullness
from quota.selectors.shown_bars import shown_of
from quota.selectors.usage_series import Group, usage_by
from quota.views.own_bars import own_bar
from teams.models import Invitation, Membership, Seat
from teams.permissions import Right, may, who_may
from teams.views.base import TeamRequest, show, team_page

# Usage may be reported a little ahead of the clock.
AHEAD = timedelta(days=1)
# Before today, of the 30 whose spend is shown.
DAYS_BEFORE = timedelta(days=29)
# Who waits longest for an answer is named; others are counted.
ASKING_SHOWN = 3


@team_page(get=Right.VIEW_TEAM)
def overview(request: TeamRequest) -> HttpResponse:
    """One's own bar, and for managers the Team in figures."""
    at = timezone.now()
    (shown,) = shown_of([own_bar(request, at)], at, viewer_id=request.user.pk)
    context: dict[str, object] = {"shown": shown, "now": at}
    if may(request.membership, Right.VIEW_USAGE):
        today = at.replace(hour=0, minute=0, second=0, microsecond=0)
        month, spent_from = today.replace(day=1), today - DAYS_BEFORE
        context |= {
            "members": Membership.objects.for_team(request.team).live().count(),
            "seats": Seat.objects.for_team(request.team).live().count(),
            "attention": attention(request.team, at),
            "balance": team_balance(request.team.pk, at),
            "month": usage_by(request.team, month, at + AHEAD)[0].amounts,
            "spent": usage_by(request.team, spent_from, today + AHEAD, Group.DAY),
            "spent_from": spent_from,
            "seat_fullness": seat_fullness(request.team, at),
            "open_requests": open_requests(request.team),
            "asking": asking(request.team, ASKING_SHOWN),
            "plan_names": plan_names(),
            "payers": _(" or ").join(_payers(request)),
            "open_invitations": Invitation.objects.for_team(request.team).open().count(),
        }
    return show(request, "quota/team.html", context)


def _payers(request: TeamRequest) -> list[str]:
    """Whom to ask for what has to be bought; nobody where the reader buys."""
    if may(request.membership, Right.MANAGE_BILLING):
        return []
    return who_may(request.team, Right.MANAGE_BILLING)
