"""What a change of the subscription means for the windows of each seat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from billing.change_requests import BillChange
from billing.seat_plans import LEAVES
from quota.hot_path.state import NO_SEAT, SeatUsage, seat_usage
from quota.models import Plan
from quota.windows import QuotaWindow
from teams.models import Seat, SeatHolding, Team


@dataclass(frozen=True, slots=True)
class Effect:
    """`seat_id` and `number` are None for seats that are added, `count` of them. A plan that is None: no
    seat before, or after. The windows are those of now: usage stays as it is, only the limits change.
    """

    seat_id: int | None
    number: int | None
    count: int
    holder: str
    before: Plan | None
    after: Plan | None
    windows_before: tuple[QuotaWindow, ...]
    windows_after: tuple[QuotaWindow, ...]


def effects_of(
    team: Team, change: BillChange, *, plans: Mapping[int, Plan], at: datetime
) -> tuple[Effect, ...]:
    """Of the seats that the request names, and of those that it adds. `plans` by id, with their limits."""
    added = [
        Effect(None, None, count, "", None, plans[plan_id], (), _windows(NO_SEAT, plans[plan_id], at))
        for plan_id, count in change.added.items()
    ]
    holders, numbers = _holders(team, change), Seat.objects.for_team(team).numbers(change.named)
    planned_after = {seat.id: seat.next_plan_id for seat in change.seats}
    effects = []
    for seat in change.terms.seats:
        if seat.id in change.named:
            before, usage = plans[seat.plan_id], seat_usage(seat.id, at)
            next_plan_id = change.moves.get(seat.id, planned_after[seat.id])
            after_id = seat.plan_id if next_plan_id is None else next_plan_id
            after = None if after_id == LEAVES else plans[after_id]
            effects.append(
                Effect(
                    seat_id=seat.id,
                    number=numbers[seat.id],
                    count=1,
                    holder=holders.get(seat.id, ""),
                    before=before,
                    after=after,
                    windows_before=_windows(usage, before, at),
                    windows_after=_windows(usage, after, at) if after else (),
                )
            )
    return (*added, *effects)


def _holders(team: Team, change: BillChange) -> dict[int, str]:
    """Seat id to the name of who holds it."""
    holdings = SeatHolding.objects.current().filter(seat__team=team, seat__in=change.named)
    return {
        holding.seat_id: holding.membership.user.display_name
        for holding in holdings.select_related("membership__user")
    }


def _windows(usage: SeatUsage, plan: Plan, at: datetime) -> tuple[QuotaWindow, ...]:
    return tuple(usage.windows([row.limit for row in plan.limits.all()], at))
