"""What has ended is decided by the database's clock: a worker whose own is ahead ends nothing early. And how
long a sweep works.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.utils import timezone

from quota import tasks
from quota.models import ClosedWindow, CreditGrant, Reservation, UsageEvent, UsageRollup
from quota.selectors import recent
from quota.services import notices, reconcile_alarms, reservations, rollups, unpriced, windows_history
from quota.services.reconcile import begin_run
from teams.models import Mail, User
from teams.tasks import deliver_mail
from tests.helpers.factories import T0, give_credits, limits, make_scene, make_user
from tests.helpers.hot_path import PENNY, charging, database_clock
from tokenplan.kit.clock import Turn

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def twenty_minutes_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead(monkeypatch, 20 * MINUTE)


def ahead(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """The clock of this worker."""
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + by)


@pytest.mark.usefixtures("twenty_minutes_ahead")
def test_a_worker_ahead_releases_no_hold_that_has_not_ended() -> None:
    scene = make_scene(at=database_clock() - DAY)
    young = scene.desk.ask(1, at=database_clock())
    old = scene.desk.ask(1, at=database_clock() - 16 * MINUTE)
    assert tasks.expire_reservations() == 1
    assert Reservation.objects.get(pk=young.reservation_id).state == "held"
    assert Reservation.objects.get(pk=old.reservation_id).state == "released"


@pytest.mark.usefixtures("twenty_minutes_ahead")
def test_control_by_the_workers_own_clock_it_would_be_released() -> None:
    scene = make_scene(at=database_clock() - DAY)
    young = scene.desk.ask(1, at=database_clock())
    assert reservations.expire_reservations(at=timezone.now()) == 1
    assert Reservation.objects.get(pk=young.reservation_id).state == "released"


@pytest.mark.usefixtures("twenty_minutes_ahead")
def test_a_worker_ahead_charges_nothing_before_its_end() -> None:
    scene = make_scene(at=database_clock() - DAY)
    charging(scene)
    young = scene.desk.ask(1, at=database_clock())
    old = scene.desk.ask(2, at=database_clock() - 16 * MINUTE)
    assert tasks.expire_reservations() == 1
    assert Reservation.objects.get(pk=young.reservation_id).state == "held"
    event = UsageEvent.objects.get()
    assert (event.reservation_id, event.amount_nanousd) == (old.reservation_id, 2 * PENNY)
    assert abs(event.recorded_at - database_clock()) < MINUTE


@pytest.mark.usefixtures("twenty_minutes_ahead")
def test_a_worker_ahead_closes_the_books_of_no_lot_that_may_still_be_drawn_on() -> None:
    now = database_clock()
    scene = make_scene(at=now - DAY)
    give_credits(scene.team, PENNY, expires_at=now + 4 * MINUTE, at=now - DAY)
    give_credits(scene.team, PENNY, expires_at=now - 16 * MINUTE, at=now - DAY)
    assert tasks.expire_lots() == 1
    assert [lot.remaining_nanousd for lot in CreditGrant.objects.order_by("pk")] == [PENNY, 0]


def test_a_worker_ahead_writes_no_window_into_history_that_has_not_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = make_scene(at=database_clock() - DAY)
    scene.desk.use(1, at=database_clock())
    ahead(monkeypatch, 8 * DAY)
    tasks.close_windows()
    assert not ClosedWindow.objects.filter(name="week").exists()


@pytest.fixture
def operator() -> User:
    operator = make_user()
    User.objects.filter(pk=operator.pk).update(is_staff=True)
    return operator


def fails(*, at: object, **more: object) -> int:
    raise ValueError("somebody's row")


@pytest.mark.parametrize("broken", [(notices, "send_notices"), (unpriced, "report_unpriced")])
def test_that_reconcile_is_late_is_said_whatever_becomes_of_notices(
    broken: tuple[object, str], operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueued: list[object] = []
    monkeypatch.setattr(tasks, "enqueue", enqueued.append)
    monkeypatch.setattr(*broken, fails)
    make_scene().desk.use(1)
    begin_run(at=T0)
    with pytest.raises(ValueError, match="somebody's row"):
        tasks.send_notices()
    assert tasks.watch_reconcile() == 1
    assert Mail.objects.get(kind="reconcile_late").to == operator.email
    assert enqueued[-2:] == [deliver_mail, tasks.reconcile]


def test_of_notices_and_missing_prices_neither_stands_behind_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: list[datetime] = []

    def report(*, at: datetime) -> int:
        reported.append(at)
        return 0

    monkeypatch.setattr(notices, "send_notices", fails)
    monkeypatch.setattr(unpriced, "report_unpriced", report)
    with pytest.raises(ValueError, match="somebody's row"):
        tasks.send_notices()
    assert len(reported) == 1


def test_the_check_of_the_night_is_done_where_history_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_scene().desk.use(1)
    monkeypatch.setattr(windows_history, "close_windows", fails)
    with pytest.raises(ValueError, match="somebody's row"):
        tasks.reconcile()
    assert not reconcile_alarms.report_late(at=database_clock())


def test_holds_are_marked_where_others_cannot_be_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    make_scene().desk.ask(1)

    def cannot(*, turn: Turn) -> int:
        raise ValueError("none is found")

    monkeypatch.setattr(reservations, "charge_lapsed_holds", cannot)
    with pytest.raises(ValueError, match="none is found"):
        tasks.expire_reservations()
    assert Reservation.objects.get().expired


def released() -> int:
    return Reservation.objects.filter(state="released").count()


def rolled_up() -> int:
    return sum(UsageRollup.objects.filter(width_hours=24).values_list("calls", flat=True))


LATER = T0 + 8 * DAY
# The sweep, what it has done so far, and how much there is to do.
SWEEPS: dict[str, tuple[Callable[..., int], Callable[[], int], int]] = {
    "charge": (partial(reservations.charge_lapsed_holds, at=LATER), released, 5),
    "expire": (partial(reservations.expire_reservations, at=LATER), released, 5),
    "history": (partial(windows_history.close_windows, at=LATER), ClosedWindow.objects.count, 4),
    "rollups": (rollups.roll_up, rolled_up, 3),
}


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_stops_when_its_turn_is_over_and_the_next_run_goes_on(
    sweep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reservations, "RESERVATIONS_PER_TRANSACTION", 2)
    monkeypatch.setattr(windows_history, "WINDOWS_PER_TRANSACTION", 1)
    monkeypatch.setattr(windows_history, "EVENTS_PER_TRANSACTION", 2)
    monkeypatch.setattr(rollups, "EVENTS_PER_TRANSACTION", 1)
    monkeypatch.setattr(rollups, "BEHIND", timedelta(0))
    monkeypatch.setattr(recent, "CLOCKS_APART", timedelta(0))
    scene = make_scene(limits())
    for day in range(3):
        scene.desk.use(1, at=T0 + day * DAY)
    if sweep == "charge":
        charging(scene)
    for _ in range(5):
        scene.desk.ask(1, at=T0 + 3 * DAY)
    run, done, all_of_it = SWEEPS[sweep]

    after = [0]
    while after[-1] < all_of_it:
        # Each time it is asked a second has passed.
        run(turn=Turn(1, clock=itertools.count().__next__))
        after.append(done())
        assert len(after) < 12

    assert after == sorted(after)
    assert any(0 < part < all_of_it for part in after)
