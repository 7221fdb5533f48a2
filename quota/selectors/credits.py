"""A Team's Credits and what a member may use of them, for showing. All amounts are nano-dollars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from quota.models import (
    ClosingBalance,
    CreditAccess,
    CreditGrant,
    CreditLedgerEntry,
    OwedUsage,
    TeamCredits,
)
from quota.querysets import CreditGrantQuerySet
from teams.models import Membership, Team

# Lots that a page lists; how many more there are it says.
LOTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class FirstLots:
    """Those that are drawn from first, and of the others how many there are and what is left in them."""

    shown: list[CreditGrant]
    more: int
    more_nanousd: int


@dataclass(frozen=True, slots=True)
class MemberCredits:
    """`balance` is the Team's pool, `usable` what this member could still draw now.

    `month_used` is of the calendar month in UTC, as is `month_cap`; None: no cap.
    """

    access: bool
    balance: int
    usable: int
    overflow: str  # of the member and the Team together: allow only where both allow
    month_cap: int | None
    month_used: int

    @property
    def cap_is_reached(self) -> bool:
        return self.month_cap is not None and self.month_used >= self.month_cap


def team_balance(team_id: int, at: datetime) -> int:
    """What is left in the Team's lots that can be drawn from."""
    return CreditGrant.objects.filter(team_id=team_id).credits().live(at).remaining()


def first_lots(lots: CreditGrantQuerySet, at: datetime) -> FirstLots:
    """Of these lots, those of which something is left, in the order of drawing."""
    unspent = lots.unspent(at)
    shown = list(unspent[:LOTS_SHOWN])
    left = unspent.remaining() - sum(lot.remaining_nanousd for lot in shown)
    return FirstLots(shown, unspent.count() - len(shown), left)


def team_owes(team: Team) -> int:
    """What members used without a seat and that is neither paid nor waived; the Team's next lot pays it."""
    return OwedUsage.objects.for_team(team).credits().left()


def paid_for_owed_usage(lot: CreditGrant) -> int:
    """How much of the lot was taken for owed usage when it was granted."""
    return -gain_of(lot, Q(cause=CreditLedgerEntry.OWED_USAGE))


def gain_of(lot: CreditGrant, which: Q) -> int:
    """What the lot gained, signed, by its entries of these kinds and causes: those that are kept, and those
    that were dropped with their month.
    """
    # In this order, in a transaction: while it has read entries, no month of them is dropped.
    kept = CreditLedgerEntry.objects.filter(which, grant=lot).balance()
    return kept + ClosingBalance.objects.filter(which, grant=lot).balance()


def team_credits(team_id: int) -> TeamCredits:
    """The Team's rules for its Credits, or those that hold until some are set (then not saved)."""
    return TeamCredits.objects.filter(team_id=team_id).first() or TeamCredits(team_id=team_id)


def credit_access(membership: Membership) -> CreditAccess:
    """The member's access to the Team's Credits, or the default where none is stored (then not saved)."""
    return CreditAccess.objects.of_one(membership)
