"""What a decision reads: all that the database answers, and no more of it the more a seat was used before."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from django.db import connection, transaction

from quota.hot_path.state import CallState, ReservationState, seat_usage
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


@pytest.mark.django_db(transaction=True)  # what ANALYZE notes of a table is not rolled back
@transaction.atomic
def test_a_seat_with_months_of_usage_is_decided_by_sixty_buckets_and_the_week() -> None:
    # Seats of different pasts make the planner misjudge each of them.
    scenes = [make_scene() for _ in range(3)]
    for scene, buckets in zip(scenes, (300, 3000, 30_000), strict=True):
        fill(scene.seat.pk, buckets)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE quota_usagebucket")
    for scene in scenes:
        before = buckets_read()
        usage = seat_usage(scene.seat.pk, T0)
        assert len(usage.buckets["rolling/18000"]) == 60
        assert buckets_read() - before == 60


@pytest.mark.parametrize(
    ("state", "function"),
    [
        (CallState, "quota_call_state('', NULL, now(), now(), false)"),
        (CallState, "quota_api_call_state('', NULL, now(), now(), false)"),
        (ReservationState, "quota_reservation_state(gen_random_uuid(), now())"),
    ],
)
def test_each_state_has_the_columns_of_its_database_function(state: Any, function: str) -> None:
    names = [field.name for field in fields(state)]
    if function.startswith("quota_call_state"):
        names.remove("api_key_id")  # a Subscription Key has none
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {function} LIMIT 0")
        assert [column.name for column in cursor.description] == names


def test_a_call_and_its_settlement_may_not_run_or_sit_still_for_long() -> None:
    scene = make_scene()
    asked = scene.desk.ask(1)
    for decide in (lambda: scene.desk.ask(1), lambda: scene.desk.settle(asked, 1)):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
            )
            decide()
            found = []
            for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute(f"SHOW {name}")
                found += cursor.fetchone()
        assert found == ["30s", "1min"]
