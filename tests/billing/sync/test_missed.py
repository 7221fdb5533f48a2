"""A cancellation that Stripe did not hear before the period's end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.errors import PaymentsUnavailable
from billing.models import Payment, Refund
from billing.sync.subscriptions import sync_subscription
from billing.workflows.changes import keep_plans
from billing.workflows.refunds import send_open_refunds
from teams.models import Mail
from tests.helpers.factories import USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

HOUR = timedelta(hours=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def canceled_unheard(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Owner canceled, and Stripe did not answer until the new period had begun."""
    story.subscribe("year", ultra=5)

    def away(*_: object, **__: object) -> None:
        raise PaymentsUnavailable

    with monkeypatch.context() as patch:
        patch.setattr("billing.sync.schedule.schedules.set_cancel_at_period_end", away)
        with pytest.raises(PaymentsUnavailable):
            story.cancel()


def after_the_end(story: Story, by: timedelta) -> None:
    story.account.advance(story.row.period_end + by - story.account.at)


def sweep(story: Story) -> None:
    """What `billing.finish` does every two minutes."""
    keep_plans(at=story.account.at)
    send_open_refunds(at=story.account.at)


def test_a_cancellation_that_was_not_heard_ends_the_new_period_and_pays_it_back(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    canceled_unheard(story, monkeypatch)
    after_the_end(story, 5 * HOUR)
    assert story.paid() == [600_000, 600_000]
    sweep(story)
    story.account.deliver()
    assert (story.row.status, story.plans(), story.at_stripe.status) == ("canceled", [], "canceled")
    extra = Payment.objects.for_team(story.team).latest("created_at", "pk")
    assert (extra.received_nanousd, extra.refunded_nanousd) == (6_000 * USD, 6_000 * USD)
    (sent,) = Mail.objects.filter(kind="cancellation_missed")
    assert (sent.to, sent.context["amount"]) == (story.owner.email, 6_000 * USD)
    assert Refund.objects.get().state == "done"
    # Once, whatever is heard again.
    sync_subscription(story.row.stripe_id, story.account.at)
    sweep(story)
    assert (Refund.objects.count(), Mail.objects.filter(kind="cancellation_missed").count()) == (1, 1)
