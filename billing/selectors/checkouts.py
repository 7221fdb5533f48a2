"""A Team's checkout sessions, as its Owner sees them."""

from __future__ import annotations

from uuid import UUID

from billing.models import Checkout
from teams.models import Team
from tokenplan.kit.errors import NotFound


def get_checkout(team: Team, pk: UUID) -> Checkout:
    """Raises NotFound."""
    checkout = Checkout.objects.for_team(team).filter(pk=pk).select_related("team").first()
    if checkout is None:
        raise NotFound("There was no such payment.")
    return checkout


def open_checkout(team: Team, kind: str) -> Checkout | None:
    """The one of a kind that is not finished."""
    return Checkout.objects.for_team(team).filter(kind=kind, state=Checkout.State.OPEN).first()
