"""A cancellation that Stripe did not hear, where the customer's balance paid for the new period."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.mail import EmailMessage

from billing import stripe_api
from billing.errors import PaymentsUnavailable
from billing.models import Refund
from billing.stripe_api.client import api
from billing.workflows.changes import keep_plans
from teams.models import Mail
from teams.services.mail import deliver_due
from tests.billing.sync.test_missed import HOUR, after_the_end, canceled_unheard, sweep
from tests.helpers.factories import USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

# Five Ultra for a year, in cents.
YEAR = 600_000


@pytest.fixture
def story(stripe_account: StripeAccount, monkeypatch: pytest.MonkeyPatch) -> Story:
    story = Story(stripe_account)
    canceled_unheard(story, monkeypatch)
    return story


def set_balance(story: Story, cents: int) -> None:
    api().customers.update(story.customer, {"balance": cents})


def balance(story: Story) -> int:
    return int(api().customers.retrieve(story.customer).balance)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "late"),
    [
        pytest.param(-200_000, 5 * HOUR, id="a part"),
        pytest.param(-YEAR - 500, 5 * HOUR, id="all"),
        pytest.param(-YEAR - 500, HOUR / 2, id="all, while it is a draft"),
        pytest.param(-200_000, HOUR / 2, id="a part, while it is a draft"),
    ],
)
def test_it_goes_back_to_the_balance(
    story: Story, mailoutbox: list[EmailMessage], before: int, late: timedelta
) -> None:
    set_balance(story, before)
    after_the_end(story, late)
    sweep(story)
    story.account.deliver()
    sweep(story)
    assert (story.row.status, balance(story)) == ("canceled", before)
    by_card = YEAR + before if late > HOUR and before > -YEAR else 0
    assert [refund.amount for refund in api().refunds.list({}).data] == [by_card] * (by_card > 0)
    mail = Mail.objects.get(kind="cancellation_missed")
    by_balance = min(-before, YEAR) if late > HOUR or before < -YEAR else 0
    assert (mail.context["amount"], mail.context["balance"]) == (
        by_card * USD // 100,
        by_balance * USD // 100,
    )
    deliver_due(at=story.account.at)
    (sent,) = [one for one in mailoutbox if "although it had been canceled" in one.subject]
    assert ("on your balance again" in sent.body) == (by_balance > 0)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["give_back_balance", "end_subscription", "refund"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_once_whoever_dies_meanwhile(
    story: Story, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    set_balance(story, -200_000)
    after_the_end(story, 5 * HOUR)
    does = getattr(stripe_api, step)

    def dies(*args: object, **kwargs: object) -> None:
        if after:
            does(*args, **kwargs)
        raise PaymentsUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(stripe_api, step, dies)
        with pytest.raises(PaymentsUnavailable):
            keep_plans(at=story.account.at)
    story.account.advance(25 * HOUR)  # Stripe has forgotten the idempotency key by then
    sweep(story)
    story.account.deliver()
    assert (story.row.status, balance(story), Refund.objects.get().state) == ("canceled", -200_000, "done")
    mail = Mail.objects.get(kind="cancellation_missed")
    assert (mail.context["amount"], mail.context["balance"]) == (4_000 * USD, 2_000 * USD)
