"""What a decision reads does not grow with what a seat has used before."""

from __future__ import annotations

import pytest
from django.db import connection

from quota.hot_path.state import seat_usage
from tests.helpers.factories import T0, make_scene

pytestmark = pytest.mark.django_db


def buckets_read() -> int:
    """Rows of buckets that this transaction has fetched so far, by whatever plan."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables "
            "WHERE relname = 'quota_usagebucket'"
        )
        (read,) = cursor.fetchone()
        return int(read)


def fill(seat: int, buckets: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO quota_usagebucket (seat_id, rule, starts_at, used_nanousd) "
            "SELECT %s, 'rolling/18000', date_bin('5 min', %s, 'epoch') - n * interval '5 min', 1 "
            "FROM generate_series(0, %s) AS n",
            [seat, T0, buckets - 1],
        )


def test_a_seat_with_months_of_usage_is_decided_by_sixty_buckets_and_the_week() -> None:
    # Seats of different pasts make the planner misjudge each of them.
    scenes = [make_scene() for _ in range(3)]
    for scene, buckets in zip(scenes, (300, 3000, 30_000), strict=True):
        fill(scene.seat.pk, buckets)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE quota_usagebucket")
    for scene in scenes:
        before = buckets_read()
        facts = seat_facts(scene.seat.pk, T0)
        assert len(facts.buckets["rolling/18000"]) == 60
        assert buckets_read() - before == 60
