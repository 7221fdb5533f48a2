"""Which seats an undone change moves back or takes away, and where nothing is undone by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from billing.models import Change, Payment, PurchasedSeat
from billing.sync.reconcile import reconcile
from billing.workflows.refunds import refund_payment
from quota.models import Plan
from teams.models import Mail, User
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    User.objects.create_user("operator@example.com", is_staff=True)
    return Story(stripe_account)


def refund(story: Story, change: Change | None) -> None:
    assert change is not None
    payment = Payment.objects.get(stripe_id=story.payment_of(change.invoice_id))
    amount_nanousd, at = payment.left_nanousd, story.account.at
    refund_payment(payment=payment, amount_nanousd=amount_nanousd, reason="asked", at=at, by=story.owner)
    story.account.deliver()


def seat_plans(story: Story) -> dict[int, str]:
    bought = PurchasedSeat.objects.live().filter(team=story.team).select_related("plan").order_by("pk")
    return {seat.pk: seat.plan.code for seat in bought}


def seats_of(story: Story, plan: str) -> list[int]:
    return [seat_id for seat_id, code in seat_plans(story).items() if code == plan]


@pytest.mark.slow
def test_the_seats_that_moved_move_back_and_no_other(story: Story) -> None:
    story.subscribe(plus=2, max=1)
    before = seat_plans(story)
    refund(story, story.move(*seats_of(story, "plus"), plan="max"))
    assert seat_plans(story) == before


@pytest.mark.slow
def test_the_seat_that_was_added_leaves_and_what_is_planned_stays(story: Story) -> None:
    story.subscribe(max=2)
    given_up, kept = story.seats()
    added = story.add("max")
    story.give_up(given_up)
    refund(story, added)
    assert story.seats() == [given_up, kept]
    assert PurchasedSeat.objects.get(pk=given_up).leaves
    assert story.at_stripe.schedule
    story.account.advance(timedelta(days=35))
    story.account.deliver()
    assert story.seats() == [kept]


@pytest.mark.slow
def test_a_moved_seat_keeps_what_is_planned_for_it_when_it_moves_back(story: Story) -> None:
    story.subscribe(plus=1)
    (seat,) = story.seats()
    raised = story.move(seat, plan="ultra")
    story.move(seat, plan="max")  # at the period's end
    refund(story, raised)
    planned = PurchasedSeat.objects.get(pk=seat).next_plan
    assert (seat_plans(story), planned) == ({seat: "plus"}, Plan.objects.get(code="max"))
    assert story.at_stripe.schedule


@pytest.mark.slow
def test_where_no_seat_would_stay_the_subscription_ends_with_its_period(story: Story) -> None:
    story.subscribe(max=1)
    (old,) = story.seats()
    added = story.add("max")
    story.give_up(old)
    refund(story, added)
    assert story.seats() == [old]
    assert story.row.cancel_at == story.row.period_end
    assert reconcile(at=story.account.at, everything=True).unrepaired == []
    story.account.advance(timedelta(days=35))
    story.account.deliver()
    assert (story.row.status, story.plans()) == ("canceled", [])


def moved_twice(story: Story) -> Change | None:
    (seat,) = story.seats()
    first = story.move(seat, plan="max")
    story.move(seat, plan="ultra")
    return first


def added_then_moved(story: Story) -> Change | None:
    added = story.add("max")
    story.move(story.seats()[1], plan="ultra")
    return added


def added_then_by_the_year(story: Story) -> Change | None:
    added = story.add("max")
    story.account.advance(timedelta(days=3))
    story.pay_by("year")
    return added


@pytest.mark.slow
def test_when_the_later_change_is_refunded_too_both_are_undone(story: Story) -> None:
    story.subscribe(plus=1)
    (seat,) = story.seats()
    first, second = story.move(seat, plan="max"), story.move(seat, plan="ultra")
    refund(story, first)
    refund(story, second)
    assert seat_plans(story) == {seat: "plus"}
    assert story.billed() == {"plus_v1_month": 1}


@pytest.mark.slow
@pytest.mark.parametrize("changed", [moved_twice, added_then_moved, added_then_by_the_year])
def test_what_a_later_change_built_on_is_left_and_operators_get_one_mail(
    story: Story, changed: Callable[[Story], Change | None]
) -> None:
    story.subscribe(plus=1)
    first = changed(story)
    before, billed = seat_plans(story), story.billed()
    refund(story, first)
    reconcile(at=story.account.at, everything=True)
    assert (seat_plans(story), story.billed()) == (before, billed)
    mails = Mail.objects.filter(kind="not_undone")
    assert [mail.to for mail in mails] == ["operator@example.com"]
    assert not Change.objects.unfinished().exists()
