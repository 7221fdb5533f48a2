"""How a Team that lacks a seat of a plan can get one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from billing.models import Interval, PurchasedSeat, Subscription
from billing.selectors.prices import cost_of_seats
from quota.models import Plan
from teams.models import Team

# Who asks: the id of the seat held, None without one, and the code of the plan asked for.
Ask: TypeAlias = tuple[int | None, str]


@dataclass(frozen=True, slots=True)
class SeatOffer:
    """`is_subscribed`: a seat is added to the subscription, else it is the Team's first purchase. `moves`:
    the seat that the member holds is paid for by the subscription, so it can be moved to another plan.
    Prices are nano-dollars a seat and `interval`, before discounts and tax: `price_nanousd` of a seat that is
    bought, None where the plan has none; `more_nanousd`: how much more the seat held costs once it is moved.
    """

    is_subscribed: bool
    moves: bool
    interval: str = Interval.MONTH
    price_nanousd: int | None = None
    more_nanousd: int | None = None


def seat_offers(team: Team, asks: Collection[Ask]) -> dict[Ask, SeatOffer]:
    """For members who ask, from our price list: Stripe is not asked."""
    if not asks:
        return {}
    row = Subscription.objects.for_team(team).live().first()
    interval = row.interval if row else Interval.MONTH
    prices = cost_of_seats(interval)
    on_sale = {plan.code: prices.get(plan.pk) for plan in Plan.objects.sellable()}
    bought = (
        PurchasedSeat.objects.for_team(team).live().filter(seat__in=[ask[0] for ask in asks], leaves=False)
    )
    paid = (
        {seat_id: prices.get(plan_id) for seat_id, plan_id in bought.values_list("seat", "plan")}
        if row
        else {}
    )
    return {
        (seat_id, code): SeatOffer(
            is_subscribed=row is not None,
            moves=seat_id in paid,
            interval=interval,
            price_nanousd=on_sale.get(code),
            more_nanousd=_more(paid.get(seat_id), on_sale.get(code)) if seat_id else None,
        )
        for seat_id, code in asks
    }


def _more(before: int | None, after: int | None) -> int | None:
    """None where it is not known, or nothing."""
    return after - before if before is not None and after is not None and after > before else None


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
