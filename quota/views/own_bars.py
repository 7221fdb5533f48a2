"""One's own bars, in all of one's Teams: read once a request, for the page and for the switcher of Teams."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest

from quota.selectors.usage_bar import UsageBar, usage_bar, usage_bars
from teams.views.base import TeamRequest, own_memberships
from tokenplan.kit.pages import once_a_request


def own_bars(request: HttpRequest, at: datetime) -> list[UsageBar]:
    """Of one's memberships, in their order; where the page has read them, as at the moment of that."""
    mine = own_memberships(request)
    return once_a_request(request, "own_bars", lambda: usage_bars(mine, at) if mine else [])


def own_bar(request: TeamRequest, at: datetime) -> UsageBar:
    """The one of the Team that the page is about."""
    found = (bar for bar in own_bars(request, at) if bar.membership == request.membership)
    # A replica may not know yet of somebody who has just joined.
    return next(found, None) or usage_bar(request.membership, at)
