"""What authorize refuses, and what it answers before it would refuse."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.errors import ModelUnknown, QuotaExhausted, UsageOwed
from quota.models import UsageEvent
from quota.services.reservations import charge_lapsed_holds
from tests.helpers.factories import (
    T0,
    Scene,
    allow_credits,
    give_credits,
    make_desk,
    make_member,
    make_scene,
    make_team,
    owner_of,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, charging, counts, hold

pytestmark = pytest.mark.django_db


def test_a_call_that_is_open_is_answered_again_though_its_member_owes_since(scene: Scene) -> None:
    give_credits(scene.team, 3 * PENNY)
    desk = make_desk(make_member(scene.team, credits=True))
    first = desk.ask(1, request_id="first")
    desk.settle(desk.ask(1), 5)  # of which three cents are paid by nobody
    again = desk.ask(1, request_id="first")
    assert (again.reservation_id, again.repeated) == (first.reservation_id, True)


def test_who_owes_may_not_ask_again(scene: Scene) -> None:
    give_credits(scene.team, 3 * PENNY)
    desk = make_desk(make_member(scene.team, credits=True))
    desk.settle(desk.ask(3), 4)
    give_credits(make_team(), 3 * PENNY)
    before = counts()
    with pytest.raises(UsageOwed):
        desk.ask(0)
    assert counts() == before


def test_credits_that_may_not_pay_for_a_seat_let_no_call_fit_sooner(scene: Scene) -> None:
    give_credits(scene.team, 100 * PENNY)
    allow_credits(scene.owner, overflow="never")
    scene.desk.use(985)
    with pytest.raises(QuotaExhausted) as refused:
        scene.desk.ask(6)
    assert refused.value.fits_at == T0.replace(hour=15, minute=0)


@pytest.mark.parametrize("lease", [False, True])
def test_where_holds_that_will_be_charged_are_in_the_way_it_is_worth_asking_at_their_end(
    scene: Scene, lease: bool
) -> None:
    """Until then they may be reported, and use less; the window's end is when the call fits in any case."""
    charging(scene)
    hold(scene, 980, lease=lease)
    with pytest.raises(QuotaExhausted) as refused:
        scene.desk.ask(20, at=T0 + MINUTE)
    # A lease is charged at its end, and at the latest when it has been flushed.
    wait, minute = (29, 30) if lease else (14, 0)
    assert refused.value.retry_after == wait * 60
    assert refused.value.fits_at == T0.replace(hour=15, minute=minute)
    # What was used is in the way until it leaves its window, whatever becomes of calls under way.
    scene.desk.use(5, at=T0 + MINUTE)
    with pytest.raises(QuotaExhausted) as later:
        scene.desk.ask(986, at=T0 + 2 * MINUTE)
    assert later.value.retry_after == (T0.replace(hour=15, minute=0) - T0 - 2 * MINUTE).total_seconds()


def test_a_lease_of_a_day_that_will_be_charged_is_in_the_way_until_then(scene: Scene) -> None:
    charging(scene)
    day = timedelta(days=1)
    scene.desk.lease(980 * PENNY, seconds=86_400)
    with pytest.raises(QuotaExhausted) as refused:
        scene.desk.ask(20, at=T0 + MINUTE)
    assert refused.value.retry_after == (day + 14 * MINUTE).total_seconds()
    fits = refused.value.fits_at
    assert T0 + day + 5 * HOUR <= fits <= T0 + day + 5 * HOUR + 15 * MINUTE
    # Whether or not a sweep has charged it: no decision waits for one.
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(20, at=T0 + day + 20 * MINUTE)
    assert scene.desk.ask(20, at=fits).estimate_nanousd == 20 * PENNY
    charge_lapsed_holds(at=fits)
    assert UsageEvent.objects.get().occurred_at == T0 + day


@pytest.mark.parametrize("lease", [False, True])
def test_where_holds_are_in_the_way_a_call_waits_until_they_lapse(scene: Scene, lease: bool) -> None:
    hold(scene, 980, lease=lease)
    with pytest.raises(QuotaExhausted) as refused:
        scene.desk.ask(20, at=T0 + MINUTE)
    lapses = 15 * MINUTE + (timedelta(seconds=900) if lease else timedelta(0))
    assert refused.value.fits_at == T0 + lapses
    assert refused.value.retry_after == (lapses - MINUTE).total_seconds()


def test_a_call_that_fits_beside_a_lease_does_not_wait_for_its_end(scene: Scene) -> None:
    scene.desk.use(500)
    scene.desk.lease(400 * PENNY, at=T0 + MINUTE, seconds=8 * 3600)
    with pytest.raises(QuotaExhausted) as refused:
        scene.desk.ask(500, at=T0 + 2 * MINUTE)
    assert refused.value.fits_at == T0.replace(hour=15, minute=0)


def test_without_a_rate_card_no_model_is_known() -> None:
    desk = make_desk(owner_of(make_team()))
    with pytest.raises(ModelUnknown, match="'penny' is not on the rate card"):
        desk.ask()
    assert counts() == (0, 0, 0, 0)


def test_one_nano_dollar_of_credits_is_enough_for_a_call_estimated_at_nothing(scene: Scene) -> None:
    give_credits(scene.team, 1)
    desk = make_desk(make_member(scene.team, credits=True))
    assert desk.ask(0).estimate_nanousd == 0


def test_a_request_of_another_team_is_no_repeat_where_there_is_no_room(scene: Scene) -> None:
    make_scene().desk.ask(990, request_id="same")
    scene.desk.ask(990)
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(990, request_id="same")
