"""Rows in bulk whose transaction breaks: what is no outage sends them alone, and an outage ends it all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError, connection

from quota.errors import ModelUnknown
from quota.hot_path import bulk
from quota.hot_path.bulk import RowResult, record_events
from quota.hot_path.events import ReportedEvent
from quota.hot_path.gathered_events import record_gathered
from quota.models import UsageEvent
from tests.helpers.factories import T0, Scene
from tests.helpers.roads import note_rows_alone

pytestmark = pytest.mark.django_db


@pytest.fixture
def road() -> None:
    """In place of the room's: here the road for many breaks."""


def events(scene: Scene, many: int) -> list[ReportedEvent]:
    return [ReportedEvent(f"{n}", scene.desk.key, "penny", {"calls": 1}, T0) for n in range(many)]


def breaks_with(state: str) -> Callable[..., Any]:
    """The road for many, whose statement ends in this state of SQL."""

    def record(rows: Any, **_: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'broken' USING ERRCODE = '{state}'; END $$")

    return record


@pytest.mark.parametrize("state", ["40P01", "55P03", "57014", "23505"])
def test_after_a_deadlock_a_wait_or_a_clash_each_row_goes_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    alone, rows = note_rows_alone(monkeypatch), events(scene, 2)
    monkeypatch.setattr(bulk, "record_gathered", breaks_with(state))
    with caplog.at_level(logging.INFO, "quota.hot_path.bulk"):
        found = record_events(gateway=scene.desk.gateway, events=rows, at=T0)
    assert (found, alone) == ([RowResult(is_new=True)] * 2, rows)
    assert "2 rows go alone: broken" in caplog.text


def test_an_outage_ends_the_report_and_no_row_is_tried_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = note_rows_alone(monkeypatch)
    monkeypatch.setattr(bulk, "record_gathered", breaks_with("57P01"))
    with pytest.raises(OperationalError, match="broken"):
        record_events(gateway=scene.desk.gateway, events=events(scene, 2), at=T0)
    assert (alone, UsageEvent.objects.count()) == ([], 0)


def test_a_hundred_rows_are_one_transaction(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def note(rows: Any, **more: Any) -> Any:
        sizes.append(len(rows))
        return record_gathered(rows, **more)

    monkeypatch.setattr(bulk, "record_gathered", note)
    record_events(gateway=scene.desk.gateway, events=events(scene, 201), at=T0)
    assert sizes == [100, 100, 1]


def test_a_refused_row_keeps_nothing_of_what_it_was_worked_with(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw keeps where it came from, for the log."""
    (unknown,) = (replace(event, model="no such model") for event in events(scene, 1))
    (refused,) = record_events(gateway=scene.desk.gateway, events=[unknown], at=T0)
    assert isinstance(refused.refusal, ModelUnknown)
    assert refused.refusal.__traceback__ is None

    def fails(**_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(bulk, "record_event", fails)
    (failed,) = record_events(gateway=scene.desk.gateway, events=[unknown], at=T0)
    assert isinstance(failed.refusal, ZeroDivisionError)
    assert failed.refusal.__traceback__
