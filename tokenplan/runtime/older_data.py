"""Tells data of another version apart, before any of it is touched.

Until 1.0 migrations may be written anew; whoever does so renames at least one of each floor.
"""

from __future__ import annotations

from django.db import connection
from django.db.migrations.loader import MigrationLoader

FLOORS = ("teams", "quota", "billing")


class OlderData(Exception):
    """The database was set up by a version whose tables this version cannot carry over."""


def refuse_data_of_another_version() -> None:
    """Raises OlderData when the database has applied a migration of ours that this version does not have."""
    loader = MigrationLoader(connection)
    unknown = sorted(
        f"{app}.{name}"
        for app, name in (loader.applied_migrations or {})
        if app in FLOORS and (app, name) not in loader.disk_migrations
    )
    if unknown:
        raise OlderData(
            f"This data was made by another version of Token Plan (its tables have {unknown[0]}), and cannot"
            " be carried over. Start with an empty folder, as in: make run DATA=var/new (or, with"
            " DATABASE_URL, an empty database). Nothing was changed."
        )
