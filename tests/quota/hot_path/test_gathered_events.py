"""Reported calls in a batch: what goes which road, and what is not asked or written for nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connection

from quota.hot_path import batches, gathered_events
from quota.hot_path.batches import LEFT, REPEATED
from quota.hot_path.bulk import RowResult, record_events
from quota.hot_path.events import ReportedEvent
from quota.hot_path.gathered_events import record_gathered
from quota.ids import new_id
from quota.models import UsageEvent
from quota.services.entitlements import suspend_seat
from quota.windows import Limit, Policy, Rule
from teams import keytext
from teams.models import SubscriptionKey
from teams.services.keys import reveal_key, rotate_key
from tests.helpers import citus
from tests.helpers.factories import MONDAY, T0, Scene, make_api_key, make_desk, make_member, make_scene
from tests.helpers.hot_path import HOUR, MINUTE, PENNY
from tests.helpers.roads import fail_where_rows_break, go_alone, note_rows_alone

pytestmark = [pytest.mark.django_db, citus.not_on_a_cluster]

DAY = timedelta(days=1)


@pytest.fixture
def road(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the room's: here it is seen which road a row goes."""
    fail_where_rows_break(monkeypatch)


@pytest.fixture
def scene() -> Scene:
    return make_scene()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions of the database that batches ask, as they are asked."""
    noted: list[str] = []
    for module in (batches, gathered_events):
        fetch = module.fetch_all

        def note(sql: str, params: dict[str, Any], fetch: Any = fetch) -> Any:
            noted.extend(re.findall(r"quota_\w+", sql))
            return fetch(sql, params)

        monkeypatch.setattr(module, "fetch_all", note)
    return noted


def event(scene: Scene, name: str, *, at: datetime = T0, calls: int = 1, **more: Any) -> ReportedEvent:
    return replace(ReportedEvent(name, scene.desk.key, "penny", {"calls": calls}, at), **more)


def record(scene: Scene, rows: Sequence[ReportedEvent], at: datetime = T0) -> list[RowResult]:
    return record_events(gateway=scene.desk.gateway, events=rows, at=at)


def test_where_nothing_is_usual_the_database_is_asked_nothing(scene: Scene, asked: list[str]) -> None:
    secret = reveal_key(make_api_key(scene.owner).texts.get())
    rows = [
        event(scene, "forged", key_text=scene.desk.key[:-1] + "?"),
        event(scene, "of an API key", key_text=secret),
        event(scene, "of a hold", reservation_id=new_id()),
    ]
    assert record_gathered(rows, gateway=scene.desk.gateway, at=T0) == [LEFT] * 3
    assert asked == []


def test_what_is_out_of_time_is_known_after_the_locks_and_left(scene: Scene, asked: list[str]) -> None:
    late, tick = timedelta(days=7), timedelta(microseconds=1)
    rows = [event(scene, "too late", at=T0 - late - tick), event(scene, "ahead", at=T0 + 5 * MINUTE + tick)]
    assert record_gathered(rows, gateway=scene.desk.gateway, at=T0) == [LEFT] * 2
    assert asked == ["quota_gather_events"]


def test_where_nothing_is_new_nothing_is_written(scene: Scene, asked: list[str]) -> None:
    rows = [event(scene, "a"), event(scene, "b")]
    record_gathered(rows, gateway=scene.desk.gateway, at=T0)
    assert asked == ["quota_gather_events", "quota_write_charges"]
    assert record_gathered(rows, gateway=scene.desk.gateway, at=T0) == [REPEATED] * 2
    assert asked[2:] == ["quota_gather_events"]


def test_the_first_and_the_last_moment_at_which_usage_is_taken_are_usual(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = note_rows_alone(monkeypatch)
    found = record(scene, [event(scene, "ahead", at=T0 + 5 * MINUTE)])
    found += record(scene, [event(scene, "late")], at=T0 + 7 * DAY)
    assert (found, alone) == ([RowResult(is_new=True)] * 2, [])


def test_the_texts_of_a_handle_are_taken_in_the_order_in_which_they_were_made(scene: Scene) -> None:
    (first,) = SubscriptionKey.objects.filter(membership=scene.owner)
    for _ in range(2):
        rotate_key(membership=scene.owner, overlap=HOUR, at=T0, by=scene.owner.user)
    # The clocks of the servers that made them differed.
    texts = SubscriptionKey.objects.filter(membership=scene.owner).order_by("-pk")
    for minutes, text in zip((0, 10, 20), texts, strict=True):
        SubscriptionKey.objects.filter(pk=text.pk).update(created_at=T0 + minutes * MINUTE)
    handle = keytext.handle(first.key_id)
    rows = [
        event(scene, f"{minutes}", at=T0 + minutes * MINUTE, key_text="", key_handle=handle)
        for minutes in (5, 15, 25)
    ]
    record(scene, rows, at=T0 + 30 * MINUTE)
    made = SubscriptionKey.objects.filter(membership=scene.owner).order_by("created_at")
    recorded = UsageEvent.objects.order_by("occurred_at")
    assert [event.key_id for event in recorded] == [key.pk for key in made]


def test_a_call_on_a_seat_that_is_suspended_goes_alone_even_where_it_costs_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = note_rows_alone(monkeypatch)
    suspend_seat(seat=scene.seat, at=T0, by=None)
    rows = [event(scene, "nothing", calls=0)]
    assert record(scene, rows) == [RowResult(is_new=True)]
    assert alone == rows


def test_before_the_first_rate_card_a_call_is_refused_as_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(at=MONDAY - DAY)
    rows = [event(scene, "early", at=MONDAY - HOUR)]
    (found,) = record(scene, rows, at=MONDAY)
    go_alone(monkeypatch)
    (other,) = record(scene, rows, at=MONDAY)
    assert type(found.refusal) is type(other.refusal) is not type(None)
    assert not UsageEvent.objects.exists()


def test_a_call_is_recorded_in_utc_wherever_its_gateway_is() -> None:
    scene = make_scene([Limit("5h", Rule(Policy.FIRST_USE, 18_000), 100 * PENNY)])
    abroad = T0.astimezone(timezone(timedelta(hours=8)))
    (recorded,) = record_gathered(
        [event(scene, "abroad", at=abroad)], gateway=scene.desk.gateway, at=T0 + MINUTE
    )
    assert isinstance(recorded, UsageEvent)
    assert set(recorded.first_use_starts.values()) == {"2026-06-03T10:02:00+00:00"}


def test_events_are_written_in_the_order_of_their_ids_so_that_no_two_batches_wait_for_each_other(
    scene: Scene,
) -> None:
    record(scene, [event(scene, name) for name in ("c", "a", "b")])
    with connection.cursor() as cursor:
        cursor.execute("SELECT external_id FROM quota_eventid ORDER BY ctid")
        assert [name for (name,) in cursor.fetchall()] == ["a", "b", "c"]


def test_the_last_use_of_a_key_of_each_kind_is_noted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    go_alone(monkeypatch)
    other = make_desk(make_member(scene.team))
    api_key = make_api_key(scene.owner)
    secret = reveal_key(api_key.texts.get())
    record(scene, [event(scene, "api", at=T0 + MINUTE, key_text=secret)], at=T0 + HOUR)
    (text,) = api_key.texts.all()
    assert text.last_used_at == T0 + MINUTE
    unused = SubscriptionKey.objects.filter(last_used_at=None)
    assert unused.count() == SubscriptionKey.objects.count()
    record(scene, [event(scene, "own", key_text=other.key)], at=T0 + HOUR)
    assert unused.count() == SubscriptionKey.objects.count() - 1
