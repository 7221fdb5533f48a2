"""Who may have to be sent a notice. It reads buckets and lots, never events, so it can be asked often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from quota.models import Account, ClosingBalance, CreditGrant, CreditLedgerEntry, TeamCredits
from quota.selectors.asked_of_one_team import left_in_lots
from teams.models import Membership, Team


@dataclass(frozen=True, slots=True)
class HeldSeat:
    """A seat at work and its holder; `due_at` says when it was to be looked at, None where it never was."""

    seat_id: int
    membership: Membership
    due_at: datetime | None = None


def crowded_seats(at: datetime, percent: int) -> Iterator[HeldSeat]:
    """Seats at work in which a window may have reached `percent`, with their holders.

    It counts every bucket that began within a window's length, so it misses no seat and may name some whose
    windows have not reached it.
    """
    return _held(_CROWDED.format(watched=""), at, percent)


def seats_due(at: datetime, percent: int) -> Iterator[HeldSeat]:
    """Those of `crowded_seats` of which something may be due: they were used since they were looked at, or
    have another holder or plan, or their moment has come.
    """
    return _held(_CROWDED.format(watched=_WATCHED), at, percent)


def _held(sql: str, at: datetime, percent: int) -> Iterator[HeldSeat]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"at": at, "percent": percent})
        found = cursor.fetchall()
    members = Membership.objects.select_related("user", "team").in_bulk(
        [membership_id for _, membership_id, _ in found]
    )
    for seat_id, membership_id, due_at in found:
        yield HeldSeat(seat_id, members[membership_id], due_at)


_WATCHED = """
    AND w.seat_id IS NOT NULL
    AND (w.due_at <= %(at)s OR (w.membership_id, w.plan_id) IS DISTINCT FROM (h.membership_id, e.plan_id))
"""

_CROWDED = """
SELECT DISTINCT e.seat_id, h.membership_id, w.due_at
FROM quota_entitlement e
JOIN quota_planlimit l ON l.plan_id = e.plan_id AND l.limit_nanousd > 0
JOIN teams_seatholding h ON h.seat_id = e.seat_id AND h.ended_at IS NULL
JOIN teams_team t ON t.id = h.team_id AND t.deleted_at IS NULL
LEFT JOIN quota_crowdedseat w ON w.seat_id = e.seat_id
WHERE e.starts_at <= %(at)s AND (e.ends_at IS NULL OR e.ends_at > %(at)s)
    AND (e.superseded_at IS NULL OR e.superseded_at > %(at)s)
    AND (e.suspended_at IS NULL OR e.suspended_at > %(at)s)
    {watched}
    AND l.limit_nanousd::numeric * %(percent)s <= 100 * quota_used_in_buckets(
        e.team_id, e.seat_id, l.rule_key, %(at)s - make_interval(secs => l.length_seconds), 'infinity'
    )
ORDER BY e.seat_id, h.membership_id
"""


@dataclass(frozen=True, slots=True)
class LowPool:
    """A Team's Credits, or API balance, below what its Owner wants to be warned at. Nano-dollars."""

    account: Account
    team: Team
    balance: int
    threshold: int


def low_pools(at: datetime) -> Iterator[LowPool]:
    """Teams that have, or had, lots of an account, and whose balance in it is low."""
    for account, field in LIMITS.items():
        yield from _low_in(account, field, at)


# The field of a Team's rules that says when to warn.
LIMITS = {Account.CREDITS: "low_balance_nanousd", Account.BALANCE: "low_api_balance_nanousd"}


def _low_in(account: Account, field: str, at: datetime) -> Iterator[LowPool]:
    lots = CreditGrant.objects.of_account(account)
    balance = left_in_lots("pk", account, at)
    usual: int = getattr(TeamCredits(), field)
    pools = (
        Team.objects.live()
        .filter(pk__in=lots.values("team"))
        .annotate(balance=balance, threshold=Coalesce(f"credits__{field}", usual))
        .filter(balance__lt=F("threshold"))
        .order_by("pk")
    )
    if account is Account.BALANCE:
        pools = pools.exclude(credits__warns_of_balance=False)
    found = list(pools.values_list("pk", "balance", "threshold"))
    teams = Team.objects.in_bulk([pk for pk, _, _ in found])
    for pk, balance, threshold in found:
        yield LowPool(account, teams[pk], balance, threshold)


def last_refill(pool: LowPool, since: datetime | None) -> int | None:
    """The newest ledger entry, after `since`, that brought the pool to its threshold or above it."""
    entries = CreditLedgerEntry.objects.for_team(pool.team).of_account(pool.account)
    balance = entries.balance()
    balance += ClosingBalance.objects.for_team(pool.team).of_account(pool.account).balance()
    for entry in gains(pool, since):
        after = balance - entries.filter(pk__gt=entry.pk).balance()
        if after >= pool.threshold:
            return entry.pk
    return None


def gains(pool: LowPool, since: datetime | None) -> QuerySet[CreditLedgerEntry]:
    """What added to the pool after `since`, newest first."""
    entries = CreditLedgerEntry.objects.for_team(pool.team).of_account(pool.account)
    found = entries.filter(amount_nanousd__gt=0).order_by("-pk")
    return found.filter(at__gt=since) if since else found
