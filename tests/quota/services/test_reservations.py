"""Holds whose lifetime is over: the clock decides, the sweep only writes it down."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import NoneType
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connections, transaction

from quota.errors import ChargeCorrected
from quota.hot_path.lapses import charge_at_end
from quota.hot_path.state import locked_reservation_state
from quota.models import CreditGrant, Reservation, UsageEvent
from quota.selectors.reconcile import differences
from quota.selectors.usage_bar import seat_windows
from quota.services import reservations
from quota.services.corrections import correct_charge
from quota.services.reservations import charge_lapsed_holds, expire_reservations
from teams.services.seats import free_seat
from tests.helpers.factories import T0, USD, Scene, give_credits, make_scene
from tests.helpers.hot_path import charging
from tests.helpers.races import race, waiting

pytestmark = pytest.mark.django_db

LIFETIME = timedelta(seconds=settings.RESERVATION_LIFETIME_SECONDS)

CENT = USD // 100


def states() -> list[tuple[str, bool]]:
    return list(Reservation.objects.order_by("created_at").values_list("state", "expired"))


def lock(scene: Scene, reservation_id: UUID) -> None:
    assert Reservation.objects.select_for_update(no_key=True).get(team=scene.team, pk=reservation_id)


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


@pytest.mark.django_db(transaction=True)
def test_the_sweep_waits_for_no_hold_that_somebody_has_locked_and_marks_it_later() -> None:
    scene = make_scene()
    first = scene.desk.ask(1)
    scene.desk.ask(2, at=T0 + timedelta(seconds=1))
    at = T0 + 2 * LIFETIME
    with transaction.atomic():
        lock(scene, first.reservation_id)
        assert race(lambda: expire_reservations(at=at)) == [1]
    assert states() == [("held", False), ("released", True)]
    assert expire_reservations(at=at) == 1


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


@pytest.mark.django_db(transaction=True)
def test_runs_at_the_same_time_charge_each_hold_once() -> None:
    scene = make_scene()
    charging(scene)
    for _ in range(20):
        scene.desk.ask(1)
    charged = race(*[lambda: charge_lapsed_holds(at=T0 + LIFETIME)] * 4)
    assert sum(count for count in charged if isinstance(count, int)) == 20
    assert states() == [("released", True)] * 20
    assert UsageEvent.objects.count() == 20


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("settled_first", [True, False])
def test_a_charge_and_a_settle_at_the_same_time_come_to_what_was_used(settled_first: bool) -> None:
    scene = make_scene()
    charging(scene)
    asked = scene.desk.ask(5)
    at = T0 + LIFETIME

    def settle() -> object:
        return scene.desk.settle(asked, 3, at=at)

    def charge() -> object:
        return charge_lapsed_holds(at=at)

    first, second = (settle, charge) if settled_first else (charge, settle)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            done = pool.submit(in_a_thread, second)
            waiting("transactionid", 1)
        done.result(30)
    assert sum(UsageEvent.objects.values_list("amount_nanousd", flat=True)) == 3 * CENT
    assert UsageEvent.objects.count() == (1 if settled_first else 3)
    assert states() == [("settled", False)]
    assert not list(differences(at))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_hold_that_is_locked_for_long_does_not_keep_the_others_from_their_charge() -> None:
    """It takes as long as the sweep waits for a lock: three seconds."""
    scene = make_scene()
    charging(scene)
    first = scene.desk.ask(1)
    scene.desk.ask(2, at=T0 + timedelta(seconds=1))
    at = T0 + 2 * LIFETIME
    with transaction.atomic():
        lock(scene, first.reservation_id)
        assert race(lambda: charge_lapsed_holds(at=at)) == [1]
    assert states() == [("held", False), ("released", True)]
    assert charge_lapsed_holds(at=at) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("calls", [2, None])
@pytest.mark.parametrize("corrected_first", [True, False])
def test_a_correction_of_what_lapsed_and_a_settle_at_the_same_time_come_to_what_was_used(
    corrected_first: bool, calls: int | None
) -> None:
    """By Credits alone: no seat's lock stands between the two."""
    scene = make_scene()
    charging(scene)
    give_credits(scene.team, USD)
    free_seat(seat=scene.seat, by=None, at=T0)
    asked = scene.desk.ask(5)
    at = T0 + LIFETIME
    charge_lapsed_holds(at=at)
    event = UsageEvent.objects.get()
    usage = None if calls is None else {"calls": calls}

    def correct() -> object:
        return correct_charge(event=event, usage=usage, model="penny", reason="x", at=at, by=None)

    def settle() -> object:
        return scene.desk.settle(asked, 3, at=at)

    first, second = (correct, settle) if corrected_first else (settle, correct)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            done = pool.submit(in_a_thread, second)
            waiting("transactionid", 1)
        refused = done.exception(30)
    assert isinstance(refused, NoneType if corrected_first else ChargeCorrected)
    assert sum(UsageEvent.objects.values_list("amount_nanousd", flat=True)) == 3 * CENT
    assert CreditGrant.objects.get().remaining_nanousd == USD - 3 * CENT
    assert not list(differences(at))


def test_without_the_lock_both_are_charged() -> None:
    """The control: what was read before the lock says that the hold is still open."""
    scene = make_scene()
    charging(scene)
    asked = scene.desk.ask(5)
    at = T0 + LIFETIME
    read_before = locked_reservation_state(asked.reservation_id, at=at)
    scene.desk.settle(asked, 0, at=at)
    charge_at_end(read_before, at=at)
    assert sum(UsageEvent.objects.values_list("amount_nanousd", flat=True)) == 5 * CENT


def in_a_thread(work: Callable[[], object]) -> object:
    try:
        return work()
    finally:
        connections.close_all()
