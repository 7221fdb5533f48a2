"""All seats of a Team, as tests look at them."""

from __future__ import annotations

from datetime import datetime

from quota.selectors.seats import SeatState, states_of
from teams.models import Seat, Team


def seats_of(team: Team, at: datetime) -> list[SeatState]:
    """The oldest first."""
    return states_of(Seat.objects.for_team(team).live().order_by("pk"), at)
