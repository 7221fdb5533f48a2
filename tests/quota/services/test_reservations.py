"""Holds whose lifetime is over: the clock decides, the sweep only writes it down."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import transaction

from quota.models import Reservation
from quota.selectors.usage_bar import seat_windows
from quota.services import reservations
from quota.services.reservations import expire_reservations
from tests.helpers.factories import T0, USD, make_scene
from tests.helpers.races import race

pytestmark = pytest.mark.django_db

LIFETIME = timedelta(seconds=settings.RESERVATION_LIFETIME_SECONDS)

CENT = USD // 100


def states() -> list[tuple[str, bool]]:
    return list(Reservation.objects.order_by("created_at").values_list("state", "expired"))


def test_a_hold_is_marked_once_its_lifetime_is_over_and_not_before() -> None:
    scene = make_scene()
    scene.desk.ask(1)
    scene.desk.ask(1, at=T0 + timedelta(seconds=1))
    assert expire_reservations(at=T0 + LIFETIME - timedelta(microseconds=1)) == 0
    assert expire_reservations(at=T0 + LIFETIME) == 1
    assert states() == [("released", True), ("held", False)]
    marked = Reservation.objects.get(state="released")
    assert marked.closed_at == marked.expires_at


def test_a_run_a_week_late_marks_all_in_batches_and_a_second_one_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reservations, "RESERVATIONS_PER_TRANSACTION", 3)
    scene = make_scene()
    for _ in range(7):
        scene.desk.ask(1)
    assert expire_reservations(at=T0 + timedelta(days=7)) == 7
    assert states() == [("released", True)] * 7
    assert expire_reservations(at=T0 + timedelta(days=7)) == 0


def test_the_sweep_changes_no_window() -> None:
    scene = make_scene()
    scene.desk.ask(5)
    at = T0 + LIFETIME
    before = seat_windows(scene.seat.pk, at)
    assert [window.held for window in before[1]] == [0, 0]
    expire_reservations(at=at)
    assert seat_windows(scene.seat.pk, at) == before


def test_a_hold_that_the_sweep_marked_is_still_charged_when_it_is_settled() -> None:
    scene = make_scene()
    asked = scene.desk.ask(5)
    expire_reservations(at=T0 + LIFETIME)
    event = scene.desk.settle(asked, 3, at=T0 + timedelta(days=1))
    assert (event.amount_nanousd, event.from_quota_nanousd) == (3 * CENT, 3 * CENT)
    assert states() == [("settled", False)]


@pytest.mark.django_db(transaction=True)
def test_runs_at_the_same_time_mark_each_hold_once() -> None:
    scene = make_scene()
    for _ in range(40):
        scene.desk.ask(1)
    marked = race(*[lambda: expire_reservations(at=T0 + LIFETIME)] * 5)
    assert sum(count for count in marked if isinstance(count, int)) == 40
    assert states() == [("released", True)] * 40


@pytest.mark.django_db(transaction=True)
def test_a_hold_that_is_being_settled_is_left_to_the_settle() -> None:
    scene = make_scene()
    asked = scene.desk.ask(5)
    scene.desk.ask(1)
    with transaction.atomic():
        scene.desk.settle(asked, 3, at=T0 + LIFETIME)
        assert race(lambda: expire_reservations(at=T0 + LIFETIME)) == [1]
    assert sorted(states()) == [("released", True), ("settled", False)]
