"""One code, once a Team, whoever asks at once. It begins by showing that Stripe alone gives it to each."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest

from billing import stripe_api
from billing.errors import AlreadySubscribed, ChangeInProgress, PromotionUsed
from billing.models import Checkout, Promotion, PromotionRedemption
from billing.selectors.prices import pack_price_id
from billing.services.redemptions import reserve_promotion
from billing.workflows.checkouts import buy_credits
from billing.workflows.customers import ensure_customer
from quota.selectors.credits import team_balance
from tests.helpers.bought import say_promotion
from tests.helpers.factories import USD
from tests.helpers.promotions import make_code
from tests.helpers.races import race, waiting
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tokenplan.kit.transactions import one_transaction

pytestmark = pytest.mark.django_db(transaction=True)

TABS = 4


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def test_without_our_row_each_tab_uses_the_code(story: Story) -> None:
    code = make_code("GIFT", scope="credits")
    customer_id, price = ensure_customer(team=story.team, at=story.account.at), pack_price_id()

    def tab(number: int) -> int:
        page = stripe_api.create_checkout(
            request=f"tab {number}",
            mode="payment",
            customer_id=customer_id,
            prices={price: 200},
            metadata={},
            return_url="http://tokens.test/",
            expires_at=story.account.at + timedelta(hours=1),
            promotion_id=code.stripe_id,
        )
        story.account.pay(page.url)
        return int(stripe_api.promotion(code.stripe_id).times_redeemed)

    race(*[lambda number=number: tab(number) for number in range(TABS)])
    assert stripe_api.promotion(code.stripe_id).times_redeemed == TABS
    assert story.paid() == []


def test_tabs_that_buy_with_one_code_at_once_use_it_once(story: Story) -> None:
    make_code("GIFT", scope="credits")

    def tab(packs: int) -> Checkout:
        at, by = story.account.at, story.owner
        checkout = buy_credits(team=story.team, packs=packs, promotion_code="GIFT", at=at, by=by)
        story.account.pay(checkout.url)
        return checkout

    answers = race(*[lambda packs=packs: tab(packs) for packs in range(1, TABS + 1)])
    story.account.deliver()
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(answer, (ChangeInProgress, PromotionUsed)) for answer in refused), refused
    paid = Checkout.objects.get(state="paid")
    worth = sum(paid.prices.values()) * 5 * USD
    assert (story.paid(), team_balance(story.team.pk, story.account.at)) == ([], worth)
    assert PromotionRedemption.objects.counting().get().checkout == paid


def test_without_the_lock_the_constraint_refuses_the_second_use(
    story: Story,
) -> None:
    """Two sessions, of which each was found free to use the code: the second waits for the first, and is
    refused when that has committed.
    """
    code, at = make_code("GIFT", scope="credits"), story.account.at
    sessions = [
        Checkout.objects.create(
            id=uuid4(),
            team=story.team,
            kind="credits",
            prices={},
            text="x",
            state=state,
            created_at=at,
            expires_at=at,
        )
        for state in ("open", "processing")
    ]

    def use(session: Checkout) -> object:
        with one_transaction():
            made = reserve_promotion(checkout=session, promotion=code, at=at)
            waiting("transactionid", 1)  # the other one has checked too, and waits for this one
            return made

    answers = race(*[lambda session=session: use(session) for session in sessions])
    assert [type(answer) for answer in answers].count(PromotionUsed) == 1
    assert PromotionRedemption.objects.count() == 1


@pytest.mark.slow
def test_tabs_that_subscribe_with_one_code_at_once_use_it_once(story: Story) -> None:
    make_code("HALF", percent_hundredths=5_000)

    def tab(seats: int) -> Checkout:
        checkout = story.begin_checkout(max=seats, code="HALF")
        story.account.pay(checkout.url)
        return checkout

    answers = race(*[lambda seats=seats: tab(seats) for seats in range(1, TABS + 1)])
    story.account.deliver()
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    allowed = (ChangeInProgress, PromotionUsed, AlreadySubscribed)
    assert all(isinstance(answer, allowed) for answer in refused), refused
    assert story.paid() == [2_500 * len(story.plans())]
    assert PromotionRedemption.objects.counting().count() == 1


def test_the_event_of_a_new_code_beside_our_own_making_it_makes_one_row() -> None:
    """The second finds no row, waits for the first to commit, and was refused by the unique id."""
    is_inserted = threading.Event()

    def first() -> None:
        with one_transaction():
            say_promotion("GIFT", sequence=1)
            is_inserted.set()
            waiting("transactionid", 1)

    def second() -> None:
        assert is_inserted.wait(10)
        say_promotion("GIFT", sequence=2, times_redeemed=3)

    assert race(first, second) == [None, None]
    row = Promotion.objects.get()
    assert (row.code, row.times_redeemed, row.fetch_sequence) == ("GIFT", 3, 2)
