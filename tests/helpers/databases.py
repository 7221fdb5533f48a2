"""The test database: copied from one that was migrated once, and emptied after a test that commits."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test import TransactionTestCase

from quota.servers import TABLES
from tests.helpers import citus
from tokenplan.runtime import folders

# Rows of these come with the migrations, and no test changes them.
MIGRATED = ("django_migrations", "django_content_type", "auth_permission")
# Every table that has rows, without its triggers: no foreign key and no append-only table stands in the way.
# TRUNCATE would write every table and index anew, which takes ten times as long.
EMPTY = f"""
DO $$
DECLARE name text;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT quote_ident(tablename) FROM pg_tables
    WHERE schemaname = 'public' AND tablename NOT IN {MIGRATED} AND NOT tablename ~ '{{apart}}'
  LOOP
    EXECUTE 'DELETE FROM ' || name;
  END LOOP;
END $$
"""
TEMPLATE = "test_template_"


def empty_tables_quickly() -> None:
    """From here on the tables are emptied by DELETE after a test that commits, and that of the cache too,
    which has the rate limits of sign-in. Where DATABASE_URL names a role that may not, as Django does.
    """
    flush: Callable[[TransactionTestCase], None] = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def empty(case: TransactionTestCase) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('is_superuser')::boolean")
            if cursor.fetchone() == (True,):
                if citus.is_named():
                    citus.empty()
                # What is empty needs no statement, on none of a cluster's servers.
                apart = f"^({'|'.join(TABLES)})" if citus.is_named() else "^$"
                cursor.execute(EMPTY.format(apart=apart))
                return
        flush(case)
        cache.clear()

    TransactionTestCase._fixture_teardown = empty  # type: ignore[attr-defined]


def migrated_template() -> str:
    """The name of a database to copy, which all migrations have been applied to: made when a migration or a
    locked package is another than before, or a limit of time. Of several test processes one makes it, and the
    others wait.
    """
    name = TEMPLATE + _version()
    with (settings.DATA / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if name not in _templates():
            for older in _templates():
                _run(f'DROP DATABASE "{older}" WITH (FORCE)')
            _make(name)
    return name


def copy_role_settings(template: str) -> None:
    """What migrations set for a role in this database alone: PostgreSQL does not copy it with the tables."""
    for (statement,) in _run(
        "SELECT format('ALTER ROLE %I IN DATABASE %I SET %s = %L', rolname,"
        f" '{connection.settings_dict['NAME']}', split_part(one, '=', 1), split_part(one, '=', 2))"
        " FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole"
        " JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS one"
        f" WHERE datname = '{template}'"
    ):
        _run(statement)
    _connect_anew()


def wait_for_no_disk() -> None:
    """Where DATABASE_URL names a server that waits for its disk, the test database does not."""
    _run(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET synchronous_commit = off')
    _connect_anew()


@contextmanager
def database_function_without(name: str, clause: str, *, times: int = 1) -> Iterator[None]:
    """As if the function did not have the clause, which it has so many times, for every connection; in a test
    that commits.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [name])
        (made,) = cursor.fetchone()
        assert made.count(clause) == times
        cursor.execute(made.replace(clause, ""))
        try:
            yield
        finally:
            cursor.execute(made)


def _connect_anew() -> None:
    """A connection has the settings of the moment it was made."""
    database: Any = connection
    database.close()
    database.close_pool()


def _version() -> str:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    modules = {loader.migrations_module(label)[0] for label in ("teams", "quota", "billing")}
    paths = [folders.ROOT / "requirements.lock", folders.ROOT / "tokenplan/kit/transactions.py"]
    for module in sorted(str(module) for module in modules):
        paths += sorted((folders.ROOT / module.replace(".", "/")).glob("*.py"))
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _make(name: str) -> None:
    """Under another name until it is whole: a run that is stopped leaves nothing half-made behind."""
    database: Any = connection
    product, test = database.settings_dict["NAME"], database.settings_dict["TEST"]["NAME"]
    unfinished = f"unfinished_{name}"
    database.settings_dict["TEST"]["NAME"] = unfinished
    try:
        database.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    finally:
        _connect_anew()
        database.settings_dict["TEST"]["NAME"] = test
        database.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = product
    _run(f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"')


def _templates() -> list[str]:
    return [name for (name,) in _run("SELECT datname FROM pg_database") if name.startswith(TEMPLATE)]


def _run(sql: str) -> list[tuple[Any, ...]]:
    database: Any = connection
    with database._nodb_cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []
