"""When a draw counts, to the microsecond, and what it says of itself."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from quota.errors import AlreadySettled, EventIdReused, MomentOutOfRange
from quota.hot_path.draws import Report
from quota.hot_path.settle import settle
from quota.models import CreditMonth, Reservation, UsageEvent
from quota.services.reservations import expire_reservations
from teams.services.seats import assign_seat, free_seat
from tests.helpers.factories import T0, USD, Scene, give_credits, make_desk, make_gateway, make_member
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND, asked_of_credits, parts

pytestmark = pytest.mark.django_db

TICK = timedelta(microseconds=1)
EAST = timezone(timedelta(hours=14))


def test_a_draw_may_be_five_minutes_ahead_but_for_the_last_instant(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY)
    ahead = T0 + 5 * MINUTE
    assert scene.desk.draw(held, 1, occurred_at=ahead - TICK).event.occurred_at == ahead - TICK
    with pytest.raises(MomentOutOfRange, match="between the authorize of its lease and the end of it"):
        scene.desk.draw(held, 1, occurred_at=ahead)


def test_without_a_moment_a_draw_counts_now_but_never_before_its_lease(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY)
    moments = [scene.desk.draw(held, 1, at=at).event.occurred_at for at in (T0 - SECOND, T0 + SECOND)]
    assert moments == [T0, T0 + SECOND]


def test_a_draw_counts_in_the_month_that_it_is_in_utc(scene: Scene) -> None:
    give_credits(scene.team, USD)
    desk = make_desk(make_member(scene.team, credits=True))
    june = T0.replace(day=30, hour=21, minute=0)
    held = desk.lease(3 * PENNY, at=june)
    drawn = desk.draw(held, 1, at=june + MINUTE, occurred_at=(june + MINUTE).astimezone(EAST))
    assert drawn.event.occurred_at == june + MINUTE
    assert [str(month) for month in CreditMonth.objects.values_list("month", flat=True)] == ["2026-06-01"]


def test_a_hold_that_a_faster_clock_has_swept_holds_nothing(scene: Scene) -> None:
    held = scene.desk.ask(600)
    expire_reservations(at=held.expires_at)
    scene.desk.use(500, at=held.expires_at)
    assert parts(scene.desk.settle(held, 600, at=held.expires_at - SECOND)) == (490, 0, 110)
    row = Reservation.objects.get(pk=held.reservation_id)
    assert (row.left_quota_nanousd, row.state, row.expired) == (600 * PENNY, "settled", False)


def test_a_lease_that_has_ended_pays_nothing_though_its_seat_is_back(scene: Scene) -> None:
    give_credits(scene.team, USD)
    held = scene.desk.lease(10 * PENNY)
    free_seat(seat=scene.seat, at=T0, by=None)
    assert scene.desk.draw(held, 1).state == "ended"
    assign_seat(seat=scene.seat, membership=scene.owner, by=None, at=T0)
    drawn = scene.desk.draw(held, 2)
    assert (drawn.state, parts(drawn.event)) == ("ended", (0, 0, 2))


def test_a_receipt_of_a_draw_says_all_of_it_and_whose_it_is(scene: Scene) -> None:
    held, gateway = scene.desk.lease(100 * PENNY, agent="writer", tags=("t",)), make_gateway()
    report = Report(usage={"calls": 2}, model="penny", estimated=True, draw_id="d", occurred_at=T0)
    drawn = settle(gateway=gateway, reservation_id=held.reservation_id, report=report, at=T0 + MINUTE)
    (event,) = UsageEvent.objects.all()
    assert (drawn.event, drawn.is_new, drawn.state) == (event, True, "settled")
    said = (event.gateway, event.external_id, event.draw_id, event.reservation_id, event.estimated)
    assert said == (gateway, None, "d", held.reservation_id, True)
    whose = (event.team, event.membership, event.key, event.seat, event.plan)
    assert whose == (scene.team, scene.owner, scene.owner.keys.get(), scene.seat, scene.plan)
    assert (event.agent, event.tags, event.usage, event.recorded_at) == (
        *("writer", ["t"], {"calls": 2}),
        T0 + MINUTE,
    )
    row = Reservation.objects.get()
    assert (row.left_quota_nanousd, row.closed_at) == (98 * PENNY, T0 + MINUTE)


@pytest.mark.parametrize(
    "other",
    [Report(usage={"calls": 5}), Report(usage={"calls": 4}, estimated=True)],
    ids=["usage", "estimated"],
)
def test_what_was_settled_otherwise_is_pointed_at(scene: Scene, other: Report) -> None:
    held = scene.desk.ask(10)
    scene.desk.settle(held, 4)
    with pytest.raises(AlreadySettled, match="is settled with other usage") as refused:
        settle(gateway=scene.desk.gateway, reservation_id=held.reservation_id, report=other, at=T0)
    assert refused.value.pointer == "/usage"
    with pytest.raises(AlreadySettled):
        scene.desk.report(held, {"calls": 4}, model="nano")


def test_another_draw_under_one_id_is_named(scene: Scene) -> None:
    held = scene.desk.lease(10 * PENNY)
    scene.desk.draw(held, 1, draw_id="one")
    with pytest.raises(EventIdReused, match="The id 'one' was used for another draw from this reservation"):
        scene.desk.draw(held, 2, draw_id="one")


def test_draws_of_other_holds_and_other_ids_are_no_repeats(scene: Scene) -> None:
    held, other = scene.desk.lease(10 * PENNY), scene.desk.lease(10 * PENNY)
    for hold, draw_id in ((held, "one"), (held, "two"), (other, "one")):
        assert scene.desk.draw(hold, 1, draw_id=draw_id).is_new
    assert UsageEvent.objects.count() == 3


def test_credits_are_locked_for_the_draws_that_they_pay_alone(scene: Scene) -> None:
    give_credits(scene.team, USD)
    held = scene.desk.lease(990 * PENNY, seconds=7200)
    assert asked_of_credits(lambda: scene.desk.draw(held, 990, at=T0 + HOUR)) == []
    assert asked_of_credits(lambda: scene.desk.draw(held, 1, at=T0 + HOUR)) == [True]
