"""Draws: what a call takes out of a hold, and what leases are for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from quota.errors import (
    AlreadyReleased,
    AlreadySettled,
    EventIdReused,
    LargerThanTheWindow,
    ModelUnknown,
    NoUsableResources,
    QuotaExhausted,
)
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.settle import release
from quota.models import CreditGrant, CreditMonth, Reservation, UsageEvent
from quota.selectors.reconcile import differences
from quota.services.credits import expire_lots
from teams.services.keys import revoke_keys, rotate_key
from tests.helpers.factories import (
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    make_desk,
    make_gateway,
    make_member,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND, bar, counts, left, parts, reported
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db

DAY = 24 * HOUR


def test_a_lease_holds_an_amount_for_calls_of_any_model(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY, agent="writer", tags=("night", "batch"))
    row = Reservation.objects.get()
    assert (row.model, row.agent, row.tags) == ("", "writer", ["night", "batch"])
    assert (held.estimate_nanousd, held.from_quota_nanousd) == (100 * PENNY, 100 * PENNY)
    assert (row.expires_at, row.holds_until) == (T0 + 15 * MINUTE, T0 + 30 * MINUTE)
    assert bar(scene, T0 + MINUTE) == [(0, 100)] * 2


def test_what_is_held_shrinks_by_each_draw_and_the_rest_is_let_go_at_the_end(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY)
    first = scene.desk.draw(held, 30, at=T0 + MINUTE)
    assert (first.is_new, first.state, parts(first.event)) == (True, "held", (30, 0, 0))
    assert (left(held), bar(scene, T0 + MINUTE)) == ((70, 0, "held"), [(30, 70)] * 2)
    assert release(reservation_id=held.reservation_id, at=T0 + 2 * MINUTE).state == "released"
    assert bar(scene, T0 + 3 * MINUTE) == [(30, 0)] * 2


def test_a_settle_is_the_last_draw_of_a_lease_and_names_its_model(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY)
    scene.desk.draw(held, 30)
    with pytest.raises(InvalidValue, match="names the model") as refused:
        scene.desk.settle(held, 5)
    assert refused.value.pointer == "/model"
    event = scene.desk.report(held, {"calls": 5}, model="penny", at=T0 + MINUTE)
    assert (event.draw_id, event.occurred_at, parts(event)) == ("", T0 + MINUTE, (5, 0, 0))
    assert (left(held)[2], bar(scene, T0 + MINUTE)) == ("settled", [(35, 0)] * 2)
    assert scene.desk.report(held, {"calls": 5}, model="penny", at=T0 + HOUR).pk == event.pk


def test_the_same_draw_twice_is_charged_once_and_another_under_its_id_is_refused(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY)
    moment = T0 + SECOND
    draw: dict[str, Any] = {"draw_id": "one", "occurred_at": moment, "agent": "a", "tags": ("t",)}
    first = scene.desk.draw(held, 3, at=T0 + MINUTE, **draw)
    again = scene.desk.draw(held, 3, at=T0 + 2 * MINUTE, **draw)
    assert (again.event.pk, again.is_new, again.state) == (first.event.pk, False, "held")
    before = counts()
    changes: list[dict[str, Any]] = [
        *({"occurred_at": T0}, {"agent": "b"}, {"tags": ()}, {"estimated": True}, {"usage": {"calls": 4}}),
        {"model": "other"},
    ]
    for change in changes:
        with pytest.raises(EventIdReused) as refused:
            scene.desk.draw(held, 3, at=T0 + MINUTE, **draw | change)
        assert refused.value.pointer == "/id"
    assert (counts(), left(held)) == (before, (97, 0, "held"))
    # Of another hold, the id is another draw.
    assert scene.desk.draw(scene.desk.lease(PENNY), 1, at=T0 + MINUTE, **draw).is_new


def test_after_the_end_the_same_draw_has_its_receipt_and_a_new_one_is_refused(scene: Scene) -> None:
    settled, released = scene.desk.lease(10 * PENNY), scene.desk.lease(10 * PENNY)
    receipts = [scene.desk.draw(held, 2, draw_id="one").event.pk for held in (settled, released)]
    scene.desk.report(settled, {"calls": 1}, model="penny")
    release(reservation_id=released.reservation_id, at=T0)
    again = [scene.desk.draw(held, 2, draw_id="one", at=T0 + HOUR) for held in (settled, released)]
    assert [(drawn.event.pk, drawn.is_new, drawn.state) for drawn in again] == [
        (receipts[0], False, "settled"),
        (receipts[1], False, "released"),
    ]
    before = counts()
    with pytest.raises(AlreadySettled):
        scene.desk.draw(settled, 2, draw_id="two")
    with pytest.raises(AlreadyReleased):
        scene.desk.draw(released, 2, draw_id="two")
    assert counts() == before


def test_a_draw_says_what_really_ran_and_for_whom(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY, agent="writer", tags=("night",))
    event = scene.desk.draw(held, 1).event
    assert (event.agent, event.tags, event.estimated) == ("writer", ["night"], False)
    event = scene.desk.draw(held, 1, agent="reader", tags=(), estimated=True).event
    assert (event.agent, event.tags, event.estimated) == ("reader", [], True)
    with pytest.raises(ModelUnknown):
        scene.desk.draw(held, 1, model="whisper")


def test_a_call_that_ran_on_another_model_is_priced_as_that(scene: Scene) -> None:
    held = scene.desk.ask(5)
    report = {"calls": 2}
    event = scene.desk.report(held, report, model="penny")
    assert (event.model, event.amount_nanousd) == ("penny", 2 * PENNY)
    assert scene.desk.report(held, report).pk == event.pk
    with pytest.raises(ModelUnknown):
        scene.desk.report(scene.desk.ask(5), report, model="whisper")


def test_a_call_may_be_charged_in_parts_and_counts_at_its_authorize(scene: Scene) -> None:
    held = scene.desk.ask(10)
    first = scene.desk.draw(held, 4, at=T0 + MINUTE, model="", occurred_at=T0 + MINUTE)
    assert (first.event.occurred_at, first.event.model, left(held)) == (T0, "penny", (6, 0, "held"))
    scene.desk.settle(held, 5, at=T0 + MINUTE)
    assert (left(held)[2], bar(scene, T0 + MINUTE)) == ("settled", [(9, 0)] * 2)


# --- who pays, and what a lease promises


def test_an_open_lease_takes_its_room_in_every_window_until_it_is_closed(scene: Scene) -> None:
    held = scene.desk.lease(990 * PENNY, seconds=86_400)
    for hours in (1, 6, 23):
        with pytest.raises(QuotaExhausted):
            scene.desk.ask(1, at=T0 + hours * HOUR)
    assert bar(scene, T0 + 23 * HOUR)[0] == (0, 990)
    scene.desk.draw(held, 990, at=T0 + 23 * HOUR)
    assert bar(scene, T0 + 23 * HOUR) == [(990, 0)] * 2


def test_a_lease_over_monday_holds_in_both_weeks_and_each_draw_counts_in_its_own(scene: Scene) -> None:
    sunday = datetime.fromisoformat("2026-06-07T23:00:00+00:00")
    held = scene.desk.lease(100 * PENNY, at=sunday, seconds=7200)
    scene.desk.draw(held, 10, at=sunday + 90 * MINUTE, occurred_at=sunday + 30 * MINUTE)
    scene.desk.draw(held, 20, at=sunday + 90 * MINUTE, occurred_at=sunday + 90 * MINUTE)
    assert bar(scene, sunday + 90 * MINUTE)[1] == (20, 70)
    assert bar(scene, sunday + 30 * MINUTE)[1] == (10, 70)


def test_what_a_lease_holds_is_paid_though_the_room_has_gone_since(scene: Scene) -> None:
    held = scene.desk.lease(600 * PENNY)
    reported(scene, "others", 800, T0 + SECOND, at=T0 + MINUTE)
    assert parts(scene.desk.draw(held, 600, at=T0 + MINUTE).event) == (600, 0, 0)
    assert bar(scene, T0 + MINUTE)[0] == (1400, 0)


def test_a_draw_beyond_the_lease_is_recorded_quota_first_then_credits_then_overrun(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY)
    held = scene.desk.lease(985 * PENNY)
    assert parts(scene.desk.draw(held, 1000).event) == (990, 5, 5)
    assert left(held) == (0, 0, "held")


def test_a_lease_of_quota_and_credits_is_drawn_quota_first(scene: Scene) -> None:
    give_credits(scene.team, 50 * PENNY)
    held = scene.desk.lease(1000 * PENNY)
    assert (held.from_quota_nanousd, held.from_credits_nanousd) == (990 * PENNY, 10 * PENNY)
    assert parts(scene.desk.draw(held, 985).event) == (985, 0, 0)
    assert left(held) == (5, 10, "held")
    assert parts(scene.desk.draw(held, 8).event) == (5, 3, 0)
    assert left(held) == (0, 7, "held")
    # What it still holds is nobody else's.
    member = make_member(scene.team, credits=True)
    with pytest.raises(NoUsableResources):
        make_desk(member).ask(41)
    make_desk(member).ask(40)


def test_a_lease_for_more_than_there_is_is_refused_and_holds_nothing(scene: Scene) -> None:
    with pytest.raises(LargerThanTheWindow):
        scene.desk.lease(991 * PENNY)
    scene.desk.ask(1)
    with pytest.raises(QuotaExhausted):
        scene.desk.lease(990 * PENNY)
    assert Reservation.objects.count() == 1


def test_a_lease_on_credits_alone(scene: Scene) -> None:
    member = make_member(scene.team, credits=True)
    give_credits(scene.team, 10 * PENNY)
    held = make_desk(member).lease(10 * PENNY)
    assert (held.from_quota_nanousd, held.from_credits_nanousd, held.windows) == (0, 10 * PENNY, [])
    assert parts(make_desk(member).draw(held, 4).event) == (0, 4, 0)
    assert CreditGrant.objects.get().remaining_nanousd == 6 * PENNY


def test_a_month_cap_counts_a_lease_in_each_month_that_it_may_be_drawn_in(scene: Scene) -> None:
    member = make_member(scene.team)
    allow_credits(member, month_cap=10 * PENNY)
    give_credits(scene.team, USD)
    june = datetime.fromisoformat("2026-06-30T23:30:00+00:00")
    desk = make_desk(member)
    held = desk.lease(8 * PENNY, at=june, seconds=3600)
    for moment in (june + MINUTE, june + 40 * MINUTE):
        with pytest.raises(NoUsableResources):
            desk.ask(3, at=moment)
    desk.draw(held, 3, at=june + MINUTE)
    desk.draw(held, 5, at=june + 45 * MINUTE)
    assert list(CreditMonth.objects.order_by("month").values_list("used_nanousd", flat=True)) == [
        3 * PENNY,
        5 * PENNY,
    ]


def test_a_lot_that_expires_meanwhile_still_pays_for_what_was_held_on_it(scene: Scene) -> None:
    member = make_member(scene.team, credits=True)
    give_credits(scene.team, 10 * PENNY, expires_at=T0 + HOUR)
    give_credits(scene.team, 10 * PENNY, expires_at=T0 + 2 * DAY)
    desk = make_desk(member)
    held = desk.lease(12 * PENNY, seconds=7200)
    assert expire_lots(at=T0 + 2 * HOUR) == 0
    # Another hold has what the lease does not need of the later lot.
    desk.ask(8, at=T0 + 90 * MINUTE)
    assert parts(desk.draw(held, 12, at=T0 + 100 * MINUTE).event) == (0, 12, 0)
    lots = CreditGrant.objects.order_by("expires_at").values_list("remaining_nanousd", flat=True)
    assert list(lots) == [0, 8 * PENNY]
    assert not list(differences(T0 + 100 * MINUTE))


# --- in bulk, and as events


def test_settlements_draw_unless_they_are_final(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY)
    rows = [
        Settlement(
            held.reservation_id,
            Report(usage={"calls": n}, model="penny", draw_id=f"d{n}"),
            closes=n == 3,
        )
        for n in (1, 2, 3, 4)
    ]
    results = settle_many(gateway=make_gateway(), settlements=[*rows, rows[0]], at=T0 + MINUTE)
    assert [row.is_new for row in results] == [True, True, True, False, False]
    assert isinstance(results[3].refusal, AlreadySettled)
    assert [row.ended for row in results] == [None] * 5
    assert (left(held), bar(scene, T0 + MINUTE)) == ((94, 0, "settled"), [(6, 0)] * 2)


def test_the_result_of_a_row_says_that_its_lease_has_ended(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY)
    revoke_keys(membership=scene.owner, at=T0, by=None)
    report = Report(usage={"calls": 1}, model="penny", draw_id="d")
    rows = [Settlement(held.reservation_id, report, closes=False)] * 2
    results = settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0)
    assert [(row.is_new, row.ended) for row in results] == [
        (True, held.reservation_id),
        (False, held.reservation_id),
    ]


def test_an_event_that_names_a_lease_is_a_draw_with_its_id(scene: Scene) -> None:
    held = scene.desk.lease(100 * PENNY)
    moment = T0 + SECOND
    row = ReportedEvent(
        "e", scene.desk.key, "penny", {"calls": 3}, moment, reservation_id=held.reservation_id
    )
    for is_new in (True, False):
        (result,) = record_events(gateway=scene.desk.gateway, events=[row], at=T0 + MINUTE)
        assert (result.is_new, result.refusal) == (is_new, None)
    assert left(held) == (97, 0, "held")
    event = UsageEvent.objects.get()
    assert (event.draw_id, event.external_id, event.occurred_at) == ("e", "e", moment)
    # The same draw on the other road.
    drawn = scene.desk.draw(held, 3, draw_id="e", occurred_at=moment, at=T0 + MINUTE)
    assert (drawn.is_new, drawn.event.pk) == (False, event.pk)


def test_a_key_handle_stands_for_the_key_and_outlives_its_rotation(scene: Scene) -> None:
    handle = scene.desk.ask(1).key_handle
    assert handle == f"kh-{scene.desk.key[6:18]}"
    rotate_key(membership=scene.owner, overlap=timedelta(0), at=T0 + MINUTE, by=scene.owner.user)

    def report(name: str, moment: datetime, handle: str = handle) -> Any:
        row = ReportedEvent(name, "", "penny", {"calls": 1}, moment, key_handle=handle)
        (result,) = record_events(gateway=scene.desk.gateway, events=[row], at=T0 + HOUR)
        return result.refusal or result.is_new

    assert [report("before", T0), report("before", T0)] == [True, False]
    assert report("after", T0 + 2 * MINUTE) is True
    keys = list(UsageEvent.objects.order_by("occurred_at").values_list("key__key_id", flat=True))
    assert keys == [scene.desk.key[6:18], scene.owner.keys.get(replaced_at=None).key_id]
    for wrong in ("kh-", "kh-000000000000", "kh-0000000000000", "sk-" + scene.desk.key[6:18], scene.desk.key):
        assert report("wrong", T0, wrong).code == "key_invalid"
    revoke_keys(membership=scene.owner, at=T0 + 3 * MINUTE, by=None)
    assert report("late", T0 + 4 * MINUTE).code == "key_invalid"
    assert report("in time", T0 + 150 * SECOND) is True
