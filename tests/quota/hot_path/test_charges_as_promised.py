"""What was held for a call pays for it, at the prices of its moment; an id is one call, to the last field."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quota.errors import EventIdReused
from quota.hot_path import bulk
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.settle import release
from quota.models import CreditGrant, CreditLedgerEntry, CreditMonth, OwedUsage, Reservation, UsageEvent
from quota.services.credits import freeze_lot
from quota.services.rate_cards import load_rate_card
from quota.services.reservations import expire_reservations
from tests.helpers.factories import (
    RATE_CARD,
    T0,
    USD,
    Scene,
    give_credits,
    key_of,
    make_desk,
    make_gateway,
    make_member,
    make_scene,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND, parts

pytestmark = pytest.mark.django_db


def test_quota_that_was_held_pays_although_a_late_report_has_taken_the_room(scene: Scene) -> None:
    held = scene.desk.ask(10)
    late = ReportedEvent("late", scene.desk.key, "penny", {"calls": 985}, T0)
    record_events(gateway=scene.desk.gateway, events=[late], at=T0 + MINUTE)
    assert parts(UsageEvent.objects.get()) == (980, 0, 5)
    assert parts(scene.desk.settle(held, 10, at=T0 + MINUTE)) == (10, 0, 0)


@pytest.mark.parametrize(("used", "paid"), [(8, (0, 8, 0)), (9, (0, 8, 1))])
def test_usage_above_the_hold_takes_the_credits_that_are_left(
    scene: Scene, used: int, paid: tuple[int, int, int]
) -> None:
    give_credits(scene.team, 8 * PENNY)
    desk = make_desk(make_member(scene.team, credits=True))
    event = desk.settle(desk.ask(5), used)
    assert parts(event) == paid
    assert CreditGrant.objects.for_team(scene.team).remaining() == 0
    owed = OwedUsage.objects.values_list("event", "membership", "team", "owed_nanousd", "left_nanousd")
    assert list(owed) == [(event.pk, event.membership_id, scene.team.pk, PENNY, PENNY)] * paid[2]


def test_usage_above_the_hold_does_not_take_what_another_call_holds_of_the_credits(scene: Scene) -> None:
    give_credits(scene.team, 8 * PENNY)
    desk = make_desk(make_member(scene.team, credits=True))
    held, other = desk.ask(3), desk.ask(4)
    assert parts(desk.settle(held, 6)) == (0, 4, 2)
    assert parts(desk.settle(other, 4)) == (0, 4, 0)


def test_a_lot_that_was_frozen_since_pays_nothing(scene: Scene) -> None:
    give_credits(scene.team, 8 * PENNY)
    desk = make_desk(make_member(scene.team, credits=True))
    held = desk.ask(5)
    freeze_lot(lot=CreditGrant.objects.get(team=scene.team), frozen=True, at=T0, by=None)
    assert parts(desk.settle(held, 5)) == (0, 0, 5)
    assert CreditGrant.objects.get(team=scene.team).remaining_nanousd == 8 * PENNY


def test_overrun_of_a_seat_is_owed_by_nobody(scene: Scene) -> None:
    assert parts(scene.desk.settle(scene.desk.ask(990), 991)) == (990, 0, 1)
    assert not OwedUsage.objects.exists()


def test_a_call_costs_what_the_card_of_its_moment_says(scene: Scene) -> None:
    held = scene.desk.ask(3)
    dearer = RATE_CARD.replace("penny,language,calls,1,0.01", "penny,language,calls,1,0.05")
    for minutes, card in ((1, dearer), (3, RATE_CARD)):
        load_rate_card(text=card, effective_from=T0 + minutes * MINUTE, at=T0, by=None)
    assert scene.desk.settle(held, 4, at=T0 + 2 * MINUTE).amount_nanousd == 4 * PENNY
    between = scene.desk.ask(1, at=T0 + MINUTE)
    assert between.estimate_nanousd == 5 * PENNY
    assert scene.desk.settle(between, 1, at=T0 + 4 * MINUTE).amount_nanousd == 5 * PENNY
    late = ReportedEvent("late", scene.desk.key, "penny", {"calls": 1}, T0 + 2 * MINUTE)
    record_events(gateway=scene.desk.gateway, events=[late], at=T0 + HOUR)
    assert UsageEvent.objects.get(external_id="late").amount_nanousd == 5 * PENNY


@pytest.mark.parametrize(("early", "paid"), [(SECOND, (0, 5, 0)), (0 * SECOND, (0, 0, 5))])
def test_a_hold_pays_until_the_very_moment_it_lapses(
    scene: Scene, early: object, paid: tuple[int, int, int]
) -> None:
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + MINUTE)
    desk = make_desk(make_member(scene.team, credits=True))
    held = desk.ask(5)
    assert parts(desk.settle(held, 5, at=held.expires_at - early)) == paid  # type: ignore[operator]


def test_credits_count_in_the_month_and_the_ledger_of_their_call(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team, credits=True)
    desk = make_desk(member)
    june = T0.replace(day=30, hour=23, minute=55)
    event = desk.settle(desk.ask(2, at=june), 2, at=june + 10 * MINUTE)
    months = CreditMonth.objects.values_list("membership", "month", "used_nanousd")
    assert [(pk, str(month), used) for pk, month, used in months] == [(member.pk, "2026-06-01", 2 * PENNY)]
    entry = CreditLedgerEntry.objects.get(kind="use")
    assert (entry.event_id, entry.membership_id, entry.amount_nanousd) == (event.pk, member.pk, -2 * PENNY)
    assert (entry.at, entry.cause, entry.grant.team_id) == (
        june + 10 * MINUTE,
        "usage of penny",
        scene.team.pk,
    )


@pytest.mark.parametrize("field", ["key", "model", "usage", "moment", "agent", "reservation"])
def test_an_event_that_differs_in_one_field_alone_is_another_event(scene: Scene, field: str) -> None:
    sent = ReportedEvent("one", scene.desk.key, "penny", {"calls": 1}, T0, "builder")
    other = {
        "key": replace(sent, key_text=key_of(make_member(scene.team))),
        "model": replace(sent, model="nano"),
        "usage": replace(sent, usage={"calls": 2}),
        "moment": replace(sent, occurred_at=T0 + SECOND),
        "agent": replace(sent, agent=""),
        "reservation": replace(sent, reservation_id=scene.desk.ask().reservation_id),
    }[field]
    gateway = scene.desk.gateway
    first, second, repeat = (
        record_events(gateway=gateway, events=[row], at=T0 + MINUTE)[0] for row in (sent, other, sent)
    )
    assert first.is_new
    assert isinstance(second.refusal, EventIdReused)
    assert (repeat.is_new, repeat.refusal) == (False, None)
    assert UsageEvent.objects.count() == 1


def test_an_event_id_is_the_teams_whichever_gateway_reports(scene: Scene) -> None:
    row = ReportedEvent("one", scene.desk.key, "penny", {"calls": 1}, T0)
    elsewhere = replace(row, key_text=make_scene().desk.key)
    for gateway, is_new in ((scene.desk.gateway, True), (make_gateway(), False)):
        results = record_events(gateway=gateway, events=[row, elsewhere], at=T0)
        assert [result.is_new for result in results] == [is_new] * 2
    assert UsageEvent.objects.count() == 2


@pytest.mark.parametrize("kind", ["settlements", "events"])
def test_a_batch_waits_for_the_disk_once_and_after_its_rows(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    recorded: list[int] = []
    flush = bulk._flush

    def count_and_flush() -> None:
        recorded.append(UsageEvent.objects.count())
        flush()

    monkeypatch.setattr(bulk, "_flush", count_and_flush)
    if kind == "settlements":
        report = Report(usage={"calls": 1})
        rows = [Settlement(scene.desk.ask().reservation_id, report) for _ in range(2)]
        settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0)
    else:
        events = [ReportedEvent(name, scene.desk.key, "penny", {"calls": 1}, T0) for name in "ab"]
        record_events(gateway=scene.desk.gateway, events=events, at=T0)
    assert recorded == [2]


def test_a_lapsed_hold_that_is_released_is_no_longer_lapsed_and_keeps_its_moment(scene: Scene) -> None:
    held = scene.desk.ask(5)
    expire_reservations(at=held.expires_at)
    closed = Reservation.objects.get().closed_at
    row = release(reservation_id=held.reservation_id, at=T0 + HOUR)
    row.refresh_from_db()
    assert (row.state, row.expired, row.closed_at) == ("released", False, closed)


def test_a_call_notes_the_last_use_of_its_own_key_alone(scene: Scene) -> None:
    other = make_member(scene.team)
    scene.desk.ask()
    assert scene.owner.keys.get().last_used_at == T0
    assert other.keys.get().last_used_at is None


def test_a_charge_settles_its_own_reservation_alone(scene: Scene) -> None:
    held, other = scene.desk.ask(5), scene.desk.ask(6)
    scene.desk.settle(held, 5, at=T0 + MINUTE)
    rows = Reservation.objects.order_by("created_at", "pk").values_list("pk", "state", "closed_at")
    assert set(rows) == {
        (held.reservation_id, "settled", T0 + MINUTE),
        (other.reservation_id, "held", None),
    }
