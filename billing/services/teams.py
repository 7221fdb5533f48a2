"""Deleting a Team that pays nothing any more."""

from __future__ import annotations

from datetime import datetime

from billing.errors import PaymentUnderWay, TeamHasSubscription
from billing.models import Checkout, CreditPurchase, Refund, Subscription
from teams.models import Team, User
from teams.services import teams
from teams.services.locks import lock_team
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def delete_settled_team(*, team: Team, by: User | None, at: datetime) -> Team:
    """Deletes the Team with every key in it, and keeps its books. Refused while it has a subscription or a
    payment is under way, since that money would belong to nobody.

    Raises TeamHasSubscription, PaymentUnderWay, TeamHasLiveSeats, DefaultTeamIsPersonal.
    """
    team = lock_team(team)
    if Subscription.objects.for_team(team).live().exists():
        raise TeamHasSubscription
    under_way = (
        Checkout.objects.for_team(team).unfinished(),
        CreditPurchase.objects.for_team(team).filter(state=CreditPurchase.State.WAITING),
        Refund.objects.filter(payment__team=team, state=Refund.State.OPEN),
    )
    if any(rows.exists() for rows in under_way):
        raise PaymentUnderWay
    return teams.delete_team(team=team, by=by, at=at)
