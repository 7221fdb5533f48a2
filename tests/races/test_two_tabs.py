"""Two tabs, two devices, two fingers: over real connections, there is one subscription and one charge.

Each race begins by showing that it is one: asked directly, Stripe does it twice.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import stripe_api
from billing.change_requests import Bill
from billing.errors import AlreadySubscribed, AmountChanged, ChangeInProgress
from billing.models import Change, Checkout, Subscription
from billing.selectors.change_requests import change_request
from billing.selectors.offers import plan_on_sale
from billing.selectors.prices import prices_of
from billing.stripe_api.client import api
from billing.workflows.customers import ensure_customer
from tests.helpers.races import race
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db(transaction=True)

TABS = 6


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def live(story: Story) -> list[str]:
    """Live subscriptions at Stripe."""
    return [one.id for one in api().subscriptions.list({"customer": story.customer}).data]


def test_without_a_row_each_tab_has_a_page_of_its_own_and_each_is_paid(story: Story) -> None:
    customer_id = ensure_customer(team=story.team, at=story.account.at)
    price = prices_of(Bill({plan_on_sale("max").pk: 1}, "month"))

    def tab(number: int) -> str:
        page = stripe_api.create_checkout(
            request=f"tab {number}",
            mode="subscription",
            customer_id=customer_id,
            prices=price,
            metadata={},
            return_url="http://tokens.test/",
            expires_at=story.account.at + timedelta(hours=1),
        )
        return story.account.pay(page.url)

    race(*[lambda number=number: tab(number) for number in range(TABS)])
    assert len(live(story)) == TABS


@pytest.mark.slow
def test_tabs_that_subscribe_at_once_make_one_subscription(story: Story) -> None:
    def tab(seats: int) -> Checkout:
        checkout = story.begin_checkout(max=seats)
        story.account.pay(checkout.url)
        return checkout

    answers = race(*[lambda seats=seats: tab(seats) for seats in range(1, TABS + 1)])
    story.account.deliver()
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(answer, (ChangeInProgress, AlreadySubscribed)) for answer in refused), refused
    assert len(live(story)) == len(story.paid()) == 1
    assert Subscription.objects.get().stripe_id == live(story)[0]
    assert Checkout.objects.filter(state="paid").count() == 1
    with pytest.raises(AlreadySubscribed):
        story.begin_checkout(max=1)


def test_a_page_that_was_left_for_another_choice_cannot_be_paid(story: Story) -> None:
    first = story.begin_checkout(max=1)
    second = story.begin_checkout(max=2)
    assert story.account.pay(first.url) == first.url
    story.account.pay(second.url)
    story.account.deliver()
    assert (len(live(story)), story.billed()) == (1, {"max_v1_month": 2})


def test_the_same_choice_again_is_the_same_page(story: Story) -> None:
    pages = race(*[lambda: story.begin_checkout(max=1)] * TABS)
    urls = {page.url for page in pages if isinstance(page, Checkout)}
    assert len(urls) == 1
    assert all(isinstance(page, (Checkout, Refusal)) for page in pages), pages


def test_without_a_row_each_tab_changes_the_subscription_and_each_is_charged(story: Story) -> None:
    story.subscribe(max=1)
    now = stripe_api.subscription(story.row.stripe_id)
    (price,) = now.quantities
    for seats in (2, 3):
        stripe_api.change_subscription(now, {price: seats}, request=f"tab {seats}", at=story.account.at)
    assert len(story.paid()) == 3


@pytest.mark.slow
def test_tabs_that_change_at_once_are_charged_once(story: Story) -> None:
    story.subscribe(max=1)
    story.account.advance(timedelta(days=10))
    requests = [change_request(kind="add", plan="max", count=count) for count in range(1, TABS + 1)]
    shown = [story.preview(request) for request in requests]

    def tab(number: int) -> Change | None:
        return story.confirm(requests[number], shown[number])

    answers = race(*[lambda number=number: tab(number) for number in range(TABS)])
    story.account.deliver()
    (done,) = [answer for answer in answers if isinstance(answer, Change)]
    refused = [answer for answer in answers if answer is not done]
    assert all(isinstance(answer, (ChangeInProgress, AmountChanged)) for answer in refused), refused
    done.refresh_from_db()
    assert (done.state, len(story.paid())) == ("done", 2)
    assert story.billed() == done_target(story, done)
    assert len(story.plans()) == sum(story.billed().values())


def done_target(story: Story, change: Change) -> dict[str, int]:
    return {api().prices.retrieve(price).lookup_key: count for price, count in change.target.items()}


def test_a_double_click_is_one_change(story: Story) -> None:
    story.subscribe(max=1)
    request = change_request(kind="add", plan="max", count=1)
    shown = story.preview(request)
    answers = race(*[lambda: story.confirm(request, shown)] * TABS)
    story.account.deliver()
    assert all(isinstance(answer, (Change, ChangeInProgress, AmountChanged)) for answer in answers), answers
    assert (story.billed(), len(story.paid()), Change.objects.count()) == ({"max_v1_month": 2}, 2, 1)
