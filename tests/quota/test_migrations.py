"""Migrations can be taken back."""

from importlib import import_module

import pytest
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

pytestmark = pytest.mark.django_db


def left(cursor: CursorWrapper) -> tuple[int, int]:
    """How many functions and how many types there are for the hot path."""
    cursor.execute(
        "SELECT count(*) FROM pg_proc WHERE proname LIKE 'quota%%' AND prorettype <> 'trigger'::regtype", []
    )
    (functions,) = cursor.fetchone()
    cursor.execute("SELECT count(*) FROM pg_type WHERE typname ~ '^quota_.*usage_row$'")
    (types,) = cursor.fetchone()
    return functions, types


def test_the_functions_of_the_hot_path_can_be_taken_back() -> None:
    """A migration names what it drops by the arguments; a changed argument must not be forgotten there.
    Those of partitions, and the three of one Team each, stay: tables that were parted go forward alone.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        assert left(cursor) == (31, 1)
        names = import_module("quota.migrations.0032_rows_name_their_team")
        cursor.execute(names.DROP + names.BEFORE)
        assert left(cursor) == (28, 1)
        cursor.execute(import_module("quota.migrations.0020_usage_around_a_moment").DROP)
        assert left(cursor) == (25, 1)
        cursor.execute(import_module("quota.migrations.0019_many_at_once").DROP)
        assert left(cursor) == (18, 1)
        cursor.execute(import_module("quota.migrations.0015_usage_bars").DROP)
        assert left(cursor) == (17, 1)
        cursor.execute(import_module("quota.migrations.0014_gathering").DROP)
        assert left(cursor) == (15, 1)
        cursor.execute(import_module("quota.migrations.0006_pay_as_you_go").DROP)
        assert left(cursor) == (12, 1)
        cursor.execute(import_module("quota.migrations.0003_states_of_calls").DROP)
        assert left(cursor) == (7, 0)
        transaction.set_rollback(True)
