"""One's own bars, read once a request, for the page and for the switcher of Teams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.http import HttpRequest

from quota.selectors.usage_bar import UsageBar, usage_bar, usage_bars
from teams.models import Membership
from teams.views.base import TeamRequest, listed_memberships, own_memberships
from tokenplan.kit.pages import once_a_request


def own_bars(request: HttpRequest, at: datetime) -> list[UsageBar]:
    """Of all of one's memberships, in their order; where the page has read them, as at the moment of that."""
    return once_a_request(request, "own_bars", lambda: _bars(own_memberships(request), at))


def listed_bars(request: HttpRequest, at: datetime) -> list[UsageBar]:
    """The same of those that the switcher lists, which for nearly everybody are all."""
    return once_a_request(request, "listed_bars", lambda: _listed(request, at))


def own_bar(request: TeamRequest, at: datetime) -> UsageBar:
    """The one of the Team that the page is about."""
    found = (bar for bar in listed_bars(request, at) if bar.membership == request.membership)
    # A replica may not know yet of somebody who has just joined.
    return next(found, None) or usage_bar(request.membership, at)


def _listed(request: HttpRequest, at: datetime) -> list[UsageBar]:
    listed, _ = listed_memberships(request)
    if not hasattr(request, "own_bars"):
        return _bars(listed, at)
    read = {bar.membership: bar for bar in own_bars(request, at)}
    return [read[membership] for membership in listed if membership in read]


def _bars(memberships: Sequence[Membership], at: datetime) -> list[UsageBar]:
    return usage_bars(memberships, at) if memberships else []
