"""The seats of a Team, for pages and the API alike: plan, holder, windows, and who used how much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import BigIntegerField, Exists, F, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from quota.hot_path.catalog import PlanTerms, plan_terms
from quota.hot_path.state import SeatUsage, seat_usages
from quota.models import Entitlement, UsageEvent
from quota.windows import QuotaWindow
from teams.models import Membership, Seat, SeatHolding, Team
from teams.querysets import SeatQuerySet

# Later than any usage: the end of a holding that has none.
FOREVER = Value(datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class SeatState:
    """A seat at a moment. `plan` is None when it is entitled to nothing; a suspended one has a plan but no
    windows."""

    seat: Seat
    holder: Membership | None
    plan: PlanTerms | None
    ends_at: datetime | None
    renews_at: datetime | None
    suspended: bool
    windows: list[QuotaWindow]


@dataclass(frozen=True, slots=True)
class HoldingUsage:
    """A time in which a member held a seat, and what the member used of its quota then, overrun included."""

    holding: SeatHolding
    used_nanousd: int


def seats_of(team: Team, at: datetime) -> list[SeatState]:
    """Every seat the Team has, the oldest first."""
    return states_of(Seat.objects.for_team(team).live().order_by("pk"), at)


def seat_state(seat: Seat, at: datetime) -> SeatState:
    """One seat, whether or not it was removed since."""
    return states_of([seat], at)[0]


def free_seats(team: Team, at: datetime) -> SeatQuerySet:
    """Those that nobody holds and that have a plan that works."""
    held = SeatHolding.objects.filter(seat=OuterRef("pk")).at(at)
    works = Entitlement.objects.filter(seat=OuterRef("pk")).working(at)
    return Seat.objects.for_team(team).live().filter(Exists(works), ~Exists(held))


def states_of(seats: Iterable[Seat], at: datetime) -> list[SeatState]:
    """These seats, in their order."""
    seats = list(seats)
    holdings = SeatHolding.objects.filter(seat__in=seats).at(at).select_related("membership__user")
    holders = {holding.seat_id: holding.membership for holding in holdings}
    entitlements = {row.seat_id: row for row in Entitlement.objects.filter(seat__in=seats).at(at)}
    usages = seat_usages([pk for pk, row in entitlements.items() if not row.is_suspended(at)], at)
    return [
        _state(seat, holders.get(seat.pk), entitlements.get(seat.pk), usages.get(seat.pk), at)
        for seat in seats
    ]


def _state(
    seat: Seat,
    holder: Membership | None,
    entitlement: Entitlement | None,
    usage: SeatUsage | None,
    at: datetime,
) -> SeatState:
    """`usage` is None where no plan of the seat works."""
    if entitlement is None:
        return SeatState(seat, holder, None, None, None, suspended=False, windows=[])
    plan = plan_terms(entitlement.plan_id)
    windows = usage.windows(plan.limits, at) if usage else []
    return SeatState(
        seat, holder, plan, entitlement.ends_at, entitlement.renews_at, suspended=usage is None, windows=windows
    )


def seat_history(seat: Seat) -> list[HoldingUsage]:
    """Who held the seat, the latest first, with `holding.membership.user` at hand, and what each used."""
    used = (
        UsageEvent.objects.filter(
            seat=OuterRef("seat"),
            membership=OuterRef("membership"),
            occurred_at__gte=OuterRef("started_at"),
            occurred_at__lt=Coalesce(OuterRef("ended_at"), FOREVER),
        )
        .order_by()
        .values("seat")
        .annotate(used=Sum(F("from_quota_nanousd") + F("overrun_nanousd")))
        .values("used")
    )
    holdings: Iterable[Any] = (  # the type of a row does not know the annotation
        SeatHolding.objects.filter(seat=seat)
        .select_related("membership__user")
        .annotate(used=Coalesce(Subquery(used, output_field=BigIntegerField()), 0))
        .order_by("-started_at", "-id")
    )
    return [HoldingUsage(holding, holding.used) for holding in holdings]
