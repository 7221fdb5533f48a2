"""Credits that pay for calls in batches: as much, from the same lots, as for one call after another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from quota.hot_path.authorize import Authorization
from quota.hot_path.batches import LEFT, NotHere
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.gathered import authorize_gathered
from quota.hot_path.gathered_draws import SettleAsk, draw_gathered, settle_gathered
from quota.models import CreditGrant, CreditLedgerEntry, CreditMonth, Reservation, UsageEvent
from quota.services.credits import set_credit_access
from quota.services.entitlements import suspend_seat
from teams.models import Membership
from tests.helpers import citus
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import MINUTE, PENNY
from tests.helpers.roads import ask, hash_of

MONTH = timedelta(days=30)

pytestmark = [pytest.mark.django_db, citus.not_on_a_cluster]


@pytest.fixture
def road() -> None:
    """Batches only: there is no other road here."""


@pytest.fixture
def scene() -> Scene:
    """A Team whose Owner's seat has room for two calls of a cent; Credits pay for the others."""
    return make_scene(limits(2 * PENNY, 100 * PENNY))


def seated(scene: Scene, **access: Any) -> tuple[Membership, Desk]:
    member = make_member(scene.team)
    allow_credits(member, **access)
    make_seat(scene.team, scene.plan, holder=member)
    return member, make_desk(member)


def report(desk: Desk, held: object, calls: int) -> SettleAsk:
    assert isinstance(held, Authorization)
    return SettleAsk(hash_of(desk.gateway), held.reservation_id, Report(usage={"calls": calls}))


def parts(answers: list[Any]) -> list[Any]:
    """Cents of quota and of Credits, of each answer that is one."""
    return [
        one
        if isinstance(one, NotHere)
        else (one.from_quota_nanousd // PENNY, one.from_credits_nanousd // PENNY)
        for one in answers
    ]


def lots() -> list[int]:
    """Cents that are left in each, in the order in which they were given."""
    return [lot.remaining_nanousd // PENNY for lot in CreditGrant.objects.order_by("pk")]


def test_credits_are_held_for_what_the_windows_have_no_room_for(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY)
    asks = [ask(scene.desk, calls, name) for calls, name in [(1, "a"), (3, "b"), (2, "c")]]
    assert parts(authorize_gathered(asks, at=T0)) == [(1, 0), (1, 2), (0, 2)]
    rows = Reservation.objects.order_by("request_id").values_list(
        "left_quota_nanousd", "left_credits_nanousd"
    )
    assert list(rows) == [(PENNY, 0), (PENNY, 2 * PENNY), (0, 2 * PENNY)]


def test_members_of_one_team_never_hold_more_than_it_has(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY)
    other = seated(scene)[1]
    asks = [ask(scene.desk, 8, "a"), ask(other, 6, "b"), ask(other, 4, "c"), ask(other, 1, "d")]
    # Of the ten cents six are held for the first; the second needs four; and after it there is nothing left.
    assert parts(authorize_gathered(asks, at=T0)) == [(2, 6), (2, 4), LEFT, LEFT]
    assert Reservation.objects.count() == 2


def test_a_call_that_credits_are_not_enough_for_is_in_the_way_of_none_behind_it(scene: Scene) -> None:
    give_credits(scene.team, 3 * PENNY)
    other = seated(scene)[1]
    asks = [ask(scene.desk, 6, "a"), ask(scene.desk, 1, "b"), ask(other, 3, "c"), ask(scene.desk, 3, "d")]
    assert parts(authorize_gathered(asks, at=T0)) == [LEFT, (1, 0), (2, 1), (1, 2)]
    assert [row.request_id for row in Reservation.objects.order_by("request_id")] == ["b", "c", "d"]


@pytest.mark.parametrize(
    "access",
    [{"overflow": "never"}, {"month_cap": PENNY}],
    ids=["whose overflow is off", "whose cap is lower"],
)
def test_a_member_has_no_more_than_the_member_may_use(scene: Scene, access: dict[str, Any]) -> None:
    give_credits(scene.team, 10 * PENNY)
    _, desk = seated(scene, **access)
    assert parts(authorize_gathered([ask(desk, 4, "a")], at=T0)) == [LEFT]
    assert not Reservation.objects.exists()


def test_a_cap_is_of_the_member_and_not_of_the_team(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY)
    _, desk = seated(scene, month_cap=3 * PENNY)
    asks = [ask(desk, 5, "a"), ask(desk, 1, "b"), ask(scene.desk, 3, "c")]
    assert parts(authorize_gathered(asks, at=T0)) == [(2, 3), LEFT, (2, 1)]


def test_a_team_that_never_had_credits_is_left_and_no_row_of_them_is_made(scene: Scene) -> None:
    assert parts(authorize_gathered([ask(scene.desk, 3, "a")], at=T0)) == [LEFT]
    assert not hasattr(scene.team, "credits")


def test_whose_seat_is_suspended_is_paid_by_credits_alone(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY)
    other = seated(scene)[1]
    suspend_seat(seat=scene.seat, at=T0, by=None)
    asks = [ask(scene.desk, 6, "a"), ask(other, 4, "b"), ask(scene.desk, 3, "c")]
    assert parts(authorize_gathered(asks, at=T0)) == [(0, 6), (2, 2), LEFT]
    without = Reservation.objects.filter(seat=None, plan=None)
    assert list(without.values_list("request_id", flat=True)) == ["a"]


def test_what_credits_are_held_for_is_drawn_from_the_lots_that_expire_first(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY, expires_at=T0 + 2 * MONTH)
    give_credits(scene.team, 3 * PENNY, expires_at=T0 + MONTH)
    member, desk = seated(scene)
    held = authorize_gathered([ask(scene.desk, 4, "a"), ask(desk, 6, "b")], at=T0)
    reports = [report(scene.desk, held[0], 4), report(desk, held[1], 5)]
    events = settle_gathered(reports, at=T0 + MINUTE)
    assert parts(events) == [(2, 2), (2, 3)]
    assert lots() == [8, 0]
    second, first = CreditGrant.objects.order_by("pk")
    owner = scene.owner
    assert list(
        CreditLedgerEntry.objects.filter(kind="use")
        .order_by("id")
        .values_list("event_id", "grant_id", "amount_nanousd", "membership_id", "account", "cause", "at")
    ) == [
        (event.pk, lot.pk, -cents * PENNY, whose.pk, "credits", "usage of penny", T0 + MINUTE)
        for event, lot, cents, whose in [
            (events[0], first, 2, owner),
            (events[1], first, 1, member),
            (events[1], second, 2, member),
        ]
        if isinstance(event, UsageEvent)
    ]
    months = CreditMonth.objects.order_by("used_nanousd").values_list(
        "membership_id", "month", "used_nanousd"
    )
    assert list(months) == [
        (owner.pk, T0.date().replace(day=1), 2 * PENNY),
        (member.pk, T0.date().replace(day=1), 3 * PENNY),
    ]
    states = Reservation.objects.order_by("request_id").values_list(
        "state", "left_quota_nanousd", "left_credits_nanousd"
    )
    assert list(states) == [("settled", 0, 0), ("settled", 0, PENNY)]


def test_what_was_held_pays_though_the_member_may_use_no_more(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY)
    member, desk = seated(scene)
    held = authorize_gathered([ask(desk, 5, "a")], at=T0)
    set_credit_access(
        membership=member, allowed=False, overflow="allow", month_cap_nanousd=None, at=T0 + MINUTE, by=None
    )
    assert parts(settle_gathered([report(desk, held[0], 5)], at=T0 + MINUTE)) == [(2, 3)]
    assert lots() == [7]


@pytest.mark.parametrize("change", [{"frozen_at": T0}, {"remaining_nanousd": 2 * PENNY}])
def test_where_the_lots_hold_less_than_was_promised_nothing_is_drawn(
    scene: Scene, change: dict[str, Any]
) -> None:
    give_credits(scene.team, 10 * PENNY)
    held = authorize_gathered([ask(scene.desk, 5, "a")], at=T0)
    CreditGrant.objects.update(**change)
    assert parts(settle_gathered([report(scene.desk, held[0], 5)], at=T0 + MINUTE)) == [LEFT]
    assert not UsageEvent.objects.exists()
    assert not CreditLedgerEntry.objects.filter(kind="use").exists()


def test_a_call_may_draw_on_a_lot_that_lived_when_it_was_asked_for(scene: Scene) -> None:
    give_credits(scene.team, 3 * PENNY, expires_at=T0 + 5 * MINUTE)
    held = authorize_gathered([ask(scene.desk, 5, "a")], at=T0)
    assert parts(settle_gathered([report(scene.desk, held[0], 5)], at=T0 + 5 * MINUTE)) == [(2, 3)]
    assert lots() == [0]


def test_a_lot_that_had_expired_when_it_was_asked_for_pays_nothing(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY, expires_at=T0 + MINUTE)
    give_credits(scene.team, 10 * PENNY)
    held = authorize_gathered([ask(scene.desk, 5, "a")], at=T0 + MINUTE)
    assert parts(settle_gathered([report(scene.desk, held[0], 5)], at=T0 + 2 * MINUTE)) == [(2, 3)]
    assert lots() == [10, 7]


def test_more_than_was_held_is_left_and_nothing_of_it_is_written(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY)
    held = authorize_gathered([ask(scene.desk, 4, "a")], at=T0)
    assert parts(settle_gathered([report(scene.desk, held[0], 5)], at=T0 + MINUTE)) == [LEFT]
    assert lots() == [10]


def test_draws_of_one_report_take_from_the_lots_one_after_another(scene: Scene) -> None:
    give_credits(scene.team, 4 * PENNY, expires_at=T0 + MONTH)
    give_credits(scene.team, 10 * PENNY, expires_at=T0 + 2 * MONTH)
    (held,) = authorize_gathered([ask(scene.desk, 9, "a")], at=T0)
    assert isinstance(held, Authorization)

    def draw(name: str, calls: int) -> Settlement:
        return Settlement(held.reservation_id, Report(usage={"calls": calls}, draw_id=name), closes=False)

    drawn = draw_gathered(
        [draw("1", 3), draw("2", 5), draw("3", 2)], gateway=scene.desk.gateway, at=T0 + MINUTE
    )
    made = [one if isinstance(one, NotHere) else one.event for one in drawn]
    # The last is of a cent more than is held: who pays for it is not for here.
    assert parts(made) == [(2, 1), (0, 5), LEFT]
    assert lots() == [0, 8]
    assert Reservation.objects.get().left_credits_nanousd == PENNY
