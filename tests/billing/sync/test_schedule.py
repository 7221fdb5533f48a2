"""Stripe's schedule follows what is planned, whatever happens to it."""

from __future__ import annotations

import pytest

from billing import stripe_api
from billing.stripe_api.client import api
from billing.sync.reconcile import reconcile
from billing.sync.subscriptions import apply_fetched_subscription
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.stripe_says import answered


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


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
