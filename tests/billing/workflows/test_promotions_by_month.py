"""A code that takes something off for some months is for paying by the month: a year is one invoice."""

from __future__ import annotations

from typing import Any

import pytest

from billing.errors import PaymentDeclined, PromotionByMonth
from billing.models import Checkout
from billing.selectors.change_requests import change_request
from billing.workflows.change_previews import Preview
from billing.workflows.checkouts import preview_seats
from tests.helpers.factories import USD
from tests.helpers.promotions import make_code
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def the_year(story: Story) -> Preview:
    return story.preview(change_request(kind="interval", interval="year"))


def test_it_buys_no_year(story: Story) -> None:
    make_code("THREE", duration="repeating", months=3)
    with pytest.raises(PromotionByMonth) as refused:
        story.begin_checkout("year", ultra=3, code="THREE")
    assert refused.value.pointer == "/promotion_code"
    about: dict[str, Any] = {"team": story.team, "promotion_code": "THREE", "at": story.account.at}
    with pytest.raises(PromotionByMonth):
        preview_seats(seats={"ultra": 3}, interval="year", **about)
    assert not Checkout.objects.exists()
    assert preview_seats(seats={"ultra": 3}, interval="month", **about).total_nanousd == 0


@pytest.mark.slow
def test_it_is_left_behind_when_a_year_begins(story: Story) -> None:
    make_code("THREE", duration="repeating", months=3)
    story.subscribe(max=1, code="THREE")
    assert story.paid() == []
    shown = the_year(story)
    assert (shown.ends_discount, shown.amount_nanousd, shown.renewal_nanousd) == (True, 500 * USD, 500 * USD)
    story.pay_by("year")
    story.add("ultra")
    assert (story.paid()[0], story.at_stripe.discounts, len(story.seats())) == (50_000, [], 2)
    assert story.paid()[1] > 100_000


def test_a_year_that_is_not_paid_leaves_it_as_it_is(story: Story) -> None:
    make_code("THREE", duration="repeating", months=3)
    story.subscribe(max=1, code="THREE")
    story.use_card("pm_card_chargeCustomerFail")
    with pytest.raises(PaymentDeclined) as refused:
        story.pay_by("year")
    assert "period's end" not in refused.value.detail
    assert (story.row.interval, len(story.at_stripe.discounts)) == ("month", 1)
    shown = story.preview(change_request(kind="add", plan="max", count=1))
    assert (shown.ends_discount, shown.amount_nanousd, shown.renewal_nanousd) == (False, 0, 0)


def test_one_that_lasts_takes_its_share_off_the_year_too(story: Story) -> None:
    make_code("HALF", duration="forever", percent_hundredths=5_000)
    story.subscribe(max=1, code="HALF")
    shown = the_year(story)
    assert (shown.ends_discount, shown.renewal_nanousd) == (False, 250 * USD)
    assert (shown.amount_nanousd, len(story.at_stripe.discounts)) == (225 * USD, 1)
