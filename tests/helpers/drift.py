"""Rows changed behind the back of the database's own rules, for the tests of what finds such changes."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction


def plant(sql: str, *params: int | str | datetime) -> None:
    """Change what triggers and foreign keys would not let anyone change."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, params)
        changed = cursor.rowcount
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert changed == 1
