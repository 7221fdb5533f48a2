"""What was refunded is not credited again by the next change (docs/rules.md, Refunds)."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from billing.models import Change, Payment
from billing.stripe_api.client import api
from billing.sync.reconcile import reconcile
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
        assert httpx.post(page, data={"outcome": "lost"}, verify=False).status_code == 303
    story.account.deliver()


def balance(story: Story) -> int:
    return int(api().customers.retrieve(story.customer).balance)


def asked(change: Change | None) -> float | None:
    return dollars(change.amount_nanousd) if change is not None else None


@pytest.mark.slow
def test_what_was_refunded_costs_the_same_again(story: Story) -> None:
    story.subscribe(plus=1)
    for _ in range(3):
        added = story.add("plus", 5)
        assert asked(added) == pytest.approx(100, abs=0.01)
        refund(story, added)
        assert (balance(story), len(story.seats())) == (0, 1)


@pytest.mark.slow
def test_another_change_after_a_refunded_one_costs_its_own_price(story: Story) -> None:
    story.subscribe(plus=1)
    (seat,) = story.seats()
    refund(story, story.move(seat, plan="max"))
    moved = story.move(seat, plan="ultra")
    assert asked(moved) == pytest.approx(100, abs=0.01)
    assert balance(story) == 0


@pytest.mark.slow
def test_what_was_lost_in_a_dispute_is_not_credited(story: Story) -> None:
    story.subscribe(plus=1)
    (seat,) = story.seats()
    story.use_card("pm_card_createDispute")
    lose_in_a_dispute(story, story.add("plus", 9))
    assert (len(story.seats()), balance(story)) == (1, 0)
    story.use_card("pm_card_visa")
    moved = story.move(seat, plan="ultra")
    assert asked(moved) == pytest.approx(100, rel=0.01)
    assert balance(story) == 0


@pytest.mark.slow
def test_a_subscription_with_a_code_is_undone_for_nothing_too(story: Story) -> None:
    """No discount counts on what the undoing invoice charges again."""
    make_code("HALF", duration="forever", percent_hundredths=5000)
    story.subscribe(plus=1, code="HALF")
    story.account.advance(10 * DAY)
    added = story.add("max", 2)
    refund(story, added)
    assert (balance(story), story.plans()) == (0, ["plus"])
    assert asked(story.add("max", 2)) == pytest.approx(asked(added), abs=0.01)


def first_payment(story: Story) -> Payment:
    return Payment.objects.for_team(story.team).earliest("created_at", "pk")


def refund_period(story: Story) -> None:
    payment = first_payment(story)
    amount_nanousd, at = payment.left_nanousd, story.account.at
    refund_payment(payment=payment, amount_nanousd=amount_nanousd, reason="asked", at=at, by=story.owner)
    story.account.deliver()


@pytest.mark.slow
def test_a_refunded_period_ends_its_own_seats_and_not_those_that_were_paid_since(story: Story) -> None:
    story.subscribe(plus=1, max=1)
    story.add("ultra", 2)
    story.add("plus")
    before, paid_since = story.seats(), story.seats()[2:]
    story.move(before[1], plan="ultra")  # raised since, and yet a seat of the period's invoice

    refund_period(story)

    assert (story.seats(), sorted(story.plans())) == (paid_since, ["plus", "ultra", "ultra"])
    assert (story.row.status, story.billed()) == ("active", {"plus_v1_month": 1, "ultra_v1_month": 2})
    assert balance(story) == 0
    assert reconcile(at=story.account.at, everything=True).repaired == []
    story.account.advance(timedelta(days=35))
    story.account.deliver()
    assert (story.seats(), story.paid()[-1]) == (paid_since, 26_000)


@pytest.mark.slow
def test_when_what_was_paid_since_is_refunded_too_the_subscription_ends(story: Story) -> None:
    story.subscribe(plus=1)
    added = story.add("max")
    refund_period(story)
    assert story.plans() == ["max"]
    refund(story, added)
    assert (story.row.status, story.plans()) == ("canceled", [])
