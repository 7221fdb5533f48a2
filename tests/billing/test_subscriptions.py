"""What a Team's seats may use follows from what Stripe bills."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from billing.errors import AlreadySubscribed, PriceUnknown
from billing.models import PurchasedSeat, Subscription, SubscriptionItem
from quota.errors import NoUsableResources
from quota.models import Entitlement, Plan
from quota.services.entitlements import suspend_seat, withdraw_seat
from teams.errors import NotFound
from teams.models import AuditEntry, Mail, Seat, SeatHolding
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
from tests.helpers.stripe_says import MONTH, Bill, next_sequence, put_on_sale

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
        f"subscription {bill.id}: Active",
        f"seat {first.pk} is added",
        f"seat {second.pk} is added",
        f"seat {third.pk} is added",
        f"seat {first.pk} may use Plus v1 until 2026-07-03 10:02",
        f"seat {second.pk} may use Max v1 until 2026-07-03 10:02",
        f"seat {third.pk} may use Max v1 until 2026-07-03 10:02",
    ]
    items = SubscriptionItem.objects.order_by("pk").values_list("price__lookup_key", "quantity")
    assert list(items) == [("plus_v1_month", 1), ("max_v1_month", 2)]


def test_the_same_said_again_changes_nothing() -> None:
    bill = Bill()
    bill.say({"max": 2})
    audit = AuditEntry.objects.count()
    assert bill.say({"max": 2}, at=T0 + DAY) == []
    assert (Seat.objects.for_team(bill.team).count(), AuditEntry.objects.count()) == (2, audit)
    assert Entitlement.objects.count() == 2


def test_an_older_answer_never_overwrites_a_newer_one() -> None:
    bill = Bill()
    older, newer = next_sequence(), next_sequence()
    bill.say({"max": 2}, sequence=newer)
    assert bill.say({"max": 1}, sequence=older, status="canceled", ended_at=T0) == []
    assert (bill.row.status, bill.plans()) == ("active", ["max", "max"])


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


def test_the_seat_that_was_named_moves_and_the_wish_is_fulfilled(on_sale: dict[str, Plan]) -> None:
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
    assert f"seat {named.pk} is given up" in changed
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


def test_people_are_told_when_the_period_ends_not_how_long_we_wait_to_hear_of_the_next() -> None:
    bill = Bill()
    bill.say({"max": 1})
    assert bill.seats()[0].renews_at == T0 + MONTH
    bill.say({"max": 1}, at=T0 + DAY, cancel_at=T0 + MONTH)
    state = bill.seats(T0 + DAY)[0]
    assert (state.renews_at, state.ends_at) == (None, T0 + MONTH)


def test_a_renewal_that_is_never_heard_of_ends_a_day_after_the_period() -> None:
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


def test_a_resumed_subscription_renews_again() -> None:
    bill = Bill()
    bill.say({"max": 1})
    bill.say({"max": 1}, at=T0 + DAY, cancel_at=T0 + MONTH)
    bill.say({"max": 1}, at=T0 + 2 * DAY)
    assert bill.plans(T0 + MONTH) == ["max"]


def test_a_failed_payment_leaves_seven_days_and_then_the_seats_stop_without_any_job() -> None:
    use_test_rate_card()
    membership = owner_of(make_user("owner@example.com").default_team)
    bill, desk = Bill(team=membership.team), make_desk(membership)
    bill.say({"max": 1})
    bill.starts = overdue = T0 + MONTH
    bill.say({"max": 1}, at=overdue + SECOND, status="past_due", overdue_since=overdue)
    assert bill.row.past_due_since == overdue
    last = overdue + timedelta(days=7)
    desk.use(1, at=last - SECOND)
    with pytest.raises(NoUsableResources):
        desk.ask(at=last)
    (state,) = bill.seats(last)
    assert (state.suspended, state.windows) == (True, [])


def test_the_owner_is_told_once_of_a_failed_payment() -> None:
    bill = Bill()
    bill.say({"max": 1})
    for hour in (1, 2, 3):
        bill.say({"max": 1}, at=T0 + timedelta(hours=hour), status="past_due", overdue_since=T0 + DAY)
    bill.say({"max": 1}, at=T0 + DAY, status="unpaid", overdue_since=T0 + DAY)
    (sent,) = Mail.objects.filter(kind="payment_failed")
    assert sent.to == owner_of(bill.team).user.email
    assert sent.context["works_until"] == "11 June 2026, 10:02 UTC"


def test_seats_work_again_as_soon_as_it_is_paid_with_the_usage_they_had() -> None:
    use_test_rate_card()
    membership = owner_of(make_user().default_team)
    bill, desk = Bill(team=membership.team), make_desk(membership)
    bill.say({"max": 1})
    desk.use(30, at=T0 + SECOND)
    bill.say({"max": 1}, at=T0 + SECOND, status="past_due", overdue_since=T0)
    paid = T0 + timedelta(days=8)
    assert bill.plans(paid) == []
    (line,) = [line for line in bill.say({"max": 1}, at=paid) if "works again" in line]
    assert line.startswith("seat ")
    assert bill.plans(paid) == ["max"]
    assert bill.row.past_due_since is None
    desk.use(1, at=paid)


def test_an_unpaid_subscription_without_an_invoice_stops_at_once() -> None:
    bill = Bill()
    bill.say({"max": 1})
    bill.say({"max": 1}, at=T0 + DAY, status="unpaid")
    assert bill.plans(T0 + DAY) == []
    # What is said again moves nothing: it stopped when it stopped.
    assert bill.say({"max": 1}, at=T0 + 2 * DAY, status="unpaid") == []
    assert Entitlement.objects.get().suspended_at == T0 + DAY


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


def test_after_the_end_a_team_can_subscribe_again() -> None:
    bill = Bill()
    bill.say({"max": 1})
    bill.say({"max": 1}, status="canceled", ended_at=T0)
    again = Bill(team=bill.team)
    again.say({"plus": 1}, at=T0 + DAY)
    assert again.plans(T0 + DAY) == ["plus"]


def test_a_team_has_at_most_one_live_subscription() -> None:
    bill = Bill()
    bill.say({"max": 1})
    with pytest.raises(AlreadySubscribed, match=bill.id):
        Bill(team=bill.team).say({"plus": 1})
    assert Subscription.objects.get().stripe_id == bill.id
    assert bill.plans() == ["max"]


def test_a_price_that_is_not_ours_is_refused_and_nothing_changes() -> None:
    bill = Bill()
    bill.say({"max": 1})
    with pytest.raises(PriceUnknown, match="price_other_v1_month"):
        bill.say({"max": 1, "other": 1}, at=T0 + DAY)
    assert (bill.plans(), SubscriptionItem.objects.count()) == (["max"], 1)


def test_seats_an_operator_granted_are_not_the_subscriptions() -> None:
    scene = make_scene()
    bill = Bill(team=scene.team)
    bill.say({"plus": 1})
    bill.say({"plus": 1}, status="canceled", ended_at=T0)
    assert [state.seat for state in bill.seats()] == [scene.seat]


def test_a_deleted_team_has_no_subscription() -> None:
    bill = Bill()
    bill.team.deleted_at = T0
    bill.team.save()
    with pytest.raises(NotFound):
        bill.say({"max": 1})
    assert not Subscription.objects.exists()


def test_a_seat_of_another_team_cannot_be_put_on_a_subscription() -> None:
    bill, other = Bill(), Bill()
    bill.say({"max": 1})
    seat = seat_service.add_seat(team=other.team, by=None, at=T0)
    plan = PurchasedSeat.objects.get().plan
    with pytest.raises(IntegrityError, match="a_purchased_seat_is_of_its"), transaction.atomic():
        PurchasedSeat.objects.create(seat=seat, team=bill.team, subscription=bill.row, plan=plan)
        with transaction.get_connection().cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_an_operators_suspension_is_not_moved_by_a_later_one() -> None:
    scene = make_scene()
    suspend_seat(seat=scene.seat, at=T0, by=None)
    suspend_seat(seat=scene.seat, since=T0 + DAY, at=T0 + SECOND, by=None)
    assert Entitlement.objects.get().suspended_at == T0


class LooksInAnyOrder(TestCase):
    """Whatever order answers arrive in, twice or never: the newest look decides."""

    @settings(max_examples=12)
    @given(st.randoms(use_true_random=False), st.integers(0, 6))
    def test_any_order_ends_as_the_newest_answer_says(self, order: random.Random, lost: int) -> None:
        put_on_sale()
        story = [
            ({"max": 1}, "active", None),
            ({"max": 3}, "active", None),
            ({"plus": 1, "max": 2}, "active", None),
            ({"plus": 1, "max": 2}, "past_due", T0),
            ({"plus": 1, "max": 2}, "active", None),
            ({"plus": 2}, "active", None),
        ]
        fetches = [(next_sequence(), *answer) for answer in story]
        newest = fetches[-1]
        applied = [one for one in fetches * 2 if one[0] != (lost < 5 and fetches[lost][0])]
        order.shuffle(applied)
        bill = Bill()
        for sequence, seats, status, overdue in applied:
            bill.say(seats, at=T0 + SECOND, sequence=sequence, status=status, overdue_since=overdue)
        assert bill.plans(T0 + SECOND) == ["plus", "plus"]
        assert (bill.row.status, bill.row.fetch_sequence) == ("active", newest[0])
        assert Seat.objects.for_team(bill.team).live().count() == 2


def test_past_due_without_an_unpaid_invoice_was_paid_a_moment_ago_and_stops_nothing() -> None:
    bill = Bill()
    bill.say({"max": 1})
    bill.say({"max": 1}, at=T0 + DAY, status="past_due")
    assert (bill.plans(T0 + DAY), bill.row.past_due_since) == (["max"], None)
    # Should an invoice be found after all, the Owner is told then.
    bill.say({"max": 1}, at=T0 + 2 * DAY, status="past_due", overdue_since=T0 + DAY)
    assert Mail.objects.filter(kind="payment_failed").count() == 1
    assert bill.plans(T0 + 8 * DAY) == []


def test_what_an_operator_stopped_stays_so_whatever_is_paid_and_renewed() -> None:
    bill = Bill()
    bill.say({"max": 1})
    suspend_seat(seat=PurchasedSeat.objects.get().seat, at=T0 + DAY, by=None)
    bill.say({"max": 1}, at=T0 + 2 * DAY)
    bill.starts = T0 + MONTH
    bill.say({"max": 1}, at=T0 + MONTH)
    assert bill.plans(T0 + MONTH) == []
    assert Entitlement.objects.open().get().suspended_at == T0 + DAY


def test_a_seat_that_an_operator_withdrew_is_made_anew_while_it_is_paid_for() -> None:
    bill = Bill()
    bill.say({"max": 2})
    first, second = PurchasedSeat.objects.order_by("pk")
    withdraw_seat(seat=first.seat, at=T0 + DAY, by=None)
    bill.say({"max": 2}, at=T0 + 2 * DAY)
    assert bill.plans(T0 + 2 * DAY) == ["max", "max"]
    assert PurchasedSeat.objects.live().earliest("pk") == second


def test_items_that_change_places_are_as_stripe_says() -> None:
    bill = Bill()
    bill.say({"plus": 1, "max": 2})
    plus, most = bill.snapshot({"plus": 1, "max": 2}).items
    swapped = (replace(plus, id=most.id), replace(most, id=plus.id))
    bill.say({}, at=T0 + DAY, items=swapped)
    said = SubscriptionItem.objects.values_list("stripe_id", "price__plan__code", "quantity")
    assert sorted(said) == sorted([(most.id, "plus", 1), (plus.id, "max", 2)])
    assert bill.plans(T0 + DAY) == ["plus", "max", "max"]
