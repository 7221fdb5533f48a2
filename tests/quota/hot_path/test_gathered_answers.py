"""What the database functions of a batch answer, asked directly: what they get wrong, and the road for one
call would put right, is seen here alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from quota.hot_path.sql import fetch_all
from quota.ids import new_id
from quota.models import EventId
from quota.services.entitlements import suspend_seat
from quota.services.gateways import revoke_gateway
from teams.keytext import key_id_of, new_key_id
from teams.models import Seat, SeatHolding
from teams.services.keys import rotate_key
from teams.services.seats import assign_seat, free_seat
from tests.helpers import citus
from tests.helpers.factories import (
    T0,
    USD,
    Scene,
    give_credits,
    make_desk,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import database_clock
from tests.helpers.roads import hash_of

pytestmark = [pytest.mark.django_db, citus.not_on_a_cluster]
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TICK = timedelta(microseconds=1)
ROWS = "SELECT s.*, (s.usage).rules IS NOT NULL AS has_usage FROM "
CALLS = f"{ROWS} quota_gather_calls(%(keys)s, %(request_ids)s, %(credentials)s, %(at)s) s"
HOLDS = f"{ROWS} quota_gather_holds(%(ids)s::uuid[], %(draw_ids)s, %(credentials)s::text[], %(at)s) s"
GATHER_EVENTS = (
    "quota_gather_events(%(keys)s, %(moments)s, %(ids)s, interval '9 days', interval '9 days', %(at)s) s"
)
EVENTS = f"{ROWS} {GATHER_EVENTS}"


@pytest.fixture
def road() -> None:
    """Neither road: the functions themselves."""


@pytest.fixture
def scene() -> Scene:
    return make_scene()


def id_of(key: str) -> str:
    found = key_id_of(key)
    assert found
    return found


def calls(scene: Scene, *key_ids: str, at: datetime | None = T0) -> list[dict[str, Any]]:
    many = len(key_ids)
    values = {
        "request_ids": [f"r{n}" for n in range(many)],
        "credentials": [hash_of(scene.desk.gateway)] * many,
    }
    return fetch_all(CALLS, {"keys": list(key_ids), "at": at, **values})


def holds(
    scene: Scene, *ids: Any, at: datetime | None = T0, draw_id: str = "", credential: str = ""
) -> list[dict[str, Any]]:
    many = len(ids)
    shown = credential or hash_of(scene.desk.gateway)
    values = {"draw_ids": [draw_id] * many, "credentials": [shown] * many}
    return fetch_all(HOLDS, {"ids": list(ids), "at": at, **values})


def events(*reported: tuple[str, datetime], at: datetime = T0 + MINUTE) -> list[dict[str, Any]]:
    keys, moments = [key for key, _ in reported], [moment for _, moment in reported]
    ids = [f"e{n}" for n in range(len(reported))]
    return fetch_all(EVENTS, {"keys": keys, "moments": moments, "ids": ids, "at": at})


def limits_within() -> dict[str, str]:
    found = {}
    with connection.cursor() as cursor:
        for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"SHOW {name}")
            (found[name],) = cursor.fetchone()
    return found


@pytest.mark.parametrize("kind", ["calls", "holds"])
def test_a_batch_waits_a_second_for_a_lock_and_may_take_ten(scene: Scene, kind: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        assert (calls if kind == "calls" else holds)(scene) == []
        assert limits_within() == {
            "lock_timeout": "1s",
            "statement_timeout": "10s",
            "idle_in_transaction_session_timeout": "1min",
        }


def test_reports_in_bulk_may_take_ten_seconds(scene: Scene) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        assert events() == []
        assert limits_within()["statement_timeout"] == "10s"


def test_reports_in_bulk_wait_a_second_for_each_lock() -> None:
    assert events() == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT proconfig FROM pg_proc WHERE proname = 'quota_gather_events'")
        assert "lock_timeout=1s" in cursor.fetchone()[0]


def test_of_keys_that_nobody_has_there_is_nothing_but_the_number(scene: Scene) -> None:
    unknown, again = calls(scene, new_key_id(), new_key_id())
    assert (unknown["number"], again["number"]) == (1, 2)
    assert (unknown["key_id"], unknown["seated"], unknown["asked_before"]) == (None, False, False)
    assert holds(scene, "00000000-0000-7000-8000-000000000000")[0]["id"] is None
    assert events((new_key_id(), T0))[0]["key_id"] is None


def test_of_a_call_out_of_time_there_is_nothing_but_the_number(scene: Scene) -> None:
    key, tick = id_of(scene.desk.key), timedelta(microseconds=1)
    at = T0 + timedelta(days=30)
    since, until = at - timedelta(days=9), at + timedelta(days=9)
    moments = [since - tick, since, at, until, until + tick]
    rows = events(*((key, moment) for moment in moments), at=at)
    assert [row["number"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["key_id"] is not None for row in rows] == [False, True, True, True, False]
    assert [row["has_usage"] for row in rows] == [False, True, False, False, False]


def test_without_a_moment_it_is_the_clock_after_the_locks(scene: Scene) -> None:
    held = scene.desk.ask()
    before = database_clock()
    (call,), (hold,) = (
        calls(scene, id_of(scene.desk.key), at=None),
        holds(scene, held.reservation_id, at=None),
    )
    after = database_clock()
    assert before < call["at"] < hold["at"] < after


def test_whoever_gave_the_seat_back_holds_none(scene: Scene) -> None:
    key = id_of(scene.desk.key)
    assert calls(scene, key)[0]["seated"] is True
    free_seat(seat=scene.seat, at=T0, by=scene.owner.user)
    assert calls(scene, key)[0]["seated"] is False


def test_a_call_of_who_held_the_seat_before_too_or_another_one_is_one_row(scene: Scene) -> None:
    other = make_seat(scene.team, scene.plan)
    for seat in (other, scene.seat):
        move_to(scene, seat)
    (row,) = calls(scene, id_of(scene.desk.key), at=T0 + MINUTE)
    assert (row["number"], row["seat_id"]) == (1, scene.seat.pk)


def move_to(scene: Scene, seat: Seat) -> None:
    """The owner gives back the seat that is held, and gets this one."""
    held = SeatHolding.objects.get(membership=scene.owner, ended_at=None)
    free_seat(seat=held.seat, at=T0, by=scene.owner.user)
    assign_seat(seat=seat, membership=scene.owner, at=T0, by=scene.owner.user)


def test_usage_is_read_around_the_first_and_the_last_call_of_a_seat(scene: Scene) -> None:
    key, late = id_of(scene.desk.key), T0 + 6 * HOUR
    for moment in (T0, late):
        scene.desk.use(1, at=moment)
    asked = {"keys": [key] * 2, "moments": [late, T0], "ids": ["a", "b"], "at": late + MINUTE}
    one, _ = fetch_all(
        f"SELECT (s.usage).bucket_starts FROM {GATHER_EVENTS}",
        asked,
    )
    rolling = [start for start in one["bucket_starts"] if start > T0 - HOUR]
    assert [min(rolling), max(rolling)] == [T0.replace(minute=0), late.replace(minute=0)]


def test_usage_of_a_seat_comes_once_with_the_first_call_of_it(scene: Scene) -> None:
    key = id_of(scene.desk.key)
    other = rotate_key(membership=scene.owner, overlap=MINUTE, at=T0, by=scene.owner.user).key_id
    rows = calls(scene, key, other, key)
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert [row["has_usage"] for row in rows] == [True, False, False]
    assert {row["seat_id"] for row in rows} == {scene.seat.pk}
    assert rows[0]["key_id"] == rows[2]["key_id"] != rows[1]["key_id"]
    held = [scene.desk.ask().reservation_id for _ in range(2)]
    assert [row["has_usage"] for row in holds(scene, *held)] == [True, False]
    assert [row["has_usage"] for row in events((key, T0), (key, T0))] == [True, False]


def test_a_gateway_that_is_revoked_is_none(scene: Scene) -> None:
    key, held = id_of(scene.desk.key), scene.desk.ask().reservation_id
    assert calls(scene, key)[0]["gateway_id"] == scene.desk.gateway.pk
    assert holds(scene, held)[0]["by_gateway_id"] == scene.desk.gateway.pk
    revoke_gateway(gateway=scene.desk.gateway, at=T0, by=None)
    assert calls(scene, key)[0]["gateway_id"] is None
    assert holds(scene, held)[0]["by_gateway_id"] is None


def test_a_hold_that_is_closed_is_neither_open_nor_locked(scene: Scene) -> None:
    open_one, closed = scene.desk.ask(), scene.desk.ask()
    scene.desk.settle(closed, 1)
    row, other = holds(scene, open_one.reservation_id, closed.reservation_id)
    assert (row["id"], row["is_open"]) == (open_one.reservation_id, True)
    assert (other["id"], other["is_open"], other["has_usage"]) == (None, False, False)


def test_holds_and_seats_that_lie_between_are_not_locked(scene: Scene) -> None:
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    first, between, last = scene.desk.ask(), make_desk(member).ask(), scene.desk.ask()
    before = locked()
    holds(scene, first.reservation_id, last.reservation_id)
    assert locked() - before == {str(first.reservation_id), str(last.reservation_id)}
    assert str(between.reservation_id) not in locked()


def locked() -> set[str]:
    """The holds that this transaction has locked and not written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM quota_reservation"
            " WHERE state = 'held' AND xmax::text = pg_current_xact_id()::text"
        )
        return {str(id) for (id,) in cursor.fetchall()}


def test_of_a_call_while_the_seat_was_suspended_no_usage_is_read(scene: Scene) -> None:
    key = id_of(scene.desk.key)
    suspend_seat(seat=scene.seat, at=T0 + MINUTE, by=None)
    before, after = events((key, T0), (key, T0 + MINUTE))
    assert (before["seat_id"], before["has_usage"]) == (scene.seat.pk, True)
    assert (after["seat_id"], after["has_usage"]) == (None, False)


def test_a_draw_with_a_credential_of_nobody_has_no_gateway(scene: Scene) -> None:
    (row,) = holds(scene, held := scene.desk.ask().reservation_id, credential="0" * 64)
    assert (row["id"], row["by_gateway_id"]) == (held, None)


def test_a_hold_without_a_seat_is_for_the_other_road(scene: Scene) -> None:
    give_credits(scene.team, USD)
    without = make_desk(make_member(scene.team, credits=True))
    (row,) = holds(scene, without.ask().reservation_id)
    assert (row["id"], row["is_open"]) == (None, False)


def test_what_a_draw_reported_is_found_by_its_hold_and_its_id(scene: Scene) -> None:
    lease, other = scene.desk.lease(USD), scene.desk.lease(USD)
    drawn = scene.desk.draw(lease, 1, draw_id="d")
    of_both = holds(scene, lease.reservation_id, other.reservation_id, draw_id="d")
    assert [row["drawn_hash"] for row in of_both] == [drawn.event.usage_hash, None]
    assert holds(scene, lease.reservation_id, draw_id="e")[0]["drawn_hash"] is None


def test_an_id_of_an_event_is_its_teams_and_is_known_for_longer_than_the_event(scene: Scene) -> None:
    key, other = id_of(scene.desk.key), make_scene()
    EventId.objects.create(team=other.team, external_id="e0", event_id=new_id())
    assert events((key, T0))[0]["recorded_hash"] is None
    EventId.objects.create(team=scene.team, external_id="e0", event_id=new_id())
    assert events((key, T0))[0]["recorded_hash"] == UUID(int=0)


def test_a_reported_call_is_of_the_seat_that_was_held_then(scene: Scene) -> None:
    key = id_of(scene.desk.key)
    free_seat(seat=scene.seat, at=T0 + MINUTE, by=scene.owner.user)
    then, now = events((key, T0), (key, T0 + MINUTE))
    assert (then["key_id"] is not None, then["seat_id"]) == (True, scene.seat.pk)
    assert now["seat_id"] is None


@pytest.mark.parametrize("kind", ["calls", "events"])
def test_a_seat_that_changes_hands_between_the_lock_and_the_reading_is_for_the_other_road(
    scene: Scene, kind: str
) -> None:
    """As by a commit between a statement's snapshot and its locks: here by the reading itself."""
    other = make_seat(scene.team, scene.plan)
    key = id_of(scene.desk.key)

    def ask() -> dict[str, Any]:
        return calls(scene, key)[0] if kind == "calls" else events((key, T0))[0]

    assert ask()["key_id"] is not None
    move_at_each_reading(before=scene.seat, after=other)
    assert ask()["key_id"] is None


def move_at_each_reading(*, before: Seat, after: Seat) -> None:
    """From here on the holder of the one seat has the other one whenever the states of keys are read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('quota_call_states'::regproc)")
        head, _, _ = cursor.fetchone()[0].partition("BEGIN")
        cursor.execute("ALTER FUNCTION quota_call_states RENAME TO quota_call_states_then")
        cursor.execute(
            f"""{head} BEGIN
            UPDATE teams_seatholding SET seat_id = {after.pk} WHERE seat_id = {before.pk};
            RETURN QUERY SELECT * FROM quota_call_states_then(p_key_public_ids, p_moments, p_before, p_at);
            END $function$"""
        )


@pytest.mark.parametrize(
    ("model", "expires", "last"),
    [
        ("penny", T0 + MINUTE + TICK, "infinity"),
        ("", T0 + MINUTE + TICK, "infinity"),
        ("penny", T0 + MINUTE, T0),
        ("", T0 + MINUTE, T0 + MINUTE),
    ],
)
def test_the_last_moment_of_a_hold_is_its_own_or_a_leases_end_and_open_while_it_is(
    model: str, expires: datetime, last: datetime | str
) -> None:
    with connection.cursor() as cursor:
        asked: list[Any] = [model, T0, expires, T0 + MINUTE, last]
        cursor.execute("SELECT quota_last_moment(%s, %s, %s, %s) = %s::timestamptz", asked)
        assert cursor.fetchone() == (True,)
