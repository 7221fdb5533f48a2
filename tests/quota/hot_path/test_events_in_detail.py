"""The edges of a batch: moments, zones, pointers, and what it waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import UsageEvent
from quota.selectors.reconcile import differences
from quota.services.entitlements import resume_seat, suspend_seat
from teams.errors import KeyInvalid
from teams.services.accounts import deactivate, reactivate
from tests.helpers.factories import (
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    key_of,
    make_desk,
    make_member,
    make_scene,
    make_team,
    owner_of,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, counts
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)


def refusals(scene: Scene, *rows: ReportedEvent) -> list[tuple[str, str | None] | None]:
    """Of each row the code and the pointer of its refusal."""
    results = record_events(gateway=scene.desk.gateway, events=rows, at=T0)
    return [
        (row.refusal.code, row.refusal.pointer) if isinstance(row.refusal, Refusal) else None
        for row in results
    ]


def penny(scene: Scene, name: str, minutes: int) -> ReportedEvent:
    return ReportedEvent(name, scene.desk.key, "penny", {"calls": 1}, T0 + minutes * MINUTE)


def test_an_event_may_come_seven_days_late_and_five_minutes_early() -> None:
    scene = make_scene(at=T0 - 8 * DAY)
    moments = T0 - 7 * DAY, T0 + 5 * MINUTE, T0 - 7 * DAY - TICK, T0 + 5 * MINUTE + TICK
    rows = [ReportedEvent(str(at), scene.desk.key, "penny", {"calls": 1}, at) for at in moments]
    out_of_range = ("occurred_at_out_of_range", "/occurred_at")
    assert refusals(scene, *rows) == [None, None, out_of_range, out_of_range]
    assert list(UsageEvent.objects.order_by("occurred_at").values_list("occurred_at", flat=True)) == [
        *moments[:2]
    ]


def test_an_event_is_the_same_in_another_zone_and_with_its_meters_in_another_order(scene: Scene) -> None:
    usage = {"output_tokens": 2, "input_tokens": 1}
    row = ReportedEvent("one", scene.desk.key, "talker", usage, T0)
    east = T0.astimezone(timezone(timedelta(hours=14)))
    again = replace(row, usage=dict(reversed(usage.items())), occurred_at=east)
    results = record_events(gateway=scene.desk.gateway, events=[row, again], at=T0)
    assert [(result.is_new, result.refusal) for result in results] == [(True, None), (False, None)]


def test_what_is_refused_is_pointed_at(scene: Scene) -> None:
    held = scene.desk.ask(1).reservation_id
    of_member = ReportedEvent("m", key_of(make_member(scene.team)), "penny", {"calls": 1}, T0)
    row = ReportedEvent("one", scene.desk.key, "penny", {"calls": 1}, T0)
    assert refusals(scene, row, replace(row, model="nano"), replace(of_member, reservation_id=held)) == [
        None,
        ("event_id_reused", "/id"),
        ("reservation_unknown", "/reservation"),
    ]


def test_usage_of_before_the_first_rate_card_is_of_no_known_model() -> None:
    desk = make_desk(owner_of(make_team()))
    row = ReportedEvent("one", desk.key, "penny", {"calls": 1}, T0)
    (result,) = record_events(gateway=desk.gateway, events=[row], at=T0)
    assert isinstance(result.refusal, Refusal)
    assert (result.refusal.code, counts()) == ("model_unknown", (0, 0, 0, 0))


def test_an_event_without_tags_has_those_of_its_hold(scene: Scene) -> None:
    held = scene.desk.lease(10, tags=("night",), agent="writer").reservation_id
    row = ReportedEvent("one", scene.desk.key, "nano", {"calls": 1}, T0, reservation_id=held)
    other = replace(row, id="two", tags=("day",), agent="reader")
    assert refusals(scene, row, other) == [None, None]
    said = UsageEvent.objects.order_by("external_id").values_list("agent", "tags")
    assert list(said) == [("writer", ["night"]), ("reader", ["day"])]


def test_all_rows_wait_for_the_disk_together_before_the_answer(scene: Scene) -> None:
    row = ReportedEvent("one", scene.desk.key, "penny", {"calls": 1}, T0)
    with CaptureQueriesContext(connection) as queries:
        record_events(gateway=scene.desk.gateway, events=[row, replace(row, id="two")], at=T0)
    said = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    # What is written to the log last, and waited for as the setting of the server says.
    assert said[-1] == "SELECT pg_logical_emit_message(true, 'tokenplan', '')"
    assert sum("pg_logical_emit_message" in sql for sql in said) == 1


def test_rows_do_not_wait_for_the_disk_one_by_one(scene: Scene) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = on")
        row = ReportedEvent("one", scene.desk.key, "penny", {"calls": 1}, T0)
        record_events(gateway=scene.desk.gateway, events=[row], at=T0)
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("off",)


@pytest.mark.parametrize("at_once", [4, 1])
@pytest.mark.parametrize("resumed", [False, True])
def test_usage_from_a_suspension_is_paid_by_credits_whenever_it_is_reported(
    scene: Scene, resumed: bool, at_once: int
) -> None:
    """And what is from before it, or after it, by the quota."""
    give_credits(scene.team, USD)
    allow_credits(scene.owner)
    suspend_seat(seat=scene.seat, at=T0 + 10 * MINUTE, by=None)
    moments = [9, 10, 19]
    if resumed:
        resume_seat(seat=scene.seat, at=T0 + 20 * MINUTE, by=None)
        moments.append(20)
    rows = [penny(scene, str(minutes), minutes) for minutes in moments]
    for first in range(0, len(rows), at_once):
        batch = rows[first : first + at_once]
        assert all(
            row.is_new for row in record_events(gateway=scene.desk.gateway, events=batch, at=T0 + HOUR)
        )
    paid = UsageEvent.objects.order_by("occurred_at").values_list(
        "from_quota_nanousd", "from_credits_nanousd", "overrun_nanousd"
    )
    by_quota, by_credits = (PENNY, 0, 0), (0, PENNY, 0)
    assert list(paid) == [by_quota, by_credits, by_credits, by_quota][: len(moments)]
    assert list(differences(T0 + HOUR)) == []


def test_usage_of_a_closed_account_is_refused_until_the_account_is_opened_again(scene: Scene) -> None:
    """Whatever it is from: docs/decisions/0030. What was refused meanwhile, the operator replays."""
    user = scene.owner.user
    deactivate(user=user, by=None, at=T0 + 10 * MINUTE)

    def reported(name: str, minutes: int) -> object:
        (row,) = record_events(gateway=scene.desk.gateway, events=[penny(scene, name, minutes)], at=T0 + HOUR)
        return row.is_new or type(row.refusal)

    assert [reported("before", 9), reported("while closed", 10)] == [True, KeyInvalid]
    reactivate(user=user, reason="found", by=None, at=T0 + 20 * MINUTE)
    assert [reported("while closed", 10), reported("after", 20)] == [True, True]
    assert UsageEvent.objects.filter(from_quota_nanousd=PENNY).count() == 3


def test_a_key_was_last_used_when_its_latest_reported_call_was_made(scene: Scene) -> None:
    other = make_scene()

    def last_used(minutes: int) -> datetime | None:
        event = ReportedEvent(f"at {minutes}", scene.desk.key, "penny", {"calls": 1}, T0 + minutes * MINUTE)
        (result,) = record_events(gateway=scene.desk.gateway, events=[event], at=T0 + 60 * MINUTE)
        assert result.is_new
        return scene.owner.keys.get().last_used_at

    # Not again within a minute.
    moments = [last_used(minutes) for minutes in (5, 2, 6, 7)]
    assert moments == [T0 + minutes * MINUTE for minutes in (5, 5, 5, 7)]
    assert other.owner.keys.get().last_used_at is None
