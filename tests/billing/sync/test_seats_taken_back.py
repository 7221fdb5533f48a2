"""Seats whose payment was refunded, or lost in a dispute."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from billing.models import Change, Payment
from billing.stripe_api.client import api
from billing.sync.reconcile import reconcile
from billing.workflows.refunds import refund_payment
from teams.models import Mail, User
from teams.services.mail import deliver_due
from tests.helpers.factories import USD, make_team
from tests.helpers.story import Story
from tests.helpers.stripe_account import DISPUTED, StripeAccount

HOUR = timedelta(hours=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def period_payment(story: Story) -> Payment:
    return Payment.objects.for_team(story.team).earliest("created_at", "pk")


def refund_whole(story: Story, payment: Payment) -> None:
    refund_payment(
        payment=payment,
        amount_nanousd=payment.left_nanousd,
        reason="a period",
        at=story.account.at,
        by=story.owner,
    )
    story.account.deliver()


def test_a_refunded_period_ends_its_seats_and_their_renewal(story: Story) -> None:
    story.subscribe(max=2)
    other = Story(story.account, make_team("Other"))
    other.subscribe(max=1)

    refund_whole(story, period_payment(story))

    assert (story.row.status, story.plans(), story.at_stripe.status) == ("canceled", [], "canceled")
    assert (other.row.status, other.plans()) == ("active", ["max"])
    assert Mail.objects.filter(kind="subscription_ended").count() == 1
    assert reconcile(at=story.account.at).repaired == []


@pytest.mark.slow
def test_a_part_of_a_period_or_an_earlier_period_that_is_refunded_ends_nothing(story: Story) -> None:
    story.subscribe(max=1)
    first = period_payment(story)
    refund_payment(
        payment=first, amount_nanousd=1 * USD, reason="a part", at=story.account.at, by=story.owner
    )
    story.account.deliver()
    assert story.plans() == ["max"]
    story.account.advance(timedelta(days=35))
    story.account.deliver()
    first.refresh_from_db()
    refund_payment(
        payment=first,
        amount_nanousd=first.left_nanousd,
        reason="the rest",
        at=story.account.at,
        by=story.owner,
    )
    story.account.deliver()
    assert (story.row.status, story.plans()) == ("active", ["max"])


def test_a_period_lost_in_a_dispute_ends_its_seats(story: Story) -> None:
    story.subscribe(card=DISPUTED, max=1)
    story.account.advance(HOUR)
    story.account.deliver()
    (dispute,) = api().disputes.list({}).data
    page = f"{story.account.url}/_local/disputes/{dispute.id}/close"
    assert httpx.post(page, data={"outcome": "lost"}, verify=False).status_code == 303
    story.account.deliver()
    assert (story.row.status, story.plans()) == ("canceled", [])


@pytest.mark.slow
def test_a_refunded_change_undoes_that_change_alone(story: Story) -> None:
    story.subscribe(plus=1, max=1)
    plus, big = story.seats()
    story.give_up(plus)
    added = story.add("max")
    story.add("plus")
    assert added is not None
    payment = Payment.objects.get(stripe_id=story.payment_of(added.invoice_id))

    refund_whole(story, payment)

    assert story.billed() == {"plus_v1_month": 2, "max_v1_month": 1}
    assert sorted(story.plans()) == ["max", "plus", "plus"]
    assert big in story.seats()
    assert Change.objects.get(pk=added.pk).undone_at == story.account.at
    assert story.at_stripe.schedule  # what was planned for the period's end is planned still
    refunded = Payment.objects.get(pk=payment.pk)
    assert refunded.is_taken_back
    assert reconcile(at=story.account.at, everything=True).repaired == []
    assert story.billed() == {"plus_v1_month": 2, "max_v1_month": 1}


@pytest.mark.slow
def test_a_refunded_upgrade_moves_the_seat_back(story: Story) -> None:
    story.subscribe(plus=1)
    (seat,) = story.seats()
    moved = story.move(seat, plan="ultra")
    assert moved is not None
    refund_whole(story, Payment.objects.get(stripe_id=story.payment_of(moved.invoice_id)))
    assert (story.seats(), story.plans()) == ([seat], ["plus"])


@pytest.mark.slow
def test_a_month_that_is_part_of_a_year_ends_nothing_and_operators_get_one_mail(story: Story) -> None:
    User.objects.create_user("operator@example.com", is_staff=True)
    story.subscribe(max=1)
    month = period_payment(story)
    story.account.advance(timedelta(days=10))
    story.pay_by("year")

    refund_whole(story, month)
    reconcile(at=story.account.at, everything=True)

    assert (story.row.status, story.plans(), story.billed()) == ("active", ["max"], {"max_v1_year": 1})
    mails = [(mail.to, mail.context["payment"]) for mail in Mail.objects.filter(kind="month_in_a_year")]
    assert mails == [("operator@example.com", month.stripe_id)]
    assert deliver_due(at=story.account.at) > 0

    year = Payment.objects.for_team(story.team).latest("created_at", "pk")
    refund_whole(story, year)
    assert (story.row.status, story.plans()) == ("canceled", [])


@pytest.mark.slow
def test_a_month_before_the_one_that_became_a_year_is_no_part_of_it(story: Story) -> None:
    User.objects.create_user("operator@example.com", is_staff=True)
    story.subscribe(max=1)
    first = period_payment(story)
    story.account.advance(timedelta(days=33))
    story.account.deliver()
    story.pay_by("year")
    refund_whole(story, first)
    assert story.plans() == ["max"]
    assert not Mail.objects.filter(kind="month_in_a_year").exists()
