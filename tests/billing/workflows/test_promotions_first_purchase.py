"""A code for a Team's first purchase is for one purchase, also while that is being paid."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import stripe_api
from billing.errors import PromotionForFirstPurchase
from billing.models import Checkout, Promotion
from billing.services.promotions import PromotionTerms, set_terms
from billing.sync.promotions import sync_promotion
from billing.workflows.checkouts import buy_credits, leave_checkout
from tests.helpers.factories import make_user
from tests.helpers.promotions import make_code
from tests.helpers.story import Story
from tests.helpers.stripe_account import COMES_LATER, GOOD, StripeAccount


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def begin_credits(story: Story, code: str = "") -> Checkout:
    at, by = story.account.at, story.owner
    return buy_credits(team=story.team, packs=200, promotion_code=code, at=at, by=by)


def made_by_hand(story: Story) -> None:
    """A code that Stripe does not know to be for first purchases."""
    coupon = stripe_api.create_coupon(request="c", name="x", duration="once", percent_hundredths=10_000)
    made = stripe_api.create_promotion(request="p", code="BYHAND", coupon_id=coupon)
    sync_promotion(made.id, story.account.at)
    terms = PromotionTerms(scope="credits", first_purchase=True)
    set_terms(
        promotion=Promotion.objects.get(code="BYHAND"), terms=terms, at=story.account.at, by=make_user()
    )


def test_while_a_debit_is_under_way_nothing_else_is_the_first_purchase(story: Story) -> None:
    make_code("HALF", scope="credits", first_purchase=True, once_a_team=False, percent_hundredths=5_000)
    make_code("SEATS", first_purchase=True)
    story.account.pay(begin_credits(story, "HALF").url, COMES_LATER)
    story.account.deliver()
    with pytest.raises(PromotionForFirstPurchase, match="under way") as refused:
        begin_credits(story, "HALF")
    assert refused.value.pointer == "/promotion_code"
    with pytest.raises(PromotionForFirstPurchase):
        story.begin_checkout(max=1, code="SEATS")
    story.account.advance(timedelta(days=7))
    story.account.deliver()
    with pytest.raises(PromotionForFirstPurchase):
        begin_credits(story, "HALF")
    assert story.paid() == [50_000]


def test_a_debit_without_a_code_is_the_first_purchase_too(story: Story) -> None:
    make_code("SEATS", first_purchase=True)
    story.account.pay(begin_credits(story).url, COMES_LATER)
    story.account.deliver()
    with pytest.raises(PromotionForFirstPurchase):
        story.begin_checkout(max=1, code="SEATS")


@pytest.mark.slow
def test_one_page_at_a_time_has_such_a_code(story: Story) -> None:
    made_by_hand(story)
    make_code("SEATS", first_purchase=True)
    page = begin_credits(story, "BYHAND")
    with pytest.raises(PromotionForFirstPurchase, match="leave its payment page"):
        story.begin_checkout(max=1, code="SEATS")
    assert begin_credits(story, "BYHAND").pk == page.pk
    leave_checkout(checkout=page, at=story.account.at)
    story.subscribe(max=1, code="SEATS")
    assert (story.paid(), story.plans()) == ([], ["max"])
    with pytest.raises(PromotionForFirstPurchase):
        begin_credits(story, "BYHAND")


def test_a_page_that_was_paid_unheard_was_the_first_purchase(story: Story) -> None:
    made_by_hand(story)
    story.account.pay(story.begin_checkout(max=1).url, GOOD)
    with pytest.raises(PromotionForFirstPurchase):
        begin_credits(story, "BYHAND")
