"""Deleting a Team that may have begun to pay."""

from __future__ import annotations

from datetime import datetime

from billing.models import Checkout
from billing.services.teams import delete_settled_team
from billing.workflows.checkouts import leave_checkout
from teams.models import Team, User


def delete_team(*, team: Team, by: User, at: datetime) -> Team:
    """Checkout sessions that nobody finished are ended first, so that nothing is paid there later. Raises
    what the service does, ChangeInProgress, and what Stripe says.
    """
    for checkout in Checkout.objects.for_team(team).filter(state=Checkout.State.OPEN).select_related("team"):
        leave_checkout(checkout=checkout, at=at)
    return delete_settled_team(team=team, by=by, at=at)
