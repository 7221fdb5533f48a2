"""Stripe's schedule follows what is planned, whatever happens to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from billing import stripe_api
from billing.models import Change, PurchasedSeat, Subscription
from billing.stripe_api.client import api
from billing.sync import schedule
from billing.sync.reconcile import reconcile
from billing.sync.subscriptions import apply_fetched_subscription
from tests.helpers.factories import T0
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.stripe_says import MONTH, Bill, answered, put_on_sale


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


@pytest.mark.slow
def test_what_is_planned_is_scheduled_again_when_somebody_released_the_schedule(story: Story) -> None:
    story.subscribe(max=2)
    story.give_up(story.seats()[0])
    api().subscription_schedules.release(story.row.schedule_id)
    report = reconcile(at=story.account.at)
    assert [line.split(":")[0] for line in report.repaired][-1] == f"schedule {story.row.schedule_id}"
    assert story.at_stripe.schedule == story.row.schedule_id
    assert reconcile(at=story.account.at).repaired == []


def test_an_answer_that_was_overtaken_schedules_nothing(story: Story) -> None:
    """It saw no schedule, and one was made meanwhile."""
    story.subscribe(max=2)
    snapshot = stripe_api.subscription(story.row.stripe_id)
    story.give_up(story.seats()[0])
    assert apply_fetched_subscription(answered(snapshot, sequence=0), story.account.at) == []
    assert story.at_stripe.schedule == story.row.schedule_id


def state_of(bill: Bill, seats: Mapping[str, int], **other: Any) -> schedule.State:
    """What our rows want of Stripe, after it said this."""
    bill.say(seats, **other)
    return schedule.schedule_state(bill.row, bill.snapshot(seats, **other))


@pytest.fixture
def bill(db: None) -> Bill:
    put_on_sale()
    return Bill()


def test_a_subscription_that_renews_as_it_is_has_no_schedule(bill: Bill) -> None:
    assert state_of(bill, {"max": 2}) == schedule.Unscheduled()


def test_what_is_planned_for_a_seat_is_scheduled_for_the_periods_end(bill: Bill) -> None:
    bill.say({"max": 2, "plus": 1})
    seat = PurchasedSeat.objects.filter(plan__code="max").order_by("pk")[0]
    seat.leaves = True
    seat.save()
    assert state_of(bill, {"max": 2, "plus": 1}) == schedule.Planned(
        prices={"price_max_v1_month": 1, "price_plus_v1_month": 1}, interval="month", starts_at=T0 + MONTH
    )


def test_another_interval_is_scheduled_for_the_periods_end(bill: Bill) -> None:
    bill.say({"max": 1})
    Subscription.objects.update(next_interval="year")
    assert state_of(bill, {"max": 1}) == schedule.Planned({"price_max_v1_year": 1}, "year", T0 + MONTH)


def test_while_a_change_is_under_way_nothing_is_scheduled_and_it_is_named(bill: Bill) -> None:
    bill.say({"max": 1})
    Subscription.objects.update(next_interval="year")
    change = Change.objects.create(
        team=bill.team,
        subscription=bill.row,
        text="Add 1 seat of Max",
        request={"kind": "add"},
        target={"price_max_v1_month": 2},
        amount_nanousd=0,
        proration_at=T0,
        created_at=T0,
    )
    assert state_of(bill, {"max": 1}) == schedule.ReleasedForChange(change.pk)


def test_a_cancellation_goes_before_what_is_planned_whether_stripe_knows_it_or_not(bill: Bill) -> None:
    bill.say({"max": 1})
    Subscription.objects.update(next_interval="year", cancel_asked=True)
    assert state_of(bill, {"max": 1}) == schedule.EndsWithPeriod(stripe_knows=False)
    ends = T0 + MONTH
    assert state_of(bill, {"max": 1}, cancel_at=ends) == schedule.EndsWithPeriod(stripe_knows=True)


def test_a_payment_that_somebody_else_asked_for_is_awaited_before_anything_is_scheduled(bill: Bill) -> None:
    bill.say({"max": 1})
    Subscription.objects.update(next_interval="year")
    assert state_of(bill, {"max": 1}, pending_until=T0 + MONTH) == schedule.AwaitsPayment()


def test_what_was_planned_for_an_end_that_has_come_is_missed(bill: Bill) -> None:
    bill.say({"max": 1})
    Subscription.objects.update(next_interval="year", planned_for=T0 + MONTH)
    bill.starts = T0 + MONTH
    assert state_of(bill, {"max": 1}) == schedule.Missed({"price_max_v1_year": 1}, T0 + MONTH)
    assert bill.row.planned_for == T0 + MONTH


def test_what_is_planned_is_for_the_end_of_the_period_and_over_when_it_is_billed(bill: Bill) -> None:
    bill.say({"max": 2})
    assert bill.row.planned_for is None
    PurchasedSeat.objects.filter(pk=PurchasedSeat.objects.order_by("pk")[0].pk).update(leaves=True)
    bill.say({"max": 2})
    assert bill.row.planned_for == T0 + MONTH
    bill.starts = T0 + MONTH
    assert state_of(bill, {"max": 1}) == schedule.Unscheduled()
    assert bill.row.planned_for is None


def test_what_has_ended_is_left_alone(bill: Bill) -> None:
    assert state_of(bill, {"max": 1}, status="canceled", ended_at=T0) == schedule.Ended()


def test_only_a_change_under_way_releases_the_schedule(bill: Bill) -> None:
    bill.say({"max": 1})
    over = Change(closed_at=T0)
    with pytest.raises(ValueError, match="under way"):
        schedule.release_for_change(over, bill.snapshot({"max": 1}))
