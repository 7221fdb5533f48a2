"""The seats of a Team, for pages and the API alike: plan, holder, windows, and who used how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from quota.hot_path.catalog import PlanTerms, plan_terms
from quota.hot_path.state import SeatUsage, seat_usages
from quota.models import Entitlement
from quota.money import percent
from quota.selectors.asked_of_one_team import used_while_held
from quota.selectors.seat_use import idle_holdings, near_limit
from quota.windows import Limit, QuotaWindow
from teams.models import Membership, Seat, SeatHolding, Team
from teams.querysets import SeatHoldingQuerySet, SeatQuerySet


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
    """A time in which a member held a seat, and what the member used of its quota then, overrun included.
    `share`: whole percent of what all its holders used, rounded down; None where nothing was.
    """

    holding: SeatHolding
    used_nanousd: int
    share: int | None = None


class Shown(models.TextChoices):
    """Which seats a list shows."""

    ALL = "", _("All seats")
    FREE = "free", _("Free")
    HELD = "held", _("Held")
    NEAR_LIMIT = "near", _("Near a limit")
    IDLE = "idle", _("Not used for 14 days")
    LARGER = "larger", _("Larger than needed")
    SUSPENDED = "suspended", _("Suspended")
    NO_PLAN = "no-plan", _("Without a plan")


@dataclass(frozen=True, slots=True)
class PlanCount:
    """How many seats of a plan a Team has, and how many of these somebody can be given."""

    code: str
    name: str
    seats: int
    free: int


def seats_found(
    team: Team,
    at: datetime,
    *,
    search: str = "",
    plan_code: str = "",
    shown: str = Shown.ALL,
    larger: Collection[int] = (),
) -> SeatQuerySet:
    """The Team's seats, the highest plan first, then by number: those whose number or holder's name or
    address has `search` in it, of this plan, and that are `shown`. What is no `Shown` is all of them. Which
    are larger than needed the caller knows: `larger` are their ids.
    """
    entitled = Entitlement.objects.filter(seat=OuterRef("pk")).at(at)
    held = SeatHolding.objects.filter(seat=OuterRef("pk")).at(at)
    seats = Seat.objects.for_team(team).live()
    if search:
        named = Membership.objects.for_team(team).named_like(search).values("pk")
        number = int(search) if search.isascii() and search.isdecimal() and len(search) < 10 else None
        seats = seats.filter(models.Q(number=number) | Exists(held.filter(membership__in=named)))
    if plan_code:
        seats = seats.filter(Exists(entitled.filter(plan__code=plan_code)))
    seats = _shown(seats, team, at, shown, larger)
    rank = Subquery(entitled.values("plan__rank")[:1])
    return seats.annotate(rank=Coalesce(rank, Value(-1))).order_by("-rank", "number")


def _shown(
    seats: SeatQuerySet, team: Team, at: datetime, shown: str, larger: Collection[int]
) -> SeatQuerySet:
    entitled = Entitlement.objects.filter(seat=OuterRef("pk")).at(at)
    works = Entitlement.objects.filter(seat=OuterRef("pk")).working(at)
    held = SeatHolding.objects.filter(seat=OuterRef("pk")).at(at)
    match shown:
        case Shown.FREE:
            seats = seats.filter(Exists(works), ~Exists(held))
        case Shown.HELD:
            seats = seats.filter(Exists(held))
        case Shown.NEAR_LIMIT:
            seats = seats.filter(pk__in=[bar.seat_id for bar in near_limit(team, at)])
        case Shown.IDLE:
            seats = seats.filter(Exists(idle_holdings(team, at).filter(seat=OuterRef("pk"))))
        case Shown.LARGER:
            seats = seats.filter(pk__in=larger)
        case Shown.SUSPENDED:
            seats = seats.filter(Exists(entitled), ~Exists(works))
        case Shown.NO_PLAN:
            seats = seats.filter(~Exists(entitled))
    return seats


def plan_counts(team: Team, at: datetime) -> list[PlanCount]:
    """The plans of which the Team has seats that work, the smallest first."""
    held = SeatHolding.objects.filter(seat=OuterRef("seat")).at(at)
    working = Entitlement.objects.for_team(team).filter(seat__removed_at=None).working(at)
    rows = (
        working.values("plan__code", "plan__rank")
        .annotate(
            name=models.Max("plan__name"),
            seats=models.Count("pk"),
            free=models.Count("pk", filter=~Exists(held)),
        )
        .order_by("plan__rank", "plan__code")
    )
    return [PlanCount(row["plan__code"], row["name"], row["seats"], row["free"]) for row in rows]


def free_plans(team: Team, at: datetime) -> list[PlanCount]:
    """Those of these plans of which a seat can be given."""
    return [plan for plan in plan_counts(team, at) if plan.free]


def windows_named(team: Team, at: datetime) -> list[str]:
    """The windows of all plans that seats of the Team have, as `names_of` names them, each once: those
    of the highest plan first.
    """
    rows = Entitlement.objects.for_team(team).filter(seat__removed_at=None).at(at)
    plans = rows.order_by("-plan__rank", "plan_id").values_list("plan_id", flat=True).distinct()
    return list(dict.fromkeys(chain.from_iterable(names_of(plan_terms(pk).limits) for pk in plans)))


def names_of(limits: Iterable[Limit]) -> list[str]:
    """What the windows of a plan are called in the active language; the second of the same length has a 2."""
    found: Counter[str] = Counter()
    names = []
    for limit in limits:
        label = limit.label.capitalize()
        found[label] += 1
        names.append(label if found[label] == 1 else f"{label} {found[label]}")
    return names


def seat_state(seat: Seat, at: datetime) -> SeatState:
    """One seat, whether or not it was removed since."""
    return states_of([seat], at)[0]


def free_seats(team: Team, at: datetime, *, plan_code: str = "") -> SeatQuerySet:
    """Those that nobody holds and that have a plan that works; this one, if one is named."""
    held = SeatHolding.objects.filter(seat=OuterRef("pk")).at(at)
    works = Entitlement.objects.filter(seat=OuterRef("pk")).working(at)
    if plan_code:
        works = works.filter(plan__code=plan_code)
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
        seat,
        holder,
        plan,
        entitlement.ends_at,
        entitlement.renews_at,
        suspended=usage is None,
        windows=windows,
    )


def seat_history(seat: Seat) -> list[HoldingUsage]:
    """Who held the seat, the latest first, with `holding.membership.user` at hand, and what each used."""
    rows = list(_with_usage(SeatHolding.objects.filter(seat=seat)))
    total = sum(row.used for row in rows)
    return [HoldingUsage(row, row.used, int(percent(row.used, total)) if total else None) for row in rows]


def holdings_of(member: Membership) -> list[HoldingUsage]:
    """The seats that the member holds and held, the latest first, and what was used of each then."""
    rows = _with_usage(SeatHolding.objects.filter(membership=member))
    return [HoldingUsage(row, row.used) for row in rows]


def _with_usage(holdings: SeatHoldingQuerySet) -> Iterable[Any]:  # the type of a row does not know `used`
    of_both = holdings.select_related("seat", "membership__user")
    return of_both.annotate(used=used_while_held()).order_by("-started_at", "-id")
