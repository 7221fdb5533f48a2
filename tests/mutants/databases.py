"""Copies of the test database, one for each process that runs at a time."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections
from pytest_django import DjangoDbBlocker

from tests.mutants.planting import functions_in_force
from tests.mutants.targets import MIGRATIONS


@dataclass
class Copy:
    """A copy. `fresh`: nobody has committed to it. `planted`: a database function in it may be another."""

    name: str
    fresh: bool = False
    planted: bool = False


class Copies:
    """Makes them of the database that pytest has made, to which nobody stays connected."""

    def __init__(self, blocker: DjangoDbBlocker) -> None:
        self.blocker = blocker
        self.original = str(connection.settings_dict["NAME"])

    def leave(self) -> None:
        """No connection is open when a process is forked: it would be shared."""
        connections.close_all()
        database: Any = connection
        database.close_pool()

    def make(self, number: int) -> Copy:
        return Copy(f"{self.original}_copy{number}")

    def renew(self, copy: Copy) -> None:
        """Make the copy again, if anything was committed to it."""
        if copy.fresh:
            return
        self.leave()
        self.drop(copy)
        self._run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", self.original)
        self._run(f'CREATE DATABASE "{copy.name}" TEMPLATE "{self.original}"')
        self._run(f"ALTER DATABASE \"{copy.name}\" SET track_functions = 'all'")
        copy.fresh, copy.planted = True, False

    def drop(self, copy: Copy) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{copy.name}" WITH (FORCE)')

    def enter(self, copy: Copy) -> None:
        """From here on this process works on the copy, whose functions are those of the migrations."""
        for settings in (connections.settings["default"], connection.settings_dict):
            settings["NAME"] = copy.name
        if copy.planted:
            with self.blocker.unblock(), connection.cursor() as cursor:
                for functions in functions_in_force(MIGRATIONS).values():
                    cursor.execute(";\n".join(functions.values()))

    def _run(self, sql: str, *values: str) -> None:
        with self.blocker.unblock(), connection._nodb_cursor() as cursor:
            cursor.execute(sql, values or None)


class FunctionsCalled:
    """A plug-in of pytest that says which database functions a test has called."""

    def __init__(self, blocker: DjangoDbBlocker) -> None:
        self.blocker = blocker
        self.names: list[str] | None = None

    def begin(self) -> None:
        """What was called until now is no longer counted."""
        self.names = None
        with self.blocker.unblock(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Asks in the test's own transaction, before it is undone. None where there is none to ask in."""
        if connection.in_atomic_block:
            with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
                cursor.execute("SELECT funcname FROM pg_stat_xact_user_functions WHERE calls > 0")
                self.names = [name for (name,) in cursor.fetchall()]
