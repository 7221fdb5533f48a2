"""Seats: added and removed as they are bought, and who holds them.

Usage stays with the seat, whoever holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils.translation import gettext as _

from teams.errors import MemberHasSeat, SeatNotHeld, SeatNotUndone, SeatTaken
from teams.models import Membership, Seat, SeatHolding, Team, User
from teams.services import audit, mail
from teams.services.locks import lock_membership, lock_seat, lock_team
from tokenplan.kit.errors import NotFound
from tokenplan.kit.transactions import one_transaction, refused_by

# For so long a change of hands can be undone.
UNDO_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Change:
    """A seat that changed hands, as it can be undone. `holding_id` is the holding that began then, or ended
    where the seat is free since; `before_id` is the membership that held it before, None for nobody.
    """

    holding_id: int
    is_held: bool
    before_id: int | None
    at: datetime


@one_transaction()
def add_seat(*, team: Team, by: User | None, at: datetime) -> Seat:
    """A seat that nobody holds and that is entitled to nothing yet."""
    return add_seats(team=team, count=1, by=by, at=at)[0]


@one_transaction()
def add_seats(*, team: Team, count: int, by: User | None, at: datetime) -> list[Seat]:
    """As `add_seat`, many at once. They have the numbers that follow those of all seats the Team ever had."""
    team = lock_team(team)
    last = Seat.objects.for_team(team).aggregate(last=Max("number"))["last"] or 0
    made = Seat.objects.bulk_create(
        Seat(team=team, number=last + place, created_at=at) for place in range(1, count + 1)
    )
    subjects: dict[str, audit.Details] = {seat.logged_name: {"seat": seat.pk} for seat in made}
    audit.record_all(team=team, by=by, action="seat.added", subjects=subjects, at=at)
    return made


@one_transaction()
def remove_seat(*, seat: Seat, reason: str = "", by: User | None, at: datetime) -> Seat:
    """The seat is removed, and taken from its holder if it has one. Its history stays. Raises NotFound."""
    seat = lock_seat(seat)
    if seat.holdings.current().exists():
        _end_current(seat, reason=reason, by=by, at=at)
    seat.removed_at = at
    seat.save(update_fields=["removed_at"])
    audit.record(
        team=seat.team,
        by=by,
        action="seat.removed",
        subject=seat.logged_name,
        at=at,
        details={"seat": seat.pk, **audit.because(reason)},
    )
    return seat


@one_transaction()
def assign_seat(*, seat: Seat, membership: Membership, by: User | None, at: datetime) -> SeatHolding:
    """The member holds the seat from now on, with the usage it has.

    Raises SeatTaken, MemberHasSeat, NotFound.
    """
    membership = _lock_member_of(seat, membership)
    seat = lock_seat(seat)
    return _start(seat, membership, by=by, at=at)


@one_transaction()
def free_seat(
    *, seat: Seat, reason: str = "", by: User | None, at: datetime, held_by: Membership | None = None
) -> SeatHolding:
    """The seat's holder no longer holds it: this member, if one is named. Raises SeatNotHeld, NotFound."""
    seat = lock_seat(seat)
    if held_by is not None and not _is_held_by(seat, held_by):
        raise SeatNotHeld
    return _end_current(seat, reason=reason, by=by, at=at)


@one_transaction()
def move_seat(
    *, seat: Seat, to: Membership, by: User | None, at: datetime, held_by: Membership | None = None
) -> SeatHolding:
    """The seat goes from its holder, from this member if one is named, to another member, and nobody can take
    it in between.

    A refusal leaves it with its holder. Raises SeatNotHeld, MemberHasSeat, NotFound.
    """
    to = _lock_member_of(seat, to)
    seat = lock_seat(seat)
    if held_by is not None and not _is_held_by(seat, held_by):
        raise SeatNotHeld(_("This member no longer holds the seat."))
    _end_current(seat, by=by, at=at)
    return _start(seat, to, by=by, at=at)


@one_transaction()
def undo_change(*, seat: Seat, change: Change, by: User, at: datetime) -> SeatHolding:
    """The seat is held again by whom it was held before the change, or by nobody. What was used of it stays
    used.

    Raises SeatNotUndone once it is too late, or where anything else happened to the seat since; MemberHasSeat
    and NotFound where the member before has another seat by now, or has left.
    """
    if at - change.at > UNDO_FOR:
        raise SeatNotUndone
    before = None
    if change.before_id is not None:
        before = _lock_member_of(seat, Membership.objects.get(pk=change.before_id))
    seat = lock_seat(seat)
    newest = seat.holdings.order_by("-pk").first()
    if newest is None or newest.pk != change.holding_id or (newest.ended_at is None) != change.is_held:
        raise SeatNotUndone
    if change.is_held:
        newest = _end_current(seat, by=by, at=at, undone=True)
    return _start(seat, before, by=by, at=at, undone=True) if before else newest


def end_holding(*, seat: Seat, held_by: Membership, by: User | None, at: datetime) -> None:
    """For a member who leaves: frees the seat, unless this member no longer holds it once it is locked."""
    seat = lock_seat(seat)
    if _is_held_by(seat, held_by):
        _end_current(seat, by=by, at=at)


def _is_held_by(seat: Seat, member: Membership) -> bool:
    return seat.holdings.current().filter(membership=member).exists()


def _lock_member_of(seat: Seat, membership: Membership) -> Membership:
    """Locked before the seat, as everywhere; so the member cannot leave while getting a seat."""
    if membership.team_id != seat.team_id:
        raise NotFound(_("This person is not a member of the Team."), pointer="/member")
    return lock_membership(membership, pointer="/member")


def _start(
    seat: Seat, membership: Membership, *, by: User | None, at: datetime, undone: bool = False
) -> SeatHolding:
    if membership.holdings.current().exists():
        raise MemberHasSeat
    if seat.holdings.current().exists():
        raise SeatTaken
    # The locks decide; the constraints hold even against a writer that forgot to lock.
    with refused_by(
        a_seat_is_held_by_at_most_one_member=SeatTaken, a_member_holds_at_most_one_seat=MemberHasSeat
    ):
        holding = SeatHolding.objects.create(
            team_id=seat.team_id, seat=seat, membership=membership, started_at=at
        )
    audit.record(
        team=seat.team,
        by=by,
        action="seat.assigned",
        subject=membership.user.email,
        at=at,
        details=_details(seat, undone),
    )
    if not undone:  # who has it back was not told that it was gone
        mail.queue(
            kind="seat_assigned",
            to=membership.user.email,
            context={"team": seat.team.kept_name, "slug": seat.team.slug},
            dedupe_key=f"holding:{holding.pk}:given",
            at=at,
        )
    return holding


def _details(seat: Seat, undone: bool) -> audit.Details:
    return {"seat": seat.pk, "undone": True} if undone else {"seat": seat.pk}


def _end_current(
    seat: Seat, *, reason: str = "", by: User | None, at: datetime, undone: bool = False
) -> SeatHolding:
    holding = seat.holdings.current().select_related("membership__user").first()
    if holding is None:
        raise SeatNotHeld
    # Clocks of two servers may differ by a little; a holding never ends before it began.
    holding.ended_at = max(at, holding.started_at)
    holding.save(update_fields=["ended_at"])
    mail.take_back(f"holding:{holding.pk}:")
    audit.record(
        team=seat.team,
        by=by,
        action="seat.freed",
        subject=holding.membership.user.email,
        at=at,
        details={**_details(seat, undone), **audit.because(reason)},
    )
    return holding
