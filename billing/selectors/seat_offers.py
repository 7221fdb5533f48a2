"""How a Team that lacks a seat of a plan can get one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from billing.models import PurchasedSeat, Subscription
from quota.models import Plan
from teams.models import Team


@dataclass(frozen=True, slots=True)
class SeatOffer:
    """`is_subscribed`: a seat is added to the subscription, else it is the Team's first purchase. `moves`:
    the seat that the member holds is paid for by the subscription, so it can be moved to another plan.
    """

    is_subscribed: bool
    moves: bool


def seat_offers(team: Team, seat_ids: Collection[int]) -> dict[int | None, SeatOffer]:
    """By the id of the seat that a member holds, None for one who holds none."""
    is_subscribed = Subscription.objects.for_team(team).live().exists()
    bought = PurchasedSeat.objects.for_team(team).live().filter(seat__in=seat_ids, leaves=False)
    paid = set(bought.values_list("seat", flat=True)) if is_subscribed else set()
    return {seat_id: SeatOffer(is_subscribed, moves=seat_id in paid) for seat_id in (None, *seat_ids)}


def plans_can_change(team: Team) -> bool:
    """Whether there is a subscription with nothing overdue that is not to end."""
    paying = Subscription.objects.for_team(team).live().first()
    return paying is not None and not paying.owes and paying.ends_at is None


def next_plans(team: Team, seat_ids: Collection[int]) -> dict[int, Plan]:
    """By seat id, the next higher plan on sale, of those of these seats that the subscription pays for: none
    while a payment is overdue or the subscription is to end, since plans cannot be changed then.
    """
    if not seat_ids or not plans_can_change(team):
        return {}
    bought = PurchasedSeat.objects.for_team(team).live().filter(seat__in=seat_ids, leaves=False)
    on_sale = list(Plan.objects.sellable().order_by("rank", "code"))
    found = {
        row.seat_id: next((plan for plan in on_sale if plan.rank > row.plan.rank), None)
        for row in bought.select_related("plan")
    }
    return {seat_id: plan for seat_id, plan in found.items() if plan}
