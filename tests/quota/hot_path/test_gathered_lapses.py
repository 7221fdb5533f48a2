"""Reports in batches of holds that a sweep has marked as over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from quota.hot_path.authorize import Authorization
from quota.hot_path.batches import LEFT
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.gathered_draws import SettleAsk, draw_gathered, settle_gathered
from quota.hot_path.lapses import AT_THE_END
from quota.hot_path.settle import release
from quota.models import Reservation, UsageEvent
from quota.services.reservations import charge_lapsed_holds, expire_reservations
from tests.helpers import citus
from tests.helpers.factories import T0, Scene, limits, make_scene
from tests.helpers.hot_path import MINUTE, PENNY, bar, charging_scene
from tests.helpers.roads import hash_of

pytestmark = [pytest.mark.django_db, citus.not_on_a_cluster]
LATER = T0 + timedelta(days=59)


@pytest.fixture
def road() -> None:
    """Batches only: there is no other road here."""


def settle(scene: Scene, held: Authorization, calls: int) -> Any:
    report = Report(usage={"calls": calls})
    (answer,) = settle_gathered(
        [SettleAsk(hash_of(scene.desk.gateway), held.reservation_id, report)], at=LATER
    )
    return answer


def test_what_has_lapsed_is_settled_at_its_own_moment_by_what_the_windows_had(scene: Scene) -> None:
    held = scene.desk.ask(2)
    assert expire_reservations(at=LATER) == 1
    event = settle(scene, held, 3)
    assert (event.from_quota_nanousd, event.occurred_at, event.recorded_at) == (3 * PENNY, T0, LATER)
    hold = Reservation.objects.get()
    assert (hold.state, hold.expired, hold.closed_at, hold.windows) == ("settled", False, LATER, b"")
    assert settle(scene, held, 3) is LEFT  # a repeat
    assert UsageEvent.objects.count() == 1


def test_more_than_the_windows_had_is_left_and_the_hold_stays_as_it_is() -> None:
    scene = make_scene(limits(4 * PENNY, 100 * PENNY))
    held = scene.desk.ask(2)
    expire_reservations(at=LATER)
    assert settle(scene, held, 5) is LEFT
    assert Reservation.objects.get().expired
    assert not UsageEvent.objects.exists()


def test_what_was_released_is_left(scene: Scene) -> None:
    held = scene.desk.ask(2)
    release(reservation_id=held.reservation_id, at=T0 + MINUTE)
    assert settle(scene, held, 2) is LEFT
    assert not UsageEvent.objects.exists()


def test_what_was_charged_at_its_end_is_left() -> None:
    scene = charging_scene()
    held = scene.desk.ask(2)
    assert charge_lapsed_holds(at=LATER) == 1
    assert settle(scene, held, 2) is LEFT
    assert UsageEvent.objects.get().draw_id == AT_THE_END


def test_a_draw_that_closes_nothing_of_a_lease_that_has_lapsed_is_left(scene: Scene) -> None:
    held = scene.desk.lease(5 * PENNY)
    later = Reservation.objects.get().holds_until
    assert expire_reservations(at=later) == 1
    before = bar(scene, later)
    draw = Settlement(
        held.reservation_id, Report(model="penny", usage={"calls": 1}, draw_id="1"), closes=False
    )
    assert draw_gathered([draw], gateway=scene.desk.gateway, at=later) == [LEFT]
    assert bar(scene, later) == before
