"""Migrations can be taken back, and fill what they add from the rows that there are."""

from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from quota.models import ApiKeyMonth, CreditMonth, UsageBucket
from quota.stored_windows import kept_of
from quota.windows import Limit, QuotaWindow, Release
from tests.helpers import citus
from tests.helpers.factories import FIVE_HOURS, T0, Scene, make_api_key, make_scene

pytestmark = pytest.mark.django_db
not_taken_back = pytest.mark.skipif(
    citus.is_named(), reason="What is shared out has other functions and keys, and is not taken back."
)


def left(cursor: CursorWrapper) -> tuple[int, int]:
    """How many functions and how many types there are for the hot path."""
    cursor.execute(
        "SELECT count(*) FROM pg_proc WHERE proname LIKE 'quota%%' AND prorettype <> 'trigger'::regtype", []
    )
    (functions,) = cursor.fetchone()
    cursor.execute("SELECT count(*) FROM pg_type WHERE typname ~ '^quota_.*usage_row$'")
    (types,) = cursor.fetchone()
    return functions, types


@not_taken_back
def test_the_functions_of_the_hot_path_can_be_taken_back() -> None:
    """A migration names what it drops by the arguments; a changed argument must not be forgotten there.
    Those of partitions, and the three of one Team each, stay: tables that were parted go forward alone.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        assert left(cursor) == (45, 1)
        names = import_module("quota.migrations.0041_credits_of_many_calls")
        cursor.execute(names.DROP + names.BEFORE)
        assert left(cursor) == (41, 1)
        cursor.execute(import_module("quota.migrations.0040_bars_of_many_teams").BACK)
        assert left(cursor) == (41, 1)
        cursor.execute(import_module("quota.migrations.0037_the_ledger_by_month").DROP)
        assert left(cursor) == (40, 1)
        cursor.execute(import_module("quota.migrations.0036_the_clock_after_the_locks_of_reports").BACK)
        assert left(cursor) == (40, 1)
        cursor.execute(import_module("quota.migrations.0035_buckets_count_from").BACK)
        assert left(cursor) == (39, 1)
        cursor.execute(import_module("quota.migrations.0034_asked_of_one_team").DROP)
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


@not_taken_back
def test_rows_of_before_are_given_their_team_and_keep_what_they_say() -> None:
    names = import_module("quota.migrations.0032_rows_name_their_team")
    for scene in (make_scene(), make_scene()):
        scene.desk.use(3)
        month = {"team": scene.team, "month": T0.date().replace(day=1)}
        CreditMonth.objects.create(**month, membership=scene.owner, used_nanousd=scene.team.pk)
        ApiKeyMonth.objects.create(**month, api_key=make_api_key(scene.owner), used_nanousd=scene.team.pk)
    before = rows_of_teams()
    assert [len(rows) for rows in before] == [4, 2, 2]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(names.TABLES_BACK)
        cursor.execute(names.TABLES)
    assert rows_of_teams() == before


@not_taken_back
def test_windows_of_before_are_packed_like_those_of_now() -> None:
    release = Release(T0 + timedelta(microseconds=1), 7)
    before = QuotaWindow(Limit("5h", FIVE_HOURS, 1), 10**15, 64, T0, T0 + timedelta(hours=5), release)
    after = replace(before, used=0, held=63, next_release=None)
    names = import_module("quota.migrations.0044_packed_windows")
    first = int(T0.timestamp()) * 1_000_000
    of_before = [10**15, 64, first + 5 * 3_600_000_000, first + 1, 7]
    of_after = [0, 63, first + 5 * 3_600_000_000, None, None]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(names.CONVERT[: names.CONVERT.index("ALTER TABLE")])
        cursor.execute("SELECT quota_windows_packed(%s::bigint[], %s::bigint[])", [of_before, of_after])
        assert cursor.fetchone() == (kept_of([before], [after]),)
        cursor.execute(
            "SELECT quota_windows_packed(%s::bigint[], '{}'), quota_windows_packed('{}', '{}')", [of_after]
        )
        assert cursor.fetchone() == (kept_of([after]), b"")
        transaction.set_rollback(True)


def rows_of_teams() -> list[list[Any]]:
    return [list(model.objects.order_by("pk").values()) for model in (UsageBucket, CreditMonth, ApiKeyMonth)]


def test_buckets_of_before_a_rule_counts_go_and_all_others_stay(scene: Scene) -> None:
    since = FIVE_HOURS.counts_from(T0)
    starts = [since - FIVE_HOURS.step, since, since + FIVE_HOURS.step]
    for start in starts:
        UsageBucket.objects.create(
            team=scene.team, seat=scene.seat, rule=FIVE_HOURS.key, starts_at=start, used_nanousd=1
        )
    with connection.cursor() as cursor:
        cursor.execute(import_module("quota.migrations.0035_buckets_count_from").OLDER_BUCKETS)
    assert sorted(UsageBucket.objects.values_list("starts_at", flat=True)) == starts[1:]
