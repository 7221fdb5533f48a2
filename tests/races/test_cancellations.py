"""Of canceling and resuming the last one holds, in whatever order Stripe hears of them."""

from __future__ import annotations

from typing import Any

import pytest

from billing.stripe_api import schedules
from billing.stripe_api.client import api
from billing.sync.subscriptions import sync_subscription
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.slow
def test_a_call_that_arrives_late_does_not_hold(
    stripe_account: StripeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(stripe_account)
    story.subscribe(max=2)
    does, calls = schedules.set_cancel_at_period_end, []

    def heard(*args: Any, **kwargs: Any) -> None:
        calls.append((args, kwargs))
        does(*args, **kwargs)

    def again(call: tuple[Any, Any]) -> None:
        does(*call[0], **call[1])
        story.account.deliver()

    monkeypatch.setattr(schedules, "set_cancel_at_period_end", heard)
    story.cancel()
    cancel = calls[-1]
    story.resume()
    resume = calls[-1]
    again(cancel)
    assert (story.row.cancel_at, story.at_stripe.cancel_at_period_end) == (None, False)
    story.cancel()
    again(resume)
    assert story.row.cancel_at is not None
    assert story.at_stripe.cancel_at_period_end

    # At Stripe's own page the Owner may do otherwise.
    for ends in (False, True):
        api().subscriptions.update(story.row.stripe_id, {"cancel_at_period_end": ends})
        sync_subscription(story.row.stripe_id, story.account.at)
        assert (story.row.cancel_at is not None) == ends
