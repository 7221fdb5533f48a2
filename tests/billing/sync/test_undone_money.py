"""What was refunded is not credited again by the next change (docs/rules.md, Refunds)."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from billing.models import Change, Payment
from billing.stripe_api.client import api
from billing.workflows.refunds import refund_payment
from tests.helpers.promotions import make_code
from tests.helpers.story import Story, dollars
from tests.helpers.stripe_account import StripeAccount

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def refund(story: Story, change: Change | None) -> None:
    assert change is not None
    payment = Payment.objects.get(stripe_id=story.payment_of(change.invoice_id))
    amount_nanousd, at = payment.left_nanousd, story.account.at
    refund_payment(payment=payment, amount_nanousd=amount_nanousd, reason="asked", at=at, by=story.owner)
    story.account.deliver()


def lose_in_a_dispute(story: Story, change: Change | None) -> None:
    story.account.advance(HOUR)
    story.account.deliver()
    for dispute in api().disputes.list({}).data:
        page = f"{story.account.url}/_local/disputes/{dispute.id}/close"
        assert httpx.post(page, data={"outcome": "lost"}).status_code == 303
    story.account.deliver()


def balance(story: Story) -> int:
    return int(api().customers.retrieve(story.customer).balance)


def asked(change: Change | None) -> float | None:
    return dollars(change.amount_nanousd) if change is not None else None


def test_what_was_refunded_costs_the_same_again(story: Story) -> None:
    story.subscribe(plus=1)
    for _ in range(3):
        added = story.add("plus", 5)
        assert asked(added) == pytest.approx(100, abs=0.01)
        refund(story, added)
        assert (balance(story), len(story.seats())) == (0, 1)


def test_another_change_after_a_refunded_one_costs_its_own_price(story: Story) -> None:
    story.subscribe(plus=1)
    (seat,) = story.seats()
    refund(story, story.move(seat, plan="max"))
    moved = story.move(seat, plan="ultra")
    assert (asked(moved), balance(story)) == (pytest.approx(100, abs=0.01), 0)


def test_what_was_lost_in_a_dispute_is_not_credited(story: Story) -> None:
    story.subscribe(plus=1)
    (seat,) = story.seats()
    story.use_card("pm_card_createDispute")
    lose_in_a_dispute(story, story.add("plus", 9))
    assert (len(story.seats()), balance(story)) == (1, 0)
    story.use_card("pm_card_visa")
    moved = story.move(seat, plan="ultra")
    assert (asked(moved), balance(story)) == (pytest.approx(100, rel=0.01), 0)


def test_a_subscription_with_a_code_is_undone_for_nothing_too(story: Story) -> None:
    """No discount counts on what the undoing invoice charges again."""
    make_code("HALF", duration="forever", percent_hundredths=5000)
    story.subscribe(plus=1, code="HALF")
    story.account.advance(10 * DAY)
    added = story.add("max", 2)
    refund(story, added)
    assert (balance(story), story.plans()) == (0, ["plus"])
    assert asked(story.add("max", 2)) == pytest.approx(asked(added), abs=0.01)
