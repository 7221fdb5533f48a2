"""Rows as they are now, locked until the transaction ends.

Everywhere in this order, each kind by primary key: Team, invitation, reservation, key, membership, seat,
lots of Credits. Locks are FOR NO KEY UPDATE, so a row that only refers to a locked one never waits.
"""

from __future__ import annotations

from collections.abc import Iterable

from teams.models import Membership, Seat, Team
from tokenplan.kit.errors import NotFound


def lock_team(team: Team) -> Team:
    """NotFound once it is deleted."""
    locked = Team.objects.live().select_for_update(no_key=True).filter(pk=team.pk).first()
    if locked is None:
        raise NotFound("This Team does not exist.")
    return locked


def lock_kept_team(team: Team) -> Team:
    """Also one that was deleted: its rows are kept, and what it paid is accounted for."""
    return Team.objects.select_for_update(no_key=True).get(pk=team.pk)


def lock_membership(membership: Membership, *, pointer: str | None = None) -> Membership:
    """With Team and user; NotFound once it ended."""
    locked = (
        Membership.objects.live()
        .select_related("team", "user")
        .select_for_update(no_key=True, of=("self",))
        .filter(pk=membership.pk)
        .first()
    )
    if locked is None:
        raise NotFound("This person is not a member of the Team.", pointer=pointer)
    return locked


def lock_seat(seat: Seat) -> Seat:
    """With its Team; NotFound once removed."""
    return lock_seats([seat])[seat.pk]


def lock_seats(seats: Iterable[Seat]) -> dict[int, Seat]:
    """Likewise, many by their ids."""
    wanted = {seat.pk for seat in seats}
    rows = Seat.objects.live().select_related("team").select_for_update(no_key=True, of=("self",))
    locked = {row.pk: row for row in rows.filter(pk__in=wanted).order_by("pk")}
    if len(locked) < len(wanted):
        raise NotFound("This seat does not exist.")
    return locked
