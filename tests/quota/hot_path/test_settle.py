"""Settle and release: who pays in the end, once, and what a hold is worth then."""

from dataclasses import replace
from uuid import UUID

import pytest

from quota.errors import (
    AlreadyReleased,
    AlreadySettled,
    ReservationUnknown,
)
from quota.hot_path.catalog import prices_then, windows_then
from quota.hot_path.settle import release
from quota.models import (
    CreditLedgerEntry,
    Reservation,
    UsageEvent,
)
from quota.pricing import Price
from quota.selectors.usage_bar import usage_bar
from tests.helpers.factories import T0, USD, Desk, Scene, give_credits, make_gateway, make_scene
from tests.helpers.hot_path import (
    HOUR,
    MINUTE,
    PENNY,
    counts,
    recognised_gateway,
    statements,
    used,
    windows_after,
    windows_before,
)

pytestmark = pytest.mark.django_db


def test_settling_charges_what_was_used_and_frees_the_rest(scene: Scene) -> None:
    event = scene.desk.settle(scene.desk.ask(10), 4, at=T0 + MINUTE)
    assert (event.amount_nanousd, event.from_quota_nanousd) == (4 * PENNY, 4 * PENNY)
    assert (event.occurred_at, event.recorded_at) == (T0, T0 + MINUTE)
    assert [w.held for w in windows_before(event)] == [10 * PENNY] * 2
    assert [(w.used, w.held) for w in windows_after(event)] == [(4 * PENNY, 0)] * 2
    assert prices_then(event.rate_card_id, event.model, event.usage) == [Price("calls", 1, PENNY)]
    assert [w.held for w in usage_bar(scene.owner, T0 + MINUTE).windows] == [0, 0]


def test_settling_twice_with_the_same_usage_gives_the_same_receipt(scene: Scene) -> None:
    held = scene.desk.ask(10)
    first = scene.desk.settle(held, 4)
    assert scene.desk.settle(held, 4, at=T0 + HOUR).pk == first.pk
    assert used(scene) == [4 * PENNY, 4 * PENNY]


def test_settling_twice_with_other_usage_is_refused(scene: Scene) -> None:
    held = scene.desk.ask(10)
    scene.desk.settle(held, 4)
    before = counts()
    with pytest.raises(AlreadySettled):
        scene.desk.settle(held, 5)
    assert counts() == before
    assert used(scene) == [4 * PENNY, 4 * PENNY]


def test_usage_beyond_the_hold_takes_quota_then_credits_then_overruns(scene: Scene) -> None:
    give_credits(scene.team, 3 * PENNY)
    scene.desk.use(980)
    held = scene.desk.ask(5)
    event = scene.desk.settle(held, 20)
    assert (event.from_quota_nanousd, event.from_credits_nanousd, event.overrun_nanousd) == (
        10 * PENNY,
        3 * PENNY,
        7 * PENNY,
    )
    assert used(scene) == [997 * PENNY, 997 * PENNY]


def test_usage_beyond_the_hold_does_not_take_what_others_hold(scene: Scene) -> None:
    held = scene.desk.ask(5)
    other = scene.desk.ask(980)
    event = scene.desk.settle(held, 20)
    assert (event.from_quota_nanousd, event.overrun_nanousd) == (10 * PENNY, 10 * PENNY)
    assert scene.desk.settle(other, 980).from_quota_nanousd == 980 * PENNY


def test_quota_that_became_free_is_used_before_the_credits_that_were_held(scene: Scene) -> None:
    give_credits(scene.team, USD)
    blocker = scene.desk.ask(980)
    held = scene.desk.ask(30)
    assert held.from_credits_nanousd == 20 * PENNY
    release(reservation_id=blocker.reservation_id, at=T0)
    event = scene.desk.settle(held, 30)
    assert (event.from_quota_nanousd, event.from_credits_nanousd) == (30 * PENNY, 0)
    assert CreditLedgerEntry.objects.for_team(scene.team).balance() == USD


def test_settling_after_the_lifetime_still_records_the_usage(scene: Scene) -> None:
    held = scene.desk.ask(5)
    event = scene.desk.settle(held, 5, at=T0 + HOUR)
    assert (event.from_quota_nanousd, event.occurred_at) == (5 * PENNY, T0)
    assert used(scene) == [5 * PENNY, 5 * PENNY]


def test_settling_after_the_lifetime_holds_nothing_any_more(scene: Scene) -> None:
    held = scene.desk.ask(600)
    scene.desk.use(600, at=T0 + HOUR)
    event = scene.desk.settle(held, 600, at=T0 + 2 * HOUR)
    assert (event.from_quota_nanousd, event.overrun_nanousd) == (390 * PENNY, 210 * PENNY)


def test_a_released_reservation_holds_nothing_and_cannot_be_settled(scene: Scene) -> None:
    held = scene.desk.ask(990)
    release(reservation_id=held.reservation_id, at=T0)
    row = release(reservation_id=held.reservation_id, at=T0 + MINUTE)
    assert (row.state, row.closed_at) == ("released", T0)
    with pytest.raises(AlreadyReleased):
        scene.desk.settle(held, 1)
    assert scene.desk.ask(990).from_quota_nanousd == 990 * PENNY


def test_a_settled_reservation_cannot_be_released(scene: Scene) -> None:
    held = scene.desk.ask(5)
    scene.desk.settle(held, 5)
    with pytest.raises(AlreadySettled):
        release(reservation_id=held.reservation_id, at=T0)
    assert used(scene) == [5 * PENNY, 5 * PENNY]


def test_a_hold_keeps_the_windows_of_its_answer_until_it_is_settled(scene: Scene) -> None:
    held = scene.desk.ask(10)
    row = Reservation.objects.get()
    assert windows_then(row) == held.windows
    scene.desk.settle(held, 4, at=T0 + MINUTE)
    row.refresh_from_db()
    assert (row.state, row.windows) == ("settled", b"")


def test_usage_of_a_meter_without_a_price_is_recorded_and_the_rest_charged(scene: Scene) -> None:
    held = scene.desk.ask(5)
    usage = {"calls": 4, "songs": 2, "clips": 0}
    event = scene.desk.report(held, usage)
    event.refresh_from_db()
    assert (event.amount_nanousd, event.unpriced, event.usage) == (4 * PENNY, True, usage)
    assert [price.meter for price in prices_then(event.rate_card_id, "penny", usage)] == ["calls"]
    assert used(scene) == [4 * PENNY, 4 * PENNY]


def test_a_quantity_of_zero_of_a_meter_without_a_price_marks_nothing(scene: Scene) -> None:
    held = scene.desk.ask(5)
    usage = {"calls": 4, "songs": 0}
    event = scene.desk.report(held, usage)
    assert (event.amount_nanousd, event.unpriced) == (4 * PENNY, False)


def test_any_gateway_of_the_operator_acts_on_a_hold(scene: Scene) -> None:
    held, let_go = scene.desk.ask(5), scene.desk.ask(5)
    other = Desk(make_gateway(), scene.desk.key)
    event = other.settle(held, 4)
    assert (event.gateway, event.from_quota_nanousd) == (other.gateway, 4 * PENNY)
    assert release(reservation_id=let_go.reservation_id, at=T0).state == "released"


def test_there_is_nothing_to_settle_under_an_id_that_nobody_was_given(scene: Scene) -> None:
    with pytest.raises(ReservationUnknown):
        scene.desk.settle(replace(scene.desk.ask(5), reservation_id=UUID(int=1)), 5)
    with pytest.raises(ReservationUnknown):
        release(reservation_id=UUID(int=1), at=T0)
    assert not UsageEvent.objects.exists()


def test_a_call_is_charged_at_the_window_and_prices_of_its_authorization() -> None:
    scene = make_scene()
    sunday = T0.replace(day=7, hour=23, minute=59)
    event = scene.desk.settle(scene.desk.ask(5, at=sunday), 5, at=sunday + 2 * MINUTE)
    assert event.occurred_at == sunday
    week = usage_bar(scene.owner, sunday + 2 * MINUTE).windows[1]
    assert week.used == 0


@pytest.mark.parametrize("road", ["alone"], indirect=True)
def test_a_settle_is_three_statements_and_asks_for_no_draw_before_it(scene: Scene) -> None:
    desk = Desk(recognised_gateway(), scene.desk.key)
    held = desk.ask(5)
    state, credential, written = statements(lambda: desk.settle(held, 4))
    assert "quota_reservation_state" in state
    assert "quota_gatewaycredential" in credential
    assert "quota_write_charge" in written
