"""The seats that a subscription pays for: which there are, which plan each has, until when each works."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import PurchasedSeat, SubscriptionItem
from quota.errors import NoUsableResources
from quota.models import Entitlement, Plan
from quota.services.entitlements import withdraw_seat
from teams.models import Seat, SeatHolding
from teams.services import seats as seat_service
from tests.helpers.factories import (
    T0,
    make_desk,
    make_member,
    make_scene,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.stripe_says import MONTH, Bill, put_on_sale

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def on_sale() -> dict[str, Plan]:
    return put_on_sale()


def test_a_paid_subscription_is_as_many_seats_as_were_bought() -> None:
    bill = Bill()
    changed = bill.say({"plus": 1, "max": 2})
    assert bill.plans() == ["plus", "max", "max"]
    first, second, third = Seat.objects.for_team(bill.team).order_by("pk")
    assert changed == [
        f"subscription {bill.id}: active",
        f"seat {first.number} is added",
        f"seat {second.number} is added",
        f"seat {third.number} is added",
        f"seat {first.number} may use Plus v1 until 2026-07-03 10:02",
        f"seat {second.number} may use Max v1 until 2026-07-03 10:02",
        f"seat {third.number} may use Max v1 until 2026-07-03 10:02",
    ]
    items = SubscriptionItem.objects.order_by("pk").values_list("price__lookup_key", "quantity")
    assert list(items) == [("plus_v1_month", 1), ("max_v1_month", 2)]


def test_a_default_teams_seat_is_its_owners_at_once_and_the_key_works() -> None:
    use_test_rate_card()
    membership = owner_of(make_user().default_team)
    desk = make_desk(membership)
    with pytest.raises(NoUsableResources):
        desk.ask()
    bill = Bill(team=membership.team)
    bill.say({"max": 1})
    assert [state.holder for state in bill.seats()] == [membership]
    assert desk.ask(at=T0 + SECOND).from_quota_nanousd == 10_000_000


def test_a_regular_teams_seats_are_free_to_assign() -> None:
    bill = Bill()
    bill.say({"max": 2})
    assert [state.holder for state in bill.seats()] == [None, None]


def test_more_seats_leave_those_there_as_they_are() -> None:
    bill = Bill()
    bill.say({"max": 1})
    before = Entitlement.objects.get()
    bill.say({"max": 2}, at=T0 + DAY)
    assert bill.plans(T0 + DAY) == ["max", "max"]
    before.refresh_from_db()
    assert before.superseded_at is None


def test_an_upgrade_is_at_once_and_keeps_holder_and_usage() -> None:
    use_test_rate_card()
    membership = owner_of(make_user().default_team)
    bill, desk = Bill(team=membership.team), make_desk(membership)
    bill.say({"plus": 1})
    desk.use(30, at=T0 + SECOND)
    later = T0 + timedelta(minutes=10)
    bill.say({"max": 1}, at=later)
    (state,) = bill.seats(later)
    assert (state.plan and state.plan.code, state.holder) == ("max", membership)
    assert [(w.limit.name, w.used, w.limit.nanousd) for w in state.windows] == [
        ("5h", 300_000_000, 9_900_000_000),
        ("week", 300_000_000, 99_000_000_000),
    ]


def test_the_seat_that_was_named_moves_and_nothing_stays_planned_for_it(on_sale: dict[str, Plan]) -> None:
    bill = Bill()
    bill.say({"plus": 2})
    named = PurchasedSeat.objects.order_by("pk")[1]
    named.next_plan = on_sale["max"]
    named.save()
    assert bill.say({"plus": 2}, at=T0 + SECOND) == []
    bill.say({"plus": 1, "max": 1}, at=T0 + DAY)
    moved = PurchasedSeat.objects.get(pk=named.pk)
    assert (moved.plan.code, moved.next_plan) == ("max", None)
    assert bill.plans(T0 + DAY) == ["plus", "max"]


def test_a_seat_given_up_is_the_one_that_was_named_and_its_holder_is_without() -> None:
    bill = Bill()
    bill.say({"max": 2})
    named, other = PurchasedSeat.objects.order_by("pk")
    holder = make_member(bill.team)
    seat_service.assign_seat(seat=named.seat, membership=holder, by=None, at=T0)
    named.leaves = True
    named.save()
    changed = bill.say({"max": 1}, at=T0 + DAY)
    assert f"seat {named.seat.number} is given up" in changed
    assert [state.seat for state in bill.seats(T0 + DAY)] == [other.seat]
    assert not SeatHolding.objects.current().exists()
    named.refresh_from_db()
    assert named.ended_at == T0 + DAY


def test_a_renewal_continues_where_the_period_ended_however_late_it_is_heard() -> None:
    bill = Bill()
    bill.say({"max": 1})
    bill.starts = T0 + MONTH
    heard = T0 + MONTH + timedelta(hours=5)
    assert bill.plans(heard) == ["max"]
    bill.say({"max": 1}, at=heard)
    first, second = Entitlement.objects.order_by("pk")
    assert (first.superseded_at, second.starts_at) == (T0 + MONTH, T0 + MONTH)
    assert second.ends_at == T0 + 2 * MONTH + DAY
    assert bill.plans(heard) == ["max"]


def test_people_see_when_the_period_ends_not_how_long_we_wait_for_the_renewal() -> None:
    bill = Bill()
    bill.say({"max": 1})
    assert bill.seats()[0].renews_at == T0 + MONTH
    bill.say({"max": 1}, at=T0 + DAY, cancel_at=T0 + MONTH)
    state = bill.seats(T0 + DAY)[0]
    assert (state.renews_at, state.ends_at) == (None, T0 + MONTH)


def test_a_renewal_of_which_no_event_comes_ends_a_day_after_the_period() -> None:
    bill = Bill()
    bill.say({"max": 1})
    assert bill.plans(T0 + MONTH + DAY - SECOND) == ["max"]
    assert bill.plans(T0 + MONTH + DAY) == []


def test_what_was_canceled_works_exactly_until_its_period_ends() -> None:
    bill = Bill()
    bill.say({"max": 1})
    bill.say({"max": 1}, at=T0 + DAY, cancel_at=T0 + MONTH)
    assert bill.plans(T0 + MONTH - SECOND) == ["max"]
    assert bill.plans(T0 + MONTH) == []
    bill.say({"max": 1}, at=T0 + MONTH, status="canceled", cancel_at=T0 + MONTH, ended_at=T0 + MONTH)
    assert bill.seats(T0 + MONTH) == []
    assert bill.row.ended_at == T0 + MONTH
    assert not PurchasedSeat.objects.live().exists()


def test_a_subscription_that_waits_for_its_first_payment_has_no_seats() -> None:
    bill = Bill()
    bill.say({"max": 1}, status="incomplete")
    assert bill.seats() == []
    bill.say({"max": 1}, at=T0 + DAY, status="incomplete_expired")
    assert (bill.seats(), bill.row.ended_at) == ([], T0 + DAY)


def test_a_period_that_is_long_over_entitles_to_nothing() -> None:
    bill = Bill()
    bill.say({"max": 1}, at=T0 + 2 * MONTH)
    assert bill.plans(T0 + 2 * MONTH) == []
    bill.say({"max": 1}, at=T0 + 2 * MONTH, status="past_due", overdue_since=T0)
    assert not Entitlement.objects.exists()


def test_seats_an_operator_granted_are_not_the_subscriptions() -> None:
    scene = make_scene()
    bill = Bill(team=scene.team)
    bill.say({"plus": 1})
    bill.say({"plus": 1}, status="canceled", ended_at=T0)
    assert [state.seat for state in bill.seats()] == [scene.seat]


def test_a_seat_that_an_operator_withdrew_is_made_anew_while_it_is_paid_for() -> None:
    bill = Bill()
    bill.say({"max": 2})
    first, second = PurchasedSeat.objects.order_by("pk")
    withdraw_seat(seat=first.seat, at=T0 + DAY, by=None)
    bill.say({"max": 2}, at=T0 + 2 * DAY)
    assert bill.plans(T0 + 2 * DAY) == ["max", "max"]
    assert PurchasedSeat.objects.live().earliest("pk") == second
