"""What authorize refuses, and what it answers before it would refuse."""

from __future__ import annotations

import pytest

from quota.errors import ModelUnknown, QuotaExhausted, UsageOwed
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
from tests.helpers.hot_path import PENNY, counts

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
