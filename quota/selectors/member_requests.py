"""What members ask for: what may be asked, who answers, and what waits or was answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q

from quota.models import CreditRequest, Entitlement, Plan, SeatRequest
from quota.selectors.seats import SeatState, free_seats, plan_counts, states_of
from teams.models import Membership, Seat, SeatHolding, Team

# For how long the account page shows an answer.
FRESH = timedelta(days=30)
# Of each plan so many free seats are offered to whoever answers: one is as good as another.
OFFERED = 20
ALL = slice(None)

AnyRequest = SeatRequest | CreditRequest


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
    found = SeatRequest.objects.for_team(team).open().select_related("membership__user", "membership__team")
    rows = list(found.order_by("created_at", "pk")[shown])
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
    seats = SeatRequest.objects.for_team(team).open().select_related("membership__user")
    rows: list[AnyRequest] = [
        *seats.order_by("created_at", "pk")[:limit],
        *waiting_for_credits(team, slice(limit)),
    ]
    return sorted(rows, key=lambda row: row.created_at)[:limit]


def waiting_for_credits(team: Team, shown: slice = ALL) -> list[CreditRequest]:
    """The Team's open requests for Credits, the oldest first; of these what is `shown`."""
    rows = CreditRequest.objects.for_team(team).open().select_related("membership__user")
    return list(rows.order_by("created_at", "pk")[shown])


def open_requests(team: Team) -> int:
    """How many wait for an answer."""
    return sum(open_by_kind(team))


def open_by_kind(team: Team) -> tuple[int, int]:
    """How many wait that ask for a seat, and for Credits."""
    of_credits = CreditRequest.objects.for_team(team).open().count()
    return SeatRequest.objects.for_team(team).open().count(), of_credits


def answered_in(team: Team, limit: int) -> list[AnyRequest]:
    """The last answers of the Team, the latest first."""
    seats = (
        SeatRequest.objects.for_team(team).answered().select_related("membership__user", "closed_by", "seat")
    )
    of_credits = CreditRequest.objects.for_team(team).answered()
    rows: list[AnyRequest] = [
        *seats[:limit],
        *of_credits.select_related("membership__user", "closed_by")[:limit],
    ]
    return sorted(rows, key=_newest)[:limit]


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
