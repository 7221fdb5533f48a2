"""What a change of the subscription means for the windows of each seat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.allotment import LEAVES
from billing.changes import ADD, Outcome, SeatPlanned, Wish
from quota.hot_path.state import NO_SEAT, SeatUsage, seat_usage
from quota.models import Plan
from quota.windows import QuotaWindow
from teams.models import SeatHolding, Team


@dataclass(frozen=True, slots=True)
class Effect:
    """`seat` is None for seats that are added, `count` of them. A plan that is None: no seat before, or
    after. The windows are those of now: usage stays as it is, only the limits change.
    """

    seat: int | None
    count: int
    holder: str
    before: Plan | None
    after: Plan | None
    windows_before: tuple[QuotaWindow, ...]
    windows_after: tuple[QuotaWindow, ...]


def effects_of(
    team: Team,
    wish: Wish,
    seats: Sequence[SeatPlanned],
    result: Outcome,
    plans: Mapping[int, Plan],
    at: datetime,
) -> tuple[Effect, ...]:
    """Of the seats that the wish names, and of those that it adds."""
    if wish.kind == ADD:
        plan = plans[wish.plan or 0]
        return (Effect(None, wish.count, "", None, plan, (), _windows(NO_SEAT, plan, at)),)
    holdings = SeatHolding.objects.current().filter(seat__team=team, seat__in=wish.seats)
    holders = {
        holding.seat_id: holding.membership.user.display_name
        for holding in holdings.select_related("membership__user")
    }
    planned_after = {seat.id: seat.planned for seat in result.seats}
    effects = []
    for seat in seats:
        if seat.id in wish.seats:
            before, facts = plans[seat.plan], seat_usage(seat.id, at)
            planned = result.moves.get(seat.id, planned_after[seat.id])
            after = None if planned == LEAVES else plans[seat.plan if planned is None else planned]
            effects.append(
                Effect(
                    seat.id,
                    1,
                    holders.get(seat.id, ""),
                    before,
                    after,
                    _windows(facts, before, at),
                    _windows(facts, after, at) if after else (),
                )
            )
    return tuple(effects)


def _windows(facts: SeatUsage, plan: Plan, at: datetime) -> tuple[QuotaWindow, ...]:
    return tuple(facts.windows([row.limit for row in plan.limits.all()], at))
