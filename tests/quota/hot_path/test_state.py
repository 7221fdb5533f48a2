"""What a decision reads: all that the database answers, and no more of it the more a seat was used before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import given

from quota.errors import ReservationUnknown
from quota.hot_path.accounts import Payer, usable_credits, usable_in_account
from quota.hot_path.state import (
    NO_SEAT,
    CallState,
    LiveHold,
    ReservationState,
    SeatUsage,
    _columns,
    key_of_handle,
    key_of_text,
    locked_call_state,
    locked_reservation_state,
    seat_usage,
    seat_usages,
    take_usage,
)
from quota.models import Reservation
from quota.windows import Bucket, Hold, Rule
from teams.errors import KeyInvalid
from teams.keytext import API_KEY, key_text
from teams.services.keys import reveal_key
from tests.helpers import citus
from tests.helpers.factories import FIVE_HOURS, T0, USD, give_credits, limits, make_api_key, make_scene
from tests.helpers.hot_path import MINUTE
from tests.helpers.rows_read import read_by
from tests.quota.test_windows_properties import moments, rules

pytestmark = pytest.mark.django_db


def fill(seat: int, buckets: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO quota_usagebucket (team_id, seat_id, rule, starts_at, used_nanousd) "
            "SELECT team_id, id, 'rolling/18000', date_bin('5 min', %s, 'epoch') - n * interval '5 min', 1 "
            "FROM teams_seat, generate_series(0, %s) AS n WHERE id = %s",
            [T0, buckets - 1, seat],
        )


@pytest.mark.skipif(citus.is_named(), reason="Rows are counted by the server that reads them.")
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
        assert len(seat_usage(scene.seat.pk, T0).buckets["rolling/18000"]) == 60
        assert read_by(partial(seat_usage, scene.seat.pk, T0))["quota_usagebucket"] == 60


@given(rule=rules, begins_at=moments)
def test_the_database_and_the_pure_rule_agree_from_where_on_buckets_count(
    rule: Rule, begins_at: datetime
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quota_counts_from(%s, %s)", [rule.key, begins_at])
        assert cursor.fetchone() == (rule.counts_from(begins_at),)


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


@pytest.mark.parametrize(
    ("state", "first"), [(CallState, "s.at, s.key_id, "), (ReservationState, "s.at, s.id, ")]
)
def test_a_state_is_read_by_its_fields_and_its_usage_by_the_columns_of_that(state: Any, first: str) -> None:
    columns = _columns(state).split(", ")
    assert ", ".join(columns).startswith(first)
    assert columns == [*(f"s.{field.name}" for field in fields(state)[:-1]), "(s.usage).*"]


def test_arrays_of_different_lengths_are_no_rows() -> None:
    assert take_usage([None] * 12) == SeatUsage((), {}, ())
    with pytest.raises(ValueError, match="shorter"):
        take_usage([None, ["fixed/3600@0"], [], [], *[None] * 7])
    with pytest.raises(ValueError, match="shorter"):
        take_usage([None, None, None, None, [UUID(int=1)], *[None] * 6])


def test_usage_in_a_bucket_that_there_is_already_adds_to_it() -> None:
    usage = SeatUsage((FIVE_HOURS,), {FIVE_HOURS.key: [Bucket(T0, 5), Bucket(T0 + MINUTE, 1)]}, ())
    more = usage.with_usage({FIVE_HOURS.key: T0, "other": T0}, 4)
    assert more.buckets == {
        FIVE_HOURS.key: [Bucket(T0, 9), Bucket(T0 + MINUTE, 1)],
        "other": [Bucket(T0, 4)],
    }
    (five_hours,) = more.windows(limits()[:1], T0)
    assert five_hours.next_release is not None
    assert five_hours.next_release.nanousd == 9


def test_a_hold_that_is_not_written_yet_is_shown_beside_those_that_are() -> None:
    one = LiveHold(UUID(int=1), Hold(T0, 3), "writer", T0)
    usage = SeatUsage((FIVE_HOURS,), {FIVE_HOURS.key: [Bucket(T0, 5)]}, (one,))
    (five_hours, week) = usage.windows(limits(), T0, Hold(T0, 4))
    assert (five_hours.used, five_hours.held) == (5, 7)
    assert (week.used, week.held) == (0, 7)
    assert [window.held for window in usage.windows(limits(), T0)] == [3, 3]


def test_only_the_hold_that_is_named_is_left_out() -> None:
    one, two = (LiveHold(UUID(int=number), Hold(T0, number), "", T0) for number in (1, 2))
    usage = SeatUsage((FIVE_HOURS,), {FIVE_HOURS.key: [Bucket(T0, 5)]}, (one, two))
    assert usage.without(UUID(int=1)) == SeatUsage(usage.rules, usage.buckets, (two,))
    assert usage.without(None) == usage


def finders(key: str) -> tuple[Callable[[], int], ...]:
    """All that finds the row of a key, which is named by its text or its handle."""
    asked: dict[str, Any] = {"request_id": "r", "occurred_at": T0, "at": T0}
    return (
        lambda: locked_call_state(key[6:18], key_text=key, **asked).key_id,
        lambda: locked_call_state(key[6:18], key_text=None, **asked).key_id,
        lambda: key_of_text(key).pk,
        lambda: key_of_handle(f"kh-{key[6:18]}").pk,
    )


def test_a_key_is_found_among_others_and_one_that_is_in_no_row_is_nobodys() -> None:
    for scene in [make_scene() for _ in range(2)]:
        assert [find() for find in finders(scene.desk.key)] == [scene.owner.keys.get().pk] * 4
    for find in finders(key_text(root=b"root", key_id="0" * 12, salt=b"salt")):
        with pytest.raises(KeyInvalid):
            find()


def test_a_key_is_found_by_its_kind_where_one_of_the_other_kind_has_the_same_id() -> None:
    scene = make_scene()
    members = scene.owner.keys.get()
    api_key = make_api_key(scene.owner)
    api_key.texts.update(key_id=members.key_id)
    text = api_key.texts.get()
    assert key_of_text(reveal_key(text)) == text
    assert key_of_text(scene.desk.key) == members


def test_whoever_waits_for_a_lock_in_the_database_waits_for_three_seconds() -> None:
    scene = make_scene()
    give_credits(scene.team, USD)
    scene.desk.settle(scene.desk.ask(1), 1)
    asked: dict[str, Any] = {"seated": False, "at": T0, "lock": True}
    usable_in_account(Payer(scene.team.pk, scene.owner.pk, None), **asked)
    usable_in_account(Payer(scene.team.pk, scene.owner.pk, 0), **asked)
    with pytest.raises(KeyInvalid):
        locked_call_state("0" * 12, key_text=None, kind=API_KEY, request_id=None, occurred_at=T0, at=T0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, proconfig FROM pg_proc WHERE prosrc ILIKE '%FOR NO KEY UPDATE%'"
            " AND prosrc NOT LIKE '%SKIP LOCKED%' AND pronamespace = 'public'::regnamespace"
        )
        found = dict(cursor.fetchall())
    assert found.pop("quota_gather_events")[0] == "lock_timeout=1s"  # then its rows go alone
    assert len(found) == 4
    assert {config[0] for config in found.values()} == {"lock_timeout=3s"}


@pytest.mark.parametrize("handle", ["", "kh-", "kh-000000000000"])
def test_a_handle_of_no_key_is_pointed_at(handle: str) -> None:
    scene = make_scene()
    make_api_key(scene.owner)
    with pytest.raises(KeyInvalid, match="no key with this handle") as refused:
        key_of_handle(handle)
    assert refused.value.pointer == "/key_handle"


def test_a_reservation_that_is_in_no_row_is_named_in_the_refusal() -> None:
    with pytest.raises(
        ReservationUnknown, match="There is no reservation 00000000-0000-0000-0000-000000000001"
    ):
        locked_reservation_state(UUID(int=1), at=T0)


def test_of_a_seat_that_was_never_used_there_is_nothing() -> None:
    assert seat_usage(0, T0) == NO_SEAT


def test_credits_are_those_of_the_lots_that_lived_at_the_moment_that_is_named() -> None:
    scene = make_scene()
    give_credits(scene.team, USD, expires_at=T0 + MINUTE)
    asked: dict[str, Any] = {"team_id": scene.team.pk, "membership_id": scene.owner.pk, "seated": False}
    at = T0 + 2 * MINUTE
    assert usable_credits(**asked, at=at) == 0
    assert usable_credits(**asked, at=at, lots_at=T0 + MINUTE - timedelta(microseconds=1)) == USD


@pytest.mark.parametrize("road", ["alone"], indirect=True)
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


def test_the_usage_of_many_seats_is_that_of_each() -> None:
    one, other = make_scene(), make_scene()
    one.desk.use(1)
    other.desk.use(2)
    both = [one.seat.pk, other.seat.pk]
    at = T0 + MINUTE
    assert seat_usages(both, at) == {seat: seat_usage(seat, at) for seat in both}
    assert seat_usages([], at) == {}


@pytest.mark.parametrize("charged", [T0 + MINUTE, None])
def test_the_agent_of_a_new_hold_is_at_work_until_it_is_charged_or_ends(charged: datetime | None) -> None:
    times = {"created_at": T0, "holds_until": T0 + 2 * MINUTE, "charges_at": charged}
    row = Reservation(model="penny", left_quota_nanousd=7, **times)
    (live,) = NO_SEAT.with_hold(row).live
    assert live.hold == Hold(T0, 7, T0 + 2 * MINUTE)
    row.model = ""
    assert NO_SEAT.with_hold(row).live[0].hold == Hold(T0, 7, T0 + 2 * MINUTE, is_lease=True)
    assert live.agent_until == (charged or T0 + 2 * MINUTE)
