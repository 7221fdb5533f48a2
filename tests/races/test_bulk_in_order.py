"""A row that somebody else has locked stays before the later rows of its seat."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import transaction

from quota.hot_path import bulk
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.gathered_draws import draw_gathered
from quota.models import Reservation, UsageEvent
from tests.helpers import citus
from tests.helpers.factories import T0, give_credits, limits, make_scene
from tests.helpers.hot_path import MINUTE, PENNY, parts
from tests.helpers.races import race

pytestmark = [pytest.mark.django_db(transaction=True), citus.not_on_a_cluster]


def test_a_draw_whose_hold_is_locked_is_charged_before_later_draws_of_its_seat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    give_credits(scene.team, 100 * PENNY)
    first, second = (scene.desk.ask(1) for _ in range(2))
    locked, done = threading.Event(), threading.Event()
    at_once = draw_gathered

    def noted(*rows: Any, **more: Any) -> Any:
        try:
            return at_once(*rows, **more)
        finally:
            done.set()

    monkeypatch.setattr(bulk, "draw_gathered", noted)

    def holder() -> None:
        with transaction.atomic():
            # As a sweep, which locks nothing else.
            Reservation.objects.select_for_update(no_key=True).get(pk=first.reservation_id)
            locked.set()
            assert done.wait(30)

    def report() -> list[bulk.RowResult]:
        assert locked.wait(30)
        rows = [
            Settlement(held.reservation_id, Report(usage={"calls": calls}))
            for held, calls in [(first, 7), (second, 5)]
        ]
        return bulk.settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0 + MINUTE)

    _, results = race(holder, report)
    assert isinstance(results, list), results
    assert [row.is_new for row in results] == [True, True]
    charged = [parts(UsageEvent.objects.get(reservation_id=held.reservation_id)) for held in (first, second)]
    assert charged == [(7, 0, 0), (3, 2, 0)]
