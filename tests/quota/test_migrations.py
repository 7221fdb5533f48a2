"""Migrations can be taken back."""

from importlib import import_module

import pytest
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from quota.models import UsageBucket
from tests.helpers.factories import FIVE_HOURS, T0, Scene

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
    The four of partitions stay: tables that were parted go forward alone.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        assert left(cursor) == (26, 1)
        cursor.execute(import_module("quota.migrations.0035_the_clock_after_the_locks_of_reports").BACK)
        assert left(cursor) == (26, 1)
        cursor.execute(import_module("quota.migrations.0034_buckets_count_from").BACK)
        assert left(cursor) == (25, 1)
        cursor.execute(import_module("quota.migrations.0020_usage_around_a_moment").DROP)
        assert left(cursor) == (22, 1)
        cursor.execute(import_module("quota.migrations.0019_many_at_once").DROP)
        assert left(cursor) == (15, 1)
        cursor.execute(import_module("quota.migrations.0015_usage_bars").DROP)
        assert left(cursor) == (14, 1)
        cursor.execute(import_module("quota.migrations.0014_gathering").DROP)
        assert left(cursor) == (12, 1)
        cursor.execute(import_module("quota.migrations.0006_pay_as_you_go").DROP)
        assert left(cursor) == (9, 1)
        cursor.execute(import_module("quota.migrations.0003_states_of_calls").DROP)
        assert left(cursor) == (4, 0)
        transaction.set_rollback(True)


def test_buckets_of_before_a_rule_counts_go_and_all_others_stay(scene: Scene) -> None:
    since = FIVE_HOURS.counts_from(T0)
    starts = [since - FIVE_HOURS.step, since, since + FIVE_HOURS.step]
    for start in starts:
        UsageBucket.objects.create(seat=scene.seat, rule=FIVE_HOURS.key, starts_at=start, used_nanousd=1)
    with connection.cursor() as cursor:
        cursor.execute(import_module("quota.migrations.0034_buckets_count_from").OLDER_BUCKETS)
    assert sorted(UsageBucket.objects.values_list("starts_at", flat=True)) == starts[1:]
