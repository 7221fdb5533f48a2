"""What is planned for the period's end happens then, whatever else is under way; if it was missed all the
same, the Owner is told and the extra period is credited.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing import stripe_api
from billing.errors import ChangeInProgress, PaymentDeclined, PaymentsUnavailable
from billing.models import Change, Customer
from billing.selectors.change_requests import change_request
from billing.services.changes import open_missed
from billing.stripe_api.client import api
from billing.sync.customers import sync_customer
from billing.sync.subscriptions import sync_subscription
from billing.workflows.changes import keep_plans, settle_open_changes
from teams.models import Mail
from tests.helpers.factories import USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import AUTHENTICATES, GOOD, StripeAccount

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
# The third of June to the third of July.
MONTH = 30 * DAY


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def from_five_yearly_to_one_monthly(story: Story, card: str = GOOD) -> None:
    story.subscribe("year", card=card, ultra=5)
    story.give_up(*story.seats()[1:])
    story.pay_by("month")
    assert story.at_stripe.schedule == story.row.schedule_id != ""


def up_to_the_end(story: Story, before: timedelta) -> None:
    """Time passes until so long before the period's end."""
    story.account.advance(story.row.period_end - before - story.account.at)


def sweep(story: Story) -> None:
    """What `billing.finish` does every two minutes."""
    settle_open_changes(at=story.account.at)
    keep_plans(at=story.account.at)


def charged(story: Story) -> list[int]:
    """Cents of each charge after the first; Stripe's events are delivered."""
    story.account.deliver()
    return story.paid()[1:]


CARDS = {"declined": "pm_card_chargeCustomerFail", "3-D Secure": "pm_card_authenticationRequired"}


@pytest.mark.parametrize("card", CARDS.values(), ids=list(CARDS))
def test_five_ultra_by_the_year_planned_to_one_by_the_month_are_charged_120_dollars(
    story: Story, card: str
) -> None:
    """A change that cannot be paid is asked for in the last day: it waits for nothing."""
    from_five_yearly_to_one_monthly(story, card=AUTHENTICATES)
    up_to_the_end(story, 10 * HOUR)
    story.use_card(card)
    with pytest.raises(PaymentDeclined, match="planned for the period's end"):
        story.add("ultra", 1)
    assert Change.objects.get().state == Change.State.REFUSED
    assert story.at_stripe.schedule == story.row.schedule_id != ""
    story.use_card("pm_card_visa")
    story.account.advance(12 * HOUR)
    assert charged(story) == [12_000]
    assert (story.plans(), story.row.interval) == (["ultra"], "month")


@pytest.mark.slow
def test_a_change_that_waits_gives_way_long_before_the_periods_end(story: Story) -> None:
    from_five_yearly_to_one_monthly(story)
    up_to_the_end(story, 49 * HOUR)
    story.use_card("pm_card_chargeCustomerFail")
    change = story.add("ultra", 1)
    assert change is not None
    assert (change.state, story.at_stripe.schedule) == (Change.State.AWAITS_PAYMENT, None)
    story.use_card("pm_card_visa")
    story.account.advance(24 * HOUR)
    sweep(story)  # no event came
    assert story.at_stripe.schedule == story.row.schedule_id != ""
    story.account.advance(26 * HOUR)
    assert charged(story) == [12_000]


def test_a_change_that_was_not_answered_is_settled_and_the_plan_stands_again(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_five_yearly_to_one_monthly(story)
    up_to_the_end(story, 2 * HOUR)

    def times_out(*_: object, **__: object) -> None:
        raise PaymentsUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(stripe_api, "change_subscription", times_out)
        with pytest.raises(PaymentsUnavailable):
            story.add("ultra", 1)
    assert not story.at_stripe.schedule
    story.account.advance(6 * HOUR / 60)
    sweep(story)
    assert story.at_stripe.schedule == story.row.schedule_id != ""
    story.account.advance(4 * HOUR)
    assert charged(story) == [12_000]


@pytest.mark.slow
def test_in_the_last_hour_nothing_is_asked_that_would_take_the_plan_off(story: Story) -> None:
    from_five_yearly_to_one_monthly(story)
    up_to_the_end(story, HOUR - timedelta(seconds=1))
    with pytest.raises(ChangeInProgress, match="The period ends within the hour"):
        story.preview(change_request(kind="add", plan="ultra", count=1))
    assert (Change.objects.count(), charged(story)) == (0, [])
    assert story.at_stripe.schedule == story.row.schedule_id != ""


@pytest.mark.slow
def test_a_payment_that_somebody_else_asked_for_gives_way_too(story: Story) -> None:
    """An operator changed the subscription at Stripe itself, and its payment waits."""
    from_five_yearly_to_one_monthly(story)
    up_to_the_end(story, 10 * HOUR)
    story.use_card("pm_card_chargeCustomerFail")
    item = story.at_stripe["items"].data[0].id
    asked = {"items": [{"id": item, "quantity": 6}], "proration_behavior": "always_invoice"}
    api().subscription_schedules.release(story.row.schedule_id)
    api().subscriptions.update(story.row.stripe_id, {**asked, "payment_behavior": "pending_if_incomplete"})
    story.use_card("pm_card_visa")
    story.account.deliver()
    assert story.at_stripe.pending_update is None
    assert story.at_stripe.schedule == story.row.schedule_id != ""
    story.account.advance(12 * HOUR)
    assert charged(story) == [12_000]


@pytest.mark.slow
def test_what_could_not_be_scheduled_is_scheduled_by_the_sweep(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe did not answer when it was planned."""
    story.subscribe("year", ultra=5)

    def away(*_: object, **__: object) -> None:
        raise PaymentsUnavailable

    with monkeypatch.context() as patch:
        patch.setattr("billing.sync.schedule.schedules.upsert_schedule", away)
        with pytest.raises(PaymentsUnavailable):
            story.give_up(*story.seats()[1:])
    up_to_the_end(story, 20 * HOUR)
    sweep(story)
    story.account.advance(22 * HOUR)
    assert charged(story) == [120_000]


def missed(story: Story) -> None:
    """Somebody took the schedule off at Stripe, and we heard of nothing until the period was over."""
    from_five_yearly_to_one_monthly(story)
    api().subscription_schedules.release(story.row.schedule_id)


@pytest.mark.slow
def test_what_was_missed_is_billed_as_planned_before_the_card_is_charged(story: Story) -> None:
    """Stripe's draft of the renewal stands for an hour."""
    missed(story)
    up_to_the_end(story, -HOUR / 2)
    sweep(story)
    assert (story.plans(), story.row.interval, story.billed()) == (["ultra"], "month", {"ultra_v1_month": 1})
    story.account.advance(2 * HOUR)
    assert charged(story) == [12_000]
    (sent,) = Mail.objects.filter(kind="plan_missed")
    assert (sent.to, sent.context["amount"]) == (story.owner.email, 5_880 * USD)
    sync_customer(story.customer, story.account.at)
    assert Customer.objects.get().balance_nanousd == 0


@pytest.mark.slow
def test_what_was_missed_and_charged_is_credited_to_the_cent(story: Story) -> None:
    missed(story)
    up_to_the_end(story, -5 * HOUR)
    assert charged(story) == [600_000]
    assert (story.plans(), story.row.interval, story.billed()) == (["ultra"], "month", {"ultra_v1_month": 1})
    sync_customer(story.customer, story.account.at)
    assert Customer.objects.get().balance_nanousd == -5_880 * USD
    (change,) = Change.objects.all()
    assert (change.state, change.amount_nanousd, change.by) == ("done", -5_880 * USD, None)
    assert Mail.objects.get(kind="plan_missed").context["amount"] == 5_880 * USD
    # Once, whatever is heard again; and the next month is paid with it.
    sweep(story)
    sync_subscription(story.row.stripe_id, story.account.at)
    assert (Change.objects.count(), Mail.objects.filter(kind="plan_missed").count()) == (1, 1)
    story.account.advance(32 * DAY)
    assert charged(story) == [600_000]
    sync_customer(story.customer, story.account.at)
    assert Customer.objects.get().balance_nanousd == -5_760 * USD


@pytest.mark.slow
def test_what_was_missed_and_could_not_be_charged_is_void_and_billed_as_planned(story: Story) -> None:
    missed(story)
    story.use_card("pm_card_chargeCustomerFail")
    up_to_the_end(story, -5 * HOUR)
    story.account.stripe.events("whsec_lost")
    renewal = api().invoices.list({"subscription": story.row.stripe_id, "status": "open"}).data[0]
    assert renewal.amount_due == 600_000
    story.use_card("pm_card_visa")
    sweep(story)
    assert api().invoices.retrieve(renewal.id).status == "void"
    assert charged(story) == [12_000]
    assert (story.plans(), story.row.status) == (["ultra"], "active")
    sync_customer(story.customer, story.account.at)
    assert Customer.objects.get().balance_nanousd == 0


@pytest.mark.slow
def test_a_credit_whose_answer_was_lost_is_given_once(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    missed(story)
    up_to_the_end(story, -5 * HOUR)
    rebill = stripe_api.rebill_period

    def answer_is_lost(*args: Any, **kwargs: Any) -> None:
        rebill(*args, **kwargs)
        raise PaymentsUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(stripe_api, "rebill_period", answer_is_lost)
        with pytest.raises(PaymentsUnavailable):
            sync_subscription(story.row.stripe_id, story.account.at)
    assert Change.objects.get().state == Change.State.OPEN
    story.account.advance(6 * HOUR / 60)
    sweep(story)
    assert (Change.objects.get().state, story.plans()) == (Change.State.DONE, ["ultra"])
    sync_customer(story.customer, story.account.at)
    assert Customer.objects.get().balance_nanousd == -5_880 * USD
    assert Mail.objects.filter(kind="plan_missed").count() == 1


@pytest.mark.slow
def test_a_credit_that_was_never_sent_is_given_by_a_later_sync(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed(story)
    up_to_the_end(story, -5 * HOUR)

    def away(*_: object, **__: object) -> None:
        raise PaymentsUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(stripe_api, "rebill_period", away)
        with pytest.raises(PaymentsUnavailable):
            sync_subscription(story.row.stripe_id, story.account.at)
    story.account.advance(6 * HOUR / 60)
    sweep(story)
    story.account.advance(2 * HOUR)
    sweep(story)
    assert sorted(Change.objects.values_list("state", flat=True)) == ["done", "refused"]
    sync_customer(story.customer, story.account.at)
    assert Customer.objects.get().balance_nanousd == -5_880 * USD
    assert Mail.objects.filter(kind="plan_missed").count() == 1


@pytest.mark.slow
def test_a_sync_that_was_overtaken_credits_nothing(story: Story) -> None:
    missed(story)
    up_to_the_end(story, -5 * HOUR)
    stale = story.row
    sync_subscription(story.row.stripe_id, story.account.at)
    target = {"price_any": 1}
    with pytest.raises(ChangeInProgress):
        open_missed(
            subscription=stale, target=target, extra_nanousd=1, since=stale.period_end, at=story.account.at
        )
    assert Change.objects.count() == 1


@pytest.mark.slow
def test_one_of_two_seats_that_was_to_go_and_stayed_is_credited(story: Story) -> None:
    story.subscribe(max=2)
    story.give_up(story.seats()[0])
    api().subscription_schedules.release(story.row.schedule_id)
    story.account.advance(MONTH + DAY)
    assert charged(story) == [10_000]
    assert (len(story.plans()), story.planned()) == (1, [None])
    sync_customer(story.customer, story.account.at)
    assert Customer.objects.get().balance_nanousd == -50 * USD


@pytest.mark.slow
def test_a_new_period_that_somebody_began_early_moves_the_plan_to_its_end(story: Story) -> None:
    story.subscribe(max=2)
    story.give_up(story.seats()[0])
    api().subscription_schedules.release(story.row.schedule_id)
    story.account.advance(10 * DAY)
    api().subscriptions.update(
        story.row.stripe_id, {"billing_cycle_anchor": {"type": "now"}, "proration_behavior": "none"}
    )
    story.account.deliver()
    assert story.row.planned_for == story.row.period_end
    assert story.at_stripe.schedule == story.row.schedule_id != ""
    assert not Mail.objects.filter(kind="plan_missed").exists()


@pytest.mark.slow
def test_a_cancellation_that_stripe_did_not_hear_is_asked_again_by_the_sweep(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.subscribe("year", ultra=5)

    def away(*_: object, **__: object) -> None:
        raise PaymentsUnavailable

    with monkeypatch.context() as patch:
        patch.setattr("billing.sync.schedule.schedules.set_cancel_at_period_end", away)
        with pytest.raises(PaymentsUnavailable):
            story.cancel()
    assert not story.at_stripe.cancel_at
    sweep(story)
    assert story.at_stripe.cancel_at == int(story.row.period_end.timestamp())
    up_to_the_end(story, -DAY)
    assert (charged(story), story.plans()) == ([], [])
