"""A Team's checkout sessions, as its Owner sees them."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from billing.models import Checkout
from teams.models import Team
from tokenplan.kit.errors import NotFound


def get_checkout(team: Team, pk: UUID) -> Checkout:
    """Raises NotFound."""
    checkout = Checkout.objects.for_team(team).filter(pk=pk).select_related("team").first()
    if checkout is None:
        raise NotFound(_("There is no such payment."))
    return checkout


def open_checkout(team: Team, kind: str) -> Checkout | None:
    """The Team's unfinished session of this kind, if there is one."""
    return Checkout.objects.for_team(team).filter(kind=kind, state=Checkout.State.OPEN).first()
