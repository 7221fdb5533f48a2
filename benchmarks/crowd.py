"""Makes a Team as large as it is told: members, each with a seat that is paid for, what the audit log says of
them, and as many rows of every other list.

`Scratch.run` starts it: `-m benchmarks.crowd SLUG NUMBER`.
"""

# ruff: noqa: E402

from __future__ import annotations

import sys
from datetime import datetime

import django

django.setup()

from django.utils import timezone

from benchmarks.crowd_lists import fill, subscribe
from benchmarks.furnish import MUCH_NANOUSD, SINCE, TEN_YEARS, WITH_ROOM, WITHOUT_ROOM
from quota.models import Plan
from quota.services.credits import grant_credits
from teams.models import Team
from tokenplan.kit.transactions import one_transaction
from tokenplan.runtime.demo.crowd import add_crowd, seat_crowd


def crowd(team: Team, number: int, at: datetime) -> None:
    """So many members more, by the services that the product has for many."""
    owner = team.memberships.get()
    people = {f"crowd-{place}@benchmark.example": f"Person {place}" for place in range(number)}
    members = add_crowd(team, people, password="!", by=owner.user, at=at)
    before = set(team.seats.values_list("pk", flat=True))
    subscribe(team, Plan.objects.current(WITH_ROOM), number, at)
    seats = list(team.seats.exclude(pk__in=before).order_by("pk"))
    # While they hold nothing: so they may ask for any seat.
    fill(owner, members, WITHOUT_ROOM, timezone.now())
    seat_crowd(members, seats, by=owner.user, at=at)
    grant_credits(
        team=team, nanousd=MUCH_NANOUSD, source="benchmark", at=at, by=None, expires_at=at + TEN_YEARS
    )


if __name__ == "__main__":
    with one_transaction(statement_timeout_ms=600_000):
        crowd(Team.objects.get(slug=sys.argv[1]), int(sys.argv[2]), timezone.now() - SINCE)
