"""The clock that all servers share, and the turn of a sweep."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tokenplan.kit import clock
from tokenplan.kit.clock import WITHOUT_END, Turn


@pytest.mark.django_db
def test_the_databases_clock_is_not_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + timedelta(days=1))
    assert abs(clock.database_now() - right()) < timedelta(hours=1)


def test_a_turn_is_over_after_its_seconds_and_not_before() -> None:
    now = [100.0]
    turn = Turn(240, clock=lambda: now[0])
    assert not turn.is_over()
    now[0] = 340.0
    assert not turn.is_over()
    now[0] = 340.5
    assert turn.is_over()


def test_a_turn_without_end_is_never_over() -> None:
    assert not WITHOUT_END.is_over()
