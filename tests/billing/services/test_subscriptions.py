"""Our rows say what Stripe says of a subscription: once, in any order, one live subscription a Team."""

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
from quota.models import Entitlement, Plan
from teams.models import AuditEntry, Seat
from teams.services import seats as seat_service
from tests.helpers.factories import (
    T0,
)
from tests.helpers.stripe_says import MONTH, Bill, next_sequence, put_on_sale
from tokenplan.kit.errors import NotFound

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def on_sale() -> dict[str, Plan]:
    return put_on_sale()


def test_the_same_answer_again_changes_nothing() -> None:
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


def test_a_resumed_subscription_renews_again() -> None:
    bill = Bill()
    bill.say({"max": 1})
    bill.say({"max": 1}, at=T0 + DAY, cancel_at=T0 + MONTH)
    bill.say({"max": 1}, at=T0 + 2 * DAY)
    assert bill.plans(T0 + MONTH) == ["max"]


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


@pytest.mark.slow
class AnswersInAnyOrder(TestCase):
    """Whatever order answers arrive in, twice or never: the newest decides."""

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
        answers = [(next_sequence(), *answer) for answer in story]
        newest = answers[-1]
        applied = [one for one in answers * 2 if one[0] != (lost < 5 and answers[lost][0])]
        order.shuffle(applied)
        bill = Bill()
        for sequence, seats, status, overdue in applied:
            bill.say(seats, at=T0 + SECOND, sequence=sequence, status=status, overdue_since=overdue)
        assert bill.plans(T0 + SECOND) == ["plus", "plus"]
        assert (bill.row.status, bill.row.fetch_sequence) == ("active", newest[0])
        assert Seat.objects.for_team(bill.team).live().count() == 2


def test_items_that_change_places_are_as_stripe_says() -> None:
    bill = Bill()
    bill.say({"plus": 1, "max": 2})
    plus, most = bill.snapshot({"plus": 1, "max": 2}).items
    swapped = (replace(plus, id=most.id), replace(most, id=plus.id))
    bill.say({}, at=T0 + DAY, items=swapped)
    said = SubscriptionItem.objects.values_list("stripe_id", "price__plan__code", "quantity")
    assert sorted(said) == sorted([(most.id, "plus", 1), (plus.id, "max", 2)])
    assert bill.plans(T0 + DAY) == ["plus", "max", "max"]
