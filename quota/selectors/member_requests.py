"""What members ask for: what may be asked, who answers, and what waits or was answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from django.db import models
from django.db.models import Q, QuerySet, Value
from django.utils.translation import gettext_lazy as _

from quota.models import CreditRequest, Entitlement, Plan, SeatRequest
from quota.querysets import CreditRequestQuerySet, SeatRequestQuerySet
from quota.selectors.seats import SeatState, free_seats, plan_counts, states_of
from teams.models import Membership, Seat, SeatHolding, Team

# For how long the account page shows an answer.
FRESH = timedelta(days=30)
# Of each plan so many free seats are offered to whoever answers: one is as good as another.
OFFERED = 20
ALL = slice(None)

AnyRequest = SeatRequest | CreditRequest
# When it was answered, its id, and its `Kind`.
Answered: TypeAlias = tuple[datetime, int, str]


class Kind(models.TextChoices):
    """What a list of requests shows those for."""

    ALL = "", _("For seats and Credits")
    SEATS = "seats", _("For a seat")
    CREDITS = "credits", _("For Credits")


class Shown(models.TextChoices):
    """Which requests a list shows."""

    ALL = "", _("Open and answered")
    OPEN = "open", _("To answer")
    ANSWERED = "answered", _("Answered")


@dataclass(slots=True)
class OwnRequests:
    """One member's: at most one of each kind waits. `answered` has the last answer first."""

    managers: list[Membership]
    seat: SeatRequest | None = None
    credits: CreditRequest | None = None
    answered: list[AnyRequest] = field(default_factory=list)

    def lately(self, at: datetime) -> list[AnyRequest]:
        """Answers that are still news."""
        return [row for row in self.answered if row.closed_at and row.closed_at > at - FRESH]


@dataclass(frozen=True, slots=True)
class WaitingForSeat:
    """A request, the seat that its member holds, and what it can be granted with: `fitting` seats have the
    plan that is asked for, `others` are free seats of another plan, higher than that of the seat held.
    """

    request: SeatRequest
    held: SeatState | None
    fitting: list[SeatState]
    others: list[SeatState]


def who_answers(membership: Membership) -> list[Membership]:
    """Who may answer the member's requests: the Owner first, then the Admins, without the member."""
    managers = Membership.objects.for_team(membership.team).live().managers().select_related("user")
    found = managers.exclude(pk=membership.pk).order_by("pk")
    return sorted(found, key=lambda manager: not manager.is_owner)


def plans_above(membership: Membership, at: datetime) -> list[Plan]:
    """What the member may ask for: the plans on sale above the plan of the seat held, all of them without
    a seat that works.
    """
    plans = Plan.objects.sellable().order_by("rank")
    holding = SeatHolding.objects.filter(membership=membership).at(at).first()
    entitlement = (
        Entitlement.objects.filter(seat=holding.seat_id).working(at).select_related("plan").first()
        if holding
        else None
    )
    return list(plans.filter(rank__gt=entitlement.plan.rank) if entitlement else plans)


def plan_names() -> dict[str, str]:
    """By code, as the newest version has it."""
    return dict(Plan.objects.order_by("version").values_list("code", "name"))


def own_requests(memberships: Iterable[Membership]) -> dict[int, OwnRequests]:
    """By membership id."""
    found = {row.pk: OwnRequests(who_answers(row)) for row in memberships if not row.is_owner}
    for seat in SeatRequest.objects.filter(membership__in=found).select_related(
        "closed_by", "membership", "seat"
    ):
        _sort(found[seat.membership_id], seat)
    for credit in CreditRequest.objects.filter(membership__in=found).select_related(
        "closed_by", "membership"
    ):
        _sort(found[credit.membership_id], credit)
    for own in found.values():
        own.answered.sort(key=_newest)
    return found


def _sort(own: OwnRequests, row: AnyRequest) -> None:
    if row.closed_at is not None:
        own.answered.append(row)
    elif isinstance(row, SeatRequest):
        own.seat = row
    else:
        own.credits = row


def waiting_for_seats(team: Team, at: datetime, shown: slice = ALL) -> list[WaitingForSeat]:
    """The Team's open requests for seats, the oldest first; of these what is `shown`."""
    rows = list(open_for_seats(team)[shown])
    if not rows:
        return []
    # Of a Team of thousands, the seats that matter here are few: some free ones, and those of who asks.
    held = SeatHolding.objects.filter(membership__in=[row.membership_id for row in rows]).at(at)
    wanted = Q(pk__in=held.values("seat"))
    for plan in plan_counts(team, at):
        if plan.free:
            free = free_seats(team, at, plan_code=plan.code).order_by("pk")[:OFFERED]
            wanted |= Q(pk__in=free.values("pk"))
    seats = Seat.objects.for_team(team).live().filter(wanted)
    working = [state for state in states_of(seats.order_by("pk"), at) if state.windows]
    return [_waiting(row, working) for row in rows]


def asking(team: Team, limit: int) -> list[AnyRequest]:
    """Who waits longest for an answer: for a seat, or for Credits."""
    rows: list[AnyRequest] = [*open_for_seats(team)[:limit], *open_for_credits(team)[:limit]]
    return sorted(rows, key=lambda row: row.created_at)[:limit]


def open_for_seats(team: Team) -> SeatRequestQuerySet:
    """The Team's open requests for seats, the oldest first."""
    rows = SeatRequest.objects.for_team(team).open().select_related("membership__user", "membership__team")
    return rows.order_by("created_at", "pk")


def open_for_credits(team: Team) -> CreditRequestQuerySet:
    """The Team's open requests for Credits, the oldest first."""
    rows = CreditRequest.objects.for_team(team).open().select_related("membership__user")
    return rows.order_by("created_at", "pk")


def waiting_for_credits(team: Team, shown: slice = ALL) -> list[CreditRequest]:
    """Of the Team's open requests for Credits what is `shown`."""
    return list(open_for_credits(team)[shown])


def open_requests(team: Team) -> int:
    """How many wait for an answer."""
    return sum(open_by_kind(team))


def open_by_kind(team: Team, kind: str = Kind.ALL) -> tuple[int, int]:
    """How many wait that ask for a seat, and for Credits; none of another kind than this."""
    return (
        0 if kind == Kind.CREDITS else open_for_seats(team).count(),
        0 if kind == Kind.SEATS else open_for_credits(team).count(),
    )


def answered_of(team: Team, kind: str = Kind.ALL) -> QuerySet[Any, Answered]:
    """All answers of the Team to requests of this kind, the latest first, for `answered_rows`."""
    seats = SeatRequest.objects.for_team(team).answered().order_by()
    of_credits = CreditRequest.objects.for_team(team).answered().order_by()
    columns = ("closed_at", "pk", "kind")
    by_kind: dict[str, QuerySet[Any, Any]] = {
        Kind.SEATS: seats.annotate(kind=Value(Kind.SEATS.value)).values_list(*columns),
        Kind.CREDITS: of_credits.annotate(kind=Value(Kind.CREDITS.value)).values_list(*columns),
    }
    first, *others = [by_kind[kind]] if kind in by_kind else by_kind.values()
    return first.union(*others, all=True).order_by("-closed_at", "-pk", "kind")


def answered_rows(answered: Iterable[Answered]) -> list[AnyRequest]:
    """The requests themselves, in this order, with who asked and who answered."""
    keys = [(kind, pk) for _at, pk, kind in answered]
    seats = SeatRequest.objects.select_related("membership__user", "closed_by", "seat")
    of_credits = CreditRequest.objects.select_related("membership__user", "closed_by")
    by_kind: dict[str, dict[int, AnyRequest]] = {
        Kind.SEATS: {**seats.in_bulk([pk for kind, pk in keys if kind == Kind.SEATS])},
        Kind.CREDITS: {**of_credits.in_bulk([pk for kind, pk in keys if kind == Kind.CREDITS])},
    }
    return [by_kind[kind][pk] for kind, pk in keys]


def _newest(row: AnyRequest) -> tuple[float, int]:
    return (-row.closed_at.timestamp() if row.closed_at else 0, -row.pk)


def _waiting(request: SeatRequest, working: list[SeatState]) -> WaitingForSeat:
    held = next((state for state in working if state.holder == request.membership), None)
    free = [state for state in working if state.holder is None]
    fitting = [state for state in free if state.plan and state.plan.code == request.plan_code]
    rank = held.plan.rank if held and held.plan else -1
    others = [state for state in free if state not in fitting and state.plan and state.plan.rank > rank]
    if held and held.plan and held.plan.code == request.plan_code:
        fitting.insert(0, held)  # raised since it was asked for
    return WaitingForSeat(request, held, fitting, others)
