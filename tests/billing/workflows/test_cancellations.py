"""A subscription is canceled at its period's end and can be resumed until then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.errors import (
    NothingToChange,
    NotSubscribed,
    SubscriptionEnding,
)
from billing.selectors.change_requests import change_request
from billing.sync.subscriptions import sync_subscription
from teams.models import AuditEntry
from tests.helpers.story import Story, dollars
from tests.helpers.stripe_account import StripeAccount

DAY = timedelta(days=1)
# The third of June to the third of July.
MONTH = 30 * DAY


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def test_canceled_works_until_the_periods_end_and_resumed_goes_on(story: Story) -> None:
    story.subscribe(max=1)
    story.cancel()
    assert story.row.cancel_at == story.row.period_end
    with pytest.raises(NothingToChange):
        story.preview_cancel()
    with pytest.raises(SubscriptionEnding):
        story.preview(change_request(kind="add", plan="max", count=1))
    shown = story.preview_resume()
    assert dollars(shown.renewal_nanousd) == 50.0
    story.resume()
    story.add("max", 1)
    story.cancel()
    story.account.advance(MONTH + DAY)
    story.account.deliver()
    assert (story.row.status, story.plans(), story.paid()) == ("canceled", [], [5_000, 5_000])
    with pytest.raises(NotSubscribed):
        story.preview_resume()
    asked = AuditEntry.objects.filter(team=story.team, action__contains=".", by=story.owner)
    assert [entry.action for entry in asked.order_by("pk") if "asked" in entry.action] == [
        "subscription.cancel_asked",
        "subscription.resume_asked",
        "subscription.change_asked",
        "subscription.cancel_asked",
    ]


@pytest.mark.slow
def test_a_cancellation_that_was_asked_for_is_done_by_the_next_sync(story: Story) -> None:
    """The process died between our row and Stripe."""
    story.subscribe(max=2)
    story.give_up(story.seats()[0])
    row = story.row
    row.cancel_asked = True
    row.save()
    with pytest.raises(NothingToChange):
        story.preview_cancel()
    sync_subscription(row.stripe_id, story.account.at)
    story.account.deliver()
    assert story.row.cancel_at == story.row.period_end
    assert story.row.cancel_asked is False
