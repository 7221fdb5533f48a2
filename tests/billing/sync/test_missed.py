"""A cancellation that Stripe did not hear before the period's end."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

import pytest

from billing import stripe_api
from billing.errors import PaymentsUnavailable
from billing.models import Payment, Refund
from billing.stripe_api import schedules
from billing.stripe_api.client import api
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


@pytest.mark.slow
def test_an_invoice_in_euros_does_not_hide_the_renewal_that_is_paid_back(
    story: Story, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    canceled_unheard(story, monkeypatch)
    after_the_end(story, 5 * HOUR)
    id = story.bill_in_euros(of_subscription=True)
    sweep(story)
    story.account.deliver()
    assert (story.row.status, story.plans(), Refund.objects.get().state) == ("canceled", [], "done")
    extra = Payment.objects.for_team(story.team).latest("created_at", "pk")
    assert extra.refunded_nanousd == 6_000 * USD
    assert f"Left out: The payment service's {id} is not in US dollars but in EUR." in caplog.messages


@pytest.mark.slow
def test_before_the_card_is_charged_nothing_is_charged(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe's draft of the renewal stands for an hour."""
    canceled_unheard(story, monkeypatch)
    after_the_end(story, HOUR / 2)
    sweep(story)
    story.account.advance(2 * HOUR)
    story.account.deliver()
    assert (story.row.status, story.plans(), story.paid()) == ("canceled", [], [600_000])
    assert not Refund.objects.exists()
    assert Mail.objects.get(kind="cancellation_missed").context["amount"] == 0
    renewal = api().invoices.list({"subscription": story.row.stripe_id}).data[0]
    assert renewal.status == "void"


@pytest.mark.slow
def test_a_renewal_that_could_not_be_charged_is_void(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    canceled_unheard(story, monkeypatch)
    story.use_card("pm_card_chargeCustomerFail")
    after_the_end(story, 5 * HOUR)
    sweep(story)
    story.account.deliver()
    assert (story.row.status, story.paid(), Refund.objects.count()) == ("canceled", [600_000], 0)
    assert not api().invoices.list({"subscription": story.row.stripe_id, "status": "open"}).data


@pytest.mark.slow
@pytest.mark.parametrize("step", ["end_subscription", "refund"])
@pytest.mark.parametrize(
    "after", [pytest.param(False, id="before", marks=pytest.mark.slow), pytest.param(True, id="after")]
)
def test_whoever_dies_meanwhile_is_made_up_for_and_pays_back_once(
    story: Story, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    canceled_unheard(story, monkeypatch)
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
    story.account.advance(HOUR)
    sweep(story)
    story.account.deliver()
    assert (story.row.status, story.at_stripe.status) == ("canceled", "canceled")
    assert [refund.amount for refund in api().refunds.list({}).data] == [600_000]
    assert Refund.objects.get().state == "done"
    assert Mail.objects.filter(kind="cancellation_missed").count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("answered", [True, False])
def test_a_cancellation_that_reached_stripe_just_after_the_end_ends_the_period_before(
    story: Story, monkeypatch: pytest.MonkeyPatch, answered: bool
) -> None:
    """It was sent in the last minute, and Stripe took it for an end of the new period."""
    story.subscribe(ultra=5)
    after_the_end(story, -timedelta(seconds=30))
    story.account.deliver()
    does = schedules.set_cancel_at_period_end

    def slow(id: str, *, cancel: bool, number: int) -> None:
        story.account.advance(timedelta(minutes=1))
        does(id, cancel=cancel, number=number)
        if not answered:
            raise PaymentsUnavailable

    with monkeypatch.context() as patch:
        patch.setattr("billing.sync.schedule.schedules.set_cancel_at_period_end", slow)
        with nullcontext() if answered else pytest.raises(PaymentsUnavailable):
            story.confirm_cancel(story.preview_cancel())
    story.account.deliver()
    sweep(story)
    story.account.advance(5 * HOUR)
    story.account.deliver()
    assert (story.row.status, story.plans(), story.paid()) == ("canceled", [], [60_000])
    assert Mail.objects.filter(kind="cancellation_missed").count() == 1


@pytest.mark.slow
def test_a_cancellation_that_was_heard_charges_and_pays_back_nothing(story: Story) -> None:
    story.subscribe(max=1)
    story.cancel()
    after_the_end(story, 5 * HOUR)
    story.account.deliver()
    sweep(story)
    assert (story.row.status, story.paid(), Refund.objects.count()) == ("canceled", [5_000], 0)
    assert not Mail.objects.filter(kind="cancellation_missed").exists()
