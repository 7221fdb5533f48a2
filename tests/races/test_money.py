"""Two operators, two workers, a customer against a clock: whoever comes first, money moves once and our rows
say what Stripe says.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from billing.errors import RefundTooHigh
from billing.models import Change, CreditPurchase, Payment, Refund
from billing.selectors.change_requests import change_request
from billing.services.top_ups import set_auto_top_up
from billing.stripe_api.client import api
from billing.sync.reconcile import reconcile
from billing.sync.subscriptions import sync_subscription
from billing.workflows.changes import confirm_change, drop_change, settle_open_changes
from billing.workflows.checkouts import buy_credits
from billing.workflows.refunds import refund_payment
from billing.workflows.top_ups import top_up_all
from quota.models import CreditGrant, CreditLedgerEntry
from quota.selectors.credits import team_balance
from tests.helpers.cases import many
from tests.helpers.factories import CREDIT, USD, make_user
from tests.helpers.races import race
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db(transaction=True)

HANDS = 5


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def credits_of(story: Story, packs: int = 1) -> Payment:
    checkout = buy_credits(team=story.team, packs=packs, at=story.account.at, by=story.owner)
    story.account.pay(checkout.url)
    story.account.deliver()
    return Payment.objects.get()


def refused(answers: list[object]) -> list[Refusal]:
    """Those that were; nothing else went wrong."""
    wrong = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(answer, Refusal) for answer in wrong), wrong
    return [answer for answer in wrong if isinstance(answer, Refusal)]


def test_operators_who_pay_back_at_once_pay_back_once(story: Story) -> None:
    payment, at = credits_of(story), story.account.at
    operators = [make_user() for _ in range(HANDS)]

    answers = race(
        *[
            lambda by=by: refund_payment(payment=payment, amount_nanousd=5 * USD, reason="all", at=at, by=by)
            for by in operators
        ]
    )

    assert len(refused(list(answers))) == HANDS - 1
    assert [refund.amount for refund in api().refunds.list({}).data] == [500]
    assert Refund.objects.filter(state=Refund.State.DONE).count() == 1
    assert CreditGrant.objects.get().remaining_nanousd == 0
    assert [row.amount_nanousd for row in CreditLedgerEntry.objects.filter(kind="refund")] == [-5 * USD]
    with pytest.raises(RefundTooHigh):
        refund_payment(payment=payment, amount_nanousd=USD, reason="more", at=at, by=operators[0])


@pytest.mark.slow
def test_a_button_that_is_pressed_five_times_pays_back_once(story: Story) -> None:
    payment, at, operator, request = credits_of(story), story.account.at, make_user(), uuid4()

    answers = race(
        *[
            lambda: refund_payment(
                payment=payment, amount_nanousd=2 * USD, reason="some", request=request, at=at, by=operator
            )
        ]
        * HANDS
    )

    refused(list(answers))
    assert [refund.amount for refund in api().refunds.list({}).data] == [200]
    assert Refund.objects.get().state == Refund.State.DONE
    assert CreditGrant.objects.get().remaining_nanousd == 3_000 * CREDIT


def test_workers_that_top_up_at_once_charge_once(story: Story) -> None:
    credits_of(story)
    set_auto_top_up(
        team=story.team,
        enabled=True,
        threshold_nanousd=6_000 * CREDIT,
        target_nanousd=25_000 * CREDIT,
        month_cap_nanousd=100_000 * CREDIT,
        at=story.account.at,
        by=None,
    )

    answers = race(*[lambda: top_up_all(at=story.account.at)] * HANDS)
    top_up_all(at=story.account.at)
    story.account.deliver()

    assert refused(list(answers)) == []
    assert story.paid() == [500, 2000]
    assert CreditPurchase.objects.filter(kind="top_up").get().state == "paid"
    assert team_balance(story.team.pk, story.account.at) == 25_000 * CREDIT


def agree(story: Story) -> None:
    """What is billed is what works, what was charged is what was agreed to, and nothing is left to repair."""
    sync_subscription(story.row.stripe_id, story.account.at)
    story.account.deliver()
    assert len(story.plans()) == sum(story.billed().values())
    assert not Change.objects.filter(closed_at=None).exists()
    charged = [
        invoice.amount_paid * USD // 100
        for invoice in api().invoices.list({"customer": story.customer, "status": "paid"}).data
        if invoice.billing_reason == "subscription_update"
    ]
    agreed = Change.objects.filter(state=Change.State.DONE).values_list("amount_nanousd", flat=True)
    assert sorted(charged) == sorted(agreed)
    assert reconcile(at=story.account.at).unrepaired == []


# Threads meet in another way each time; once is enough for a short run.
TURNS = many(range(3))


@pytest.mark.slow
@pytest.mark.parametrize("turn", TURNS)
def test_dropped_and_paid_in_the_same_moment_is_one_of_the_two(story: Story, turn: int) -> None:
    story.subscribe(max=1)
    story.use_card("pm_card_chargeCustomerFail")
    request = change_request(kind="add", plan="max", count=1)
    change = story.confirm(request, story.preview(request))
    assert change is not None and change.state == Change.State.AWAITS_PAYMENT

    answers = race(
        lambda: drop_change(change=change, at=story.account.at),
        lambda: story.account.pay(change.pay_url),
    )

    refused(list(answers))
    agree(story)
    change.refresh_from_db()
    expected = 2 if change.state == Change.State.DONE else 1
    assert (len(story.paid()), len(story.plans())) == (expected, expected)


@pytest.mark.slow
@pytest.mark.parametrize("turn", TURNS)
def test_confirmed_and_canceled_in_the_same_moment_agree(story: Story, turn: int) -> None:
    story.subscribe(max=1)
    add = change_request(kind="add", plan="max", count=1)
    shown, shown_end = story.preview(add), story.preview_cancel()

    answers = race(lambda: story.confirm(add, shown), lambda: story.confirm_cancel(shown_end))

    assert len(refused(list(answers))) <= 1
    agree(story)
    assert (story.at_stripe.cancel_at is None) == (story.row.ends_at is None)
    assert story.row.cancel_asked is False


@pytest.mark.slow
@pytest.mark.parametrize("turn", TURNS)
def test_a_change_while_the_period_turns_is_charged_for_one_of_the_periods(story: Story, turn: int) -> None:
    story.subscribe(max=1)
    before = story.account.at
    story.account.advance(timedelta(days=30) - timedelta(minutes=1))
    request = change_request(kind="add", plan="max", count=1)
    shown, at = story.preview(request), story.account.at

    def renewal() -> int:
        story.account.advance(timedelta(minutes=2))
        story.account.advance(timedelta(hours=2))
        return story.account.deliver()

    answers = race(
        lambda: confirm_change(
            team=story.team,
            request=request,
            amount_nanousd=shown.amount_nanousd,
            proration_at=shown.proration_at,
            at=at,
            by=story.owner,
        ),
        renewal,
    )
    refused(list(answers))

    settle_open_changes(at=story.account.at + timedelta(minutes=10))
    agree(story)
    assert story.row.period_start > before
    assert len(story.plans()) == (2 if Change.objects.filter(state="done").exists() else 1)
