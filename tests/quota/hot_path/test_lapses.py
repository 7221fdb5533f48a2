"""What lapses is charged where the gateway says so, and what is reported later takes the place of it."""

from __future__ import annotations

import random

import pytest

from quota.errors import (
    AlreadySettled,
    ReservationClosed,
    ReservationLapsed,
)
from quota.hot_path.authorize import Authorization
from quota.hot_path.bulk import replay
from quota.hot_path.catalog import prices_then
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.extend import Extension, extend
from quota.hot_path.lapses import AT_THE_END
from quota.hot_path.settle import release
from quota.models import CreditGrant, CreditLedgerEntry, Gateway, OwedUsage, Reservation, UsageEvent
from quota.selectors.reconcile import differences
from quota.services.balance import add_to_balance
from quota.services.corrections import correct_charge
from quota.services.credits import adjust_lot, expire_lots
from quota.services.reservations import charge_lapsed_holds, expire_reservations
from teams.services.keys import reveal_key, revoke_keys
from tests.helpers.cases import many
from tests.helpers.factories import T0, Desk, Scene, give_credits, make_api_key, make_scene
from tests.helpers.hot_path import (
    HOUR,
    MINUTE,
    PENNY,
    SECOND,
    bar,
    charging_scene,
    counts,
    left,
    parts,
)

pytestmark = pytest.mark.django_db

END = T0 + 15 * MINUTE
LATER = T0 + HOUR
# No gateway's report is taken any more.
TOO_LATE = T0 + 61 * 24 * HOUR


@pytest.fixture
def scene() -> Scene:
    return charging_scene()


def of_hold(held: Authorization) -> list[tuple[int, int, int]]:
    """The charges of the hold, in the order in which they were written."""
    events = UsageEvent.objects.filter(reservation=held.reservation_id)
    return [
        parts(event) for event in sorted(events, key=lambda event: (event.recorded_at, event.amount_nanousd))
    ]


def credits_left(scene: Scene) -> int:
    return (
        sum(CreditGrant.objects.filter(team=scene.team).values_list("remaining_nanousd", flat=True)) // PENNY
    )


def test_what_is_left_at_the_end_is_charged_as_estimated_where_it_was_held(scene: Scene) -> None:
    held = scene.desk.ask(14)
    before = bar(scene, END)
    assert before == [(0, 10), (0, 10)]
    assert charge_lapsed_holds(at=END - SECOND) == 0
    assert charge_lapsed_holds(at=END) == 1
    event = UsageEvent.objects.get()
    assert parts(event) == (10, 4, 0)
    assert (event.model, event.modality, event.usage) == ("penny", "language", {})
    assert prices_then(event.rate_card_id, event.model, event.usage) == []
    assert (event.estimated, event.unpriced, event.occurred_at, event.recorded_at) == (True, False, T0, END)
    assert (event.gateway_id, event.membership_id, event.seat_id) == (
        scene.desk.gateway.pk,
        scene.owner.pk,
        scene.seat.pk,
    )
    assert bar(scene, END) == [(10, 0), (10, 0)]
    assert (left(held), credits_left(scene)) == ((0, 0, "released"), 26)
    row = Reservation.objects.get()
    assert (row.state_at(END), row.closed_at) == ("lapsed", END)
    written = counts()
    assert charge_lapsed_holds(at=LATER) + expire_reservations(at=LATER) == 0
    assert counts() == written
    assert not list(differences(LATER))


def test_without_the_setting_a_hold_lapses_and_is_free(scene: Scene) -> None:
    Gateway.objects.update(charge_hold=False)
    scene.desk.gateway.refresh_from_db()
    scene.desk.ask(8)
    assert (charge_lapsed_holds(at=LATER), expire_reservations(at=LATER)) == (0, 1)
    assert not UsageEvent.objects.exists()
    assert bar(scene, LATER)[0] == (0, 0)


@pytest.mark.parametrize("calls", [0, 3, 14, 16])
def test_a_later_settle_takes_the_place_of_the_charge(scene: Scene, calls: int) -> None:
    held = scene.desk.ask(14)
    charge_lapsed_holds(at=END)
    event = scene.desk.settle(held, calls, at=LATER)
    quota = min(calls, 10)
    assert sorted(of_hold(held)) == [(-10, -4, 0), *sorted([(quota, calls - quota, 0), (10, 4, 0)])]
    first = UsageEvent.objects.get(draw_id=AT_THE_END)
    assert (event.corrects_id, event.estimated, event.usage) == (first.pk, False, {"calls": calls})
    assert bar(scene, LATER) == [(quota, 0)] * 2
    assert (credits_left(scene), Reservation.objects.get().state) == (30 - (calls - quota), "settled")
    written = counts()
    assert scene.desk.settle(held, calls, at=LATER + HOUR) == event
    with pytest.raises(AlreadySettled):
        scene.desk.settle(held, calls + 1, at=LATER)
    assert charge_lapsed_holds(at=LATER + HOUR) == 0
    assert counts() == written
    assert not list(differences(LATER))


def test_a_release_gives_back_what_was_charged(scene: Scene) -> None:
    held = scene.desk.ask(14)
    charge_lapsed_holds(at=END)
    release(reservation_id=held.reservation_id, at=LATER)
    assert of_hold(held) == [(10, 4, 0), (-10, -4, 0)]
    assert (bar(scene, LATER)[0], credits_left(scene)) == ((0, 0), 30)
    row = Reservation.objects.get()
    assert (row.state_at(LATER), row.closed_at) == ("released", LATER)
    written = counts()
    release(reservation_id=held.reservation_id, at=LATER + HOUR)
    assert (counts(), charge_lapsed_holds(at=LATER + HOUR)) == (written, 0)


def test_a_lease_is_charged_after_its_flush_and_what_a_late_draw_leaves_of_it_again(scene: Scene) -> None:
    held = scene.desk.lease(14 * PENNY, seconds=600)
    scene.desk.draw(held, 2, at=T0 + MINUTE, draw_id="first")
    flushed = T0 + 25 * MINUTE
    assert charge_lapsed_holds(at=flushed - SECOND) == 0
    assert charge_lapsed_holds(at=flushed) == 1
    assert of_hold(held) == [(2, 0, 0), (8, 4, 0)]
    assert UsageEvent.objects.get(draw_id=AT_THE_END).model == "lease"

    drawn = scene.desk.draw(held, 3, at=LATER, draw_id="second", occurred_at=T0 + 2 * MINUTE)
    assert (drawn.state, parts(drawn.event)) == ("lapsed", (3, 0, 0))
    assert sorted(of_hold(held)[2:]) == [(-8, -4, 0), (3, 0, 0), (5, 4, 0)]
    assert bar(scene, LATER)[0] == (10, 0)
    written = counts()
    assert not scene.desk.draw(held, 3, at=LATER, draw_id="second", occurred_at=T0 + 2 * MINUTE).is_new
    assert counts() == written

    # Beyond all that was held: nothing is left to charge.
    scene.desk.draw(held, 11, at=LATER + SECOND, draw_id="third", occurred_at=T0 + 2 * MINUTE)
    assert sum(sum(charge) for charge in of_hold(held)) == 2 + 3 + 11
    assert Reservation.objects.get().state_at(LATER) == "lapsed"
    assert not list(differences(LATER))


def test_a_settle_of_a_lease_ends_what_was_charged_of_it(scene: Scene) -> None:
    held = scene.desk.lease(14 * PENNY, seconds=600)
    charge_lapsed_holds(at=LATER)
    scene.desk.draw(held, 3, at=LATER, draw_id="late")
    scene.desk.report(held, {"calls": 1}, at=LATER + SECOND, model="penny")
    assert sum(sum(charge) for charge in of_hold(held)) == 4
    assert (bar(scene, LATER)[0], credits_left(scene)) == ((4, 0), 30)


def test_a_lease_whose_key_has_gone_is_charged_once_more_and_ended(scene: Scene) -> None:
    held = scene.desk.lease(14 * PENNY, seconds=600)
    revoke_keys(membership=scene.owner, at=T0 + MINUTE, by=None)
    charge_lapsed_holds(at=LATER)
    assert of_hold(held) == [(10, 4, 0)]
    assert scene.desk.draw(held, 3, at=LATER, draw_id="late").state == "ended"
    assert sorted(of_hold(held)) == [(-10, -4, 0), (3, 0, 0), (10, 4, 0)]
    assert (bar(scene, LATER)[0], credits_left(scene)) == ((3, 0), 30)


def test_credits_of_a_lot_that_has_expired_since_pay_for_what_was_held_of_them(scene: Scene) -> None:
    CreditGrant.objects.update(expires_at=END - SECOND)
    held = scene.desk.ask(14)
    expire_lots(at=END)
    charge_lapsed_holds(at=END)
    assert of_hold(held) == [(10, 4, 0)]
    expire_lots(at=LATER)
    assert credits_left(scene) == 0
    event = scene.desk.settle(held, 12, at=LATER)
    assert parts(event) == (10, 2, 0)
    expire_lots(at=LATER)
    assert credits_left(scene) == 0
    assert not OwedUsage.objects.exists()
    assert not list(differences(LATER))


def test_what_was_drawn_whole_is_not_charged_and_no_other_hold_ends_with_it(scene: Scene) -> None:
    drawn = scene.desk.lease(2 * PENNY, seconds=60)
    scene.desk.draw(drawn, 2)
    open_still = scene.desk.lease(3 * PENNY, seconds=3600)
    assert charge_lapsed_holds(at=T0 + 20 * MINUTE) == 1
    assert UsageEvent.objects.count() == 1
    assert (left(drawn)[2], left(open_still)) == ("released", (3, 0, "held"))


def test_a_lease_that_quota_and_credits_hold_alike_is_charged_whole(scene: Scene) -> None:
    held = scene.desk.lease(20 * PENNY, seconds=60)
    charge_lapsed_holds(at=LATER)
    assert of_hold(held) == [(10, 10, 0)]
    assert UsageEvent.objects.get().modality == ""


def test_what_credits_held_they_pay_though_quota_has_room_again(scene: Scene) -> None:
    other = scene.desk.ask(6)
    held = scene.desk.ask(14)
    release(reservation_id=other.reservation_id, at=T0 + MINUTE)
    assert charge_lapsed_holds(at=END) == 1
    assert of_hold(held) == [(4, 10, 0)]
    assert (bar(scene, LATER)[0], credits_left(scene)) == ((4, 0), 20)


def test_only_the_lots_of_its_own_team_pay(scene: Scene) -> None:
    give_credits(make_scene().team, 100 * PENNY, expires_at=T0 + 30 * 24 * HOUR)
    held = scene.desk.ask(14)
    CreditGrant.objects.filter(team=scene.team).update(frozen_at=T0 + MINUTE)
    charge_lapsed_holds(at=END)
    assert of_hold(held) == [(10, 0, 0)]


def test_what_nobody_reported_is_not_owed_where_the_lot_it_was_held_on_has_gone(scene: Scene) -> None:
    held = scene.desk.ask(14)
    CreditGrant.objects.update(frozen_at=T0 + MINUTE)
    assert charge_lapsed_holds(at=END) == 1
    assert of_hold(held) == [(10, 0, 0)]
    assert (credits_left(scene), OwedUsage.objects.exists()) == (30, False)
    # What is reported is.
    assert parts(scene.desk.settle(held, 14, at=LATER)) == (10, 0, 4)
    assert not list(differences(LATER))


def test_what_an_operator_made_of_the_charge_gives_way_to_what_is_reported(scene: Scene) -> None:
    held = scene.desk.ask(14)
    charge_lapsed_holds(at=END)
    event = UsageEvent.objects.get()
    correct_charge(event=event, usage={"calls": 25}, reason="said so", at=END + MINUTE, by=None)
    scene.desk.settle(held, 5, at=LATER)
    assert sum(sum(charge) for charge in of_hold(held)) == 5
    assert (bar(scene, LATER)[0], credits_left(scene)) == ((5, 0), 30)
    assert not list(differences(LATER))


def test_credits_that_an_operator_gave_back_by_hand_stop_no_report(scene: Scene) -> None:
    held = scene.desk.ask(14)
    charge_lapsed_holds(at=END)
    kind = CreditLedgerEntry.Kind.ADJUSTMENT
    adjust_lot(lot=CreditGrant.objects.get(), nanousd=4 * PENNY, kind=kind, cause="sorry", at=END, by=None)
    assert parts(scene.desk.settle(held, 12, at=LATER)) == (10, 2, 0)
    assert credits_left(scene) == 28
    assert not list(differences(LATER))


def test_a_correction_to_more_than_was_held_gives_a_late_draw_no_more_than_was_left(scene: Scene) -> None:
    held = scene.desk.lease(8 * PENNY, seconds=600)
    scene.desk.draw(held, 2, at=T0 + MINUTE)
    scene.desk.lease(20 * PENNY, at=T0 + SECOND, seconds=600)
    charge_lapsed_holds(at=LATER)
    own = UsageEvent.objects.filter(reservation=held.reservation_id, usage={}, is_undo=False)
    for turn, name in enumerate(("late", "later", "latest")):
        now = LATER + turn * MINUTE
        last = own.order_by("-recorded_at")[0]
        correct_charge(event=last, usage={"calls": 9}, model="penny", reason="x", at=now, by=None)
        scene.desk.draw(held, 1, at=now + SECOND, draw_id=name, occurred_at=T0 + MINUTE)
        assert sum(sum(charge) for charge in of_hold(held)) == 8
        assert not list(differences(now + SECOND))


def test_a_charge_that_an_operator_took_away_stays_away_until_usage_is_reported(scene: Scene) -> None:
    held = scene.desk.ask(14)
    charge_lapsed_holds(at=END)
    correct_charge(event=UsageEvent.objects.get(), usage=None, reason="failed", at=END, by=None)
    assert charge_lapsed_holds(at=LATER) == 0
    scene.desk.settle(held, 5, at=LATER)
    assert (sum(sum(charge) for charge in of_hold(held)), bar(scene, LATER)[0]) == (5, (5, 0))


def test_a_hold_that_has_ended_is_neither_extended_nor_answered_again(scene: Scene) -> None:
    held = scene.desk.ask(4, request_id="once")
    for at in (END, END + MINUTE):
        with pytest.raises(ReservationLapsed):
            extend(reservation_id=held.reservation_id, extension=Extension(lifetime_seconds=60), at=at)
        with pytest.raises(ReservationClosed):
            scene.desk.ask(4, request_id="once", at=at)
        charge_lapsed_holds(at=at)


@pytest.mark.parametrize("still", [True, False])
def test_an_extended_hold_is_charged_at_its_new_end(scene: Scene, still: bool) -> None:
    held = scene.desk.ask(4)
    Gateway.objects.update(charge_hold=still)
    extend(reservation_id=held.reservation_id, extension=Extension(lifetime_seconds=3600), at=T0 + MINUTE)
    assert charge_lapsed_holds(at=T0 + HOUR + MINUTE - SECOND) == 0
    assert charge_lapsed_holds(at=T0 + HOUR + MINUTE) == 1


def test_an_api_keys_hold_is_charged_to_the_balance(scene: Scene) -> None:
    add_to_balance(team=scene.team, nanousd=20 * PENNY, source="pi", cause="Bought", at=T0, by=None)
    key = make_api_key(scene.owner)
    desk = Desk(scene.desk.gateway, reveal_key(key.texts.get()))
    held = desk.ask(6)
    charge_lapsed_holds(at=END)
    event = UsageEvent.objects.get()
    assert (event.from_balance_nanousd, event.api_key_id) == (6 * PENNY, key.pk)
    lease = desk.lease(6 * PENNY, seconds=60)
    charge_lapsed_holds(at=LATER)
    desk.draw(lease, 1, at=LATER, occurred_at=T0)
    assert CreditGrant.objects.api_balance().remaining() == 8 * PENNY
    desk.settle(held, 2, at=LATER)
    desk.report(lease, {"calls": 0}, at=LATER, model="penny")
    assert CreditGrant.objects.api_balance().remaining() == 17 * PENNY
    assert not list(differences(LATER))


@pytest.mark.parametrize(("calls", "charged"), [(5, (5, 0, 0)), (14, (10, 4, 0))])
def test_what_is_replayed_after_any_time_is_paid_by_what_was_charged(
    scene: Scene, calls: int, charged: tuple[int, int, int]
) -> None:
    held = scene.desk.ask(14)
    charge_lapsed_holds(at=END)
    expire_lots(at=TOO_LATE)
    replayed(scene, held, Report(usage={"calls": calls}), closes=True)
    assert sorted(of_hold(held)) == [(-10, -4, 0), *sorted([charged, (10, 4, 0)])]
    assert credits_left(scene) == 4 - charged[1]
    assert not list(differences(TOO_LATE))


def test_a_draw_that_is_replayed_after_any_time_is_a_part_of_what_was_charged(scene: Scene) -> None:
    held = scene.desk.lease(14 * PENNY, seconds=600)
    charge_lapsed_holds(at=LATER)
    report = Report(usage={"calls": 3}, model="penny", draw_id="late", occurred_at=T0 + MINUTE)
    replayed(scene, held, report, closes=False)
    assert sorted(of_hold(held)) == [(-10, -4, 0), (3, 0, 0), (7, 4, 0), (10, 4, 0)]
    assert not list(differences(TOO_LATE))


def test_what_is_replayed_is_a_part_of_what_no_sweep_has_charged_for_months(scene: Scene) -> None:
    held = scene.desk.lease(14 * PENNY, seconds=600)
    report = Report(usage={"calls": 3}, model="penny", draw_id="late", occurred_at=T0 + MINUTE)
    replayed(scene, held, report, closes=False)
    assert charge_lapsed_holds(at=TOO_LATE) == 1
    assert of_hold(held) == [(3, 0, 0), (7, 4, 0)]
    assert not list(differences(TOO_LATE))


def replayed(scene: Scene, held: Authorization, report: Report, *, closes: bool) -> None:
    row = Settlement(held.reservation_id, report, closes)
    assert replay(gateway=scene.desk.gateway, row=row, received_at=TOO_LATE, at=TOO_LATE)


def test_a_gateways_ids_are_its_own_whatever_they_say(scene: Scene) -> None:
    """A gateway may take them from its callers, who would have their usage given back."""
    held = scene.desk.lease(14 * PENNY, seconds=600)
    scene.desk.draw(held, 2, at=T0 + MINUTE, draw_id="charged at its end")
    assert charge_lapsed_holds(at=LATER) == 1
    scene.desk.draw(held, 3, at=LATER, draw_id=f"undo {UsageEvent.objects.get(draw_id=AT_THE_END).pk}")
    release(reservation_id=held.reservation_id, at=LATER + SECOND)
    assert sum(sum(charge) for charge in of_hold(held)) == 2 + 3
    assert (bar(scene, LATER)[0], credits_left(scene)) == ((5, 0), 30)
    assert not list(differences(LATER))


@pytest.mark.parametrize("seed", many(range(6)))
def test_however_it_is_reported_around_its_end_it_comes_to_what_was_used(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    give_credits(scene.team, 100 * PENNY, expires_at=T0 + 40 * 24 * HOUR)
    total = 0
    for turn in range(8):
        at, later = T0 + turn * 10 * SECOND, LATER + turn * SECOND
        held = scene.desk.lease(chance.randrange(1, 9) * PENNY, at=at, seconds=600)
        used = [chance.randrange(5) for _ in range(chance.randrange(4))]
        early = chance.randrange(len(used) + 1)
        for number, calls in enumerate(used):
            if number == early:
                charge_lapsed_holds(at=later)
            now = at if number < early else later
            scene.desk.draw(held, calls, at=now, occurred_at=at, draw_id=f"d{number}")
        charge_lapsed_holds(at=later)
        if chance.random() < 0.5:
            release(reservation_id=held.reservation_id, at=later)
            total += sum(used)
        else:
            total += max(sum(used), held.estimate_nanousd // PENNY)
        assert not list(differences(LATER + MINUTE))
    assert bar(scene, LATER)[1][0] + 130 - credits_left(scene) == total
    assert [held for _, held in bar(scene, LATER)] == [0, 0]
