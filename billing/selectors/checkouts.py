"""A Team's checkout sessions, as its Owner sees them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from billing.models import Checkout, Promotion
from billing.selectors.promotions import promotion_of
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


def sells_the_same(
    checkout: Checkout, prices: Mapping[str, int], promotion: Promotion | None, at: datetime
) -> bool:
    """Does the open session sell just this, with just this code, and can it still be paid?"""
    return checkout.prices == prices and checkout.expires_at > at and promotion_of(checkout) == promotion
