"""Rows changed behind the back of the database's own rules, for the tests of what finds such changes."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from quota.models import CreditGrant, CreditLedgerEntry
from teams.models import Membership, Seat
from tests.helpers import citus


def plant(sql: str, *params: int | str | bytes | datetime) -> None:
    """Change what triggers and foreign keys would not let anyone change."""
    with transaction.atomic(), connection.cursor() as cursor:
        go_behind_triggers()
        cursor.execute(sql, params)
        changed = cursor.rowcount
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert changed == 1


def go_behind_triggers() -> None:
    """Until the transaction ends, or says otherwise."""
    with connection.cursor() as cursor:
        if citus.is_named():  # for its other servers, too
            cursor.execute("SET LOCAL citus.propagate_set_commands = 'local'")
        cursor.execute("SET LOCAL session_replication_role = replica")


def named(row: Seat | Membership | CreditGrant | CreditLedgerEntry) -> str:
    """What a check calls it: by what the search of support finds it, or its Team or person, by."""
    slug = row.team.slug
    match row:
        case Seat():
            return f"seat {row.number} of Team {slug}"
        case Membership():
            return f"{row.user.email} in Team {slug}, membership {row.pk}"
        case CreditGrant():
            return f"lot {row.pk} of Team {slug}"
    return f"ledger entry {row.pk} of Team {slug}"
