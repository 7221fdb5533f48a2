"""The lock of a Team's Credits, the last in the order of locks (ARCHITECTURE.md)."""

from __future__ import annotations

from quota.models import CreditGrant, TeamCredits
from teams.models import Team


def lock_credits(team: Team) -> TeamCredits:
    """The Team's row of Credits, made if it has none, and locked. Whoever changes a lot has locked it
    first, as a call that Credits pay for has: so two that add up the Team's lots do so one after the other.
    """
    TeamCredits.objects.bulk_create([TeamCredits(team=team)], ignore_conflicts=True)
    return TeamCredits.objects.select_for_update(no_key=True).get(team=team)


def lock_lot(lot: CreditGrant) -> CreditGrant:
    """The lot with its Team, as it is once the Team's Credits are locked."""
    lock_credits(lot.team)
    return CreditGrant.objects.select_related("team").get(pk=lot.pk)
