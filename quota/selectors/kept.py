"""Which single calls are still there (`RETENTION_MONTHS`), and which entries of the ledger
(`LEDGER_RETENTION_MONTHS`). Sums of all of them are, whatever was dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quota.ids import moment_of
from quota.models import Account, ClosingBalance, KeptCalls
from teams.models import Team


def calls_kept_since() -> datetime | None:
    """Calls that were recorded before this moment (UTC) have been dropped; None where none have."""
    return _moment("events_from")


def ledger_kept_since() -> datetime | None:
    """Entries of before this moment (UTC) have been dropped; None where none have."""
    return _moment("ledger_from")


def _moment(which: str) -> datetime | None:
    first: UUID | None = KeptCalls.objects.values_list(which, flat=True).first()
    return moment_of(first) if first and first.int else None


@dataclass(frozen=True, slots=True)
class Opening:
    """From when on a Team's entries of an account are kept (UTC), and what its lots held then: nano-dollars,
    frozen lots and those that had expired and were not closed yet among them.
    """

    at: datetime
    nanousd: int


def opening_of(team: Team, account: Account) -> Opening | None:
    """None where no entry of this account of the Team has been dropped."""
    since = ledger_kept_since()
    closed = ClosingBalance.objects.for_team(team).of_account(account)
    if since is None or not closed.exists():
        return None
    return Opening(since, closed.balance())
