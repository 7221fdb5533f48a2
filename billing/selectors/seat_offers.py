"""How a Team that lacks a seat of a plan can get one."""

from __future__ import annotations

from dataclasses import dataclass

from billing.models import PurchasedSeat, Subscription
from teams.models import Team


@dataclass(frozen=True, slots=True)
class SeatOffer:
    """`is_subscribed`: a seat is added to the subscription, else it is the Team's first purchase. `raises`:
    the seat that the member holds is paid for by the subscription, so its plan can be raised.
    """

    is_subscribed: bool
    raises: bool


def seat_offer(team: Team, seat_id: int | None) -> SeatOffer:
    """`seat_id`: the seat that the member holds, if any."""
    is_subscribed = Subscription.objects.for_team(team).live().exists()
    bought = PurchasedSeat.objects.for_team(team).live().filter(seat=seat_id, leaves=False)
    return SeatOffer(is_subscribed, raises=is_subscribed and seat_id is not None and bought.exists())
