"""An added or raised seat has whole windows at once, so it is billed for at least seven days; and a charge
that is too small for the card is collected with the next invoice.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.change_requests import ChangeRequest
from billing.models import Change, Customer
from billing.selectors.change_requests import change_request
from billing.stripe_api.client import api
from billing.sync.customers import sync_customer
from billing.workflows.change_previews import Preview
from tests.helpers.factories import USD
from tests.helpers.promotions import make_code
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
MONTH = 30 * DAY  # the third of June to the third of July
CENT = USD // 100


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def before_the_end(story: Story, before: timedelta) -> None:
    story.account.advance(story.row.period_end - before - story.account.at)


def does(story: Story, request: ChangeRequest) -> Preview:
    """What was shown of it, once it is done."""
    shown = story.preview(request)
    change = story.confirm(request, shown)
    assert change is not None
    assert change.state == Change.State.DONE
    story.account.deliver()
    return shown


def charged(story: Story) -> list[int]:
    story.account.deliver()
    return story.paid()[1:]


def test_a_hundred_ultra_for_the_last_hour_cost_seven_days(story: Story) -> None:
    story.subscribe(plus=1)
    before_the_end(story, HOUR)
    end = story.row.period_end
    shown = does(story, change_request(kind="add", plan="ultra", count=100))
    # 12,000 × 7 / 30 dollars.
    assert shown.amount_nanousd == 2_800 * USD
    assert (shown.billed_from, shown.proration_at) == (end - 7 * DAY, story.account.at)
    assert shown.renews_at == end
    assert charged(story) == [280_000]
    # They end with the period, and the next one is billed as always.
    assert story.row.period_end == end
    story.account.advance(3 * HOUR)
    assert charged(story) == [280_000, 1_202_000]


@pytest.mark.slow
def test_a_seat_raised_in_the_last_hour_pays_the_difference_of_seven_days(story: Story) -> None:
    story.subscribe(plus=2)
    before_the_end(story, HOUR)
    shown = does(story, change_request(kind="move", plan="max", seats=story.seats()[:1]))
    # 40 × 7 / 30 back, 20 × 7 / 30 and 50 × 7 / 30 again: 9.33, 4.67 and 11.67 dollars.
    assert shown.amount_nanousd == 701 * CENT
    assert charged(story) == [701]


@pytest.mark.slow
@pytest.mark.parametrize(("days", "cents"), [(8, 1_333), (7, 1_167), (6, 1_167), (1, 1_167)])
def test_with_more_than_seven_days_left_it_costs_what_is_left(story: Story, days: int, cents: int) -> None:
    story.subscribe(plus=1)
    before_the_end(story, days * DAY)
    assert does(story, change_request(kind="add", plan="max", count=1)).amount_nanousd == cents * CENT
    assert charged(story) == [cents]


@pytest.mark.slow
def test_by_the_year_is_no_seat_added_or_raised(story: Story) -> None:
    story.subscribe(plus=1)
    before_the_end(story, DAY)
    shown = does(story, change_request(kind="interval", interval="year"))
    assert (shown.amount_nanousd, shown.billed_from) == (200 * USD - 67 * CENT, story.account.at)
    assert charged(story) == [19_933]


@pytest.mark.slow
def test_the_same_seats_again_in_the_last_week_are_bought_again(story: Story) -> None:
    """What is billed from is the same moment for both; that both were shown at it is not."""
    story.subscribe(plus=1)
    before_the_end(story, 2 * DAY)
    request = change_request(kind="add", plan="max", count=1)
    first = does(story, request)
    story.account.advance(HOUR)
    second = does(story, request)
    assert (first.amount_nanousd, second.amount_nanousd) == (1_167 * CENT, 1_167 * CENT - CENT)
    assert (charged(story), story.plans()) == ([1_167, 1_166], ["plus", "max", "max"])


@pytest.mark.slow
def test_a_charge_too_small_for_the_card_is_collected_with_the_next_invoice(story: Story) -> None:
    """Ninety-nine percent off: seven days of another Plus are 42 cents for nine of them."""
    make_code("NEARLY", duration="forever", percent_hundredths=9_900)
    checkout = story.begin_checkout(max=10, code="NEARLY")
    story.account.pay(checkout.url)
    story.account.deliver()
    before_the_end(story, HOUR)
    shown = does(story, change_request(kind="add", plan="plus", count=9))
    assert (shown.amount_nanousd, shown.carried_nanousd) == (0, 42 * CENT)
    assert shown.renewal_nanousd == (500 + 180 + 42) * CENT
    assert charged(story) == []
    sync_customer(story.customer, story.account.at)
    assert Customer.objects.get().balance_nanousd == 42 * CENT
    story.account.advance(3 * HOUR)
    assert charged(story) == [722]
    sync_customer(story.customer, story.account.at)
    assert Customer.objects.get().balance_nanousd == 0


@pytest.mark.slow
def test_what_a_change_takes_off_the_balance_is_not_taken_off_the_next_invoice_again(story: Story) -> None:
    story.subscribe(max=1)
    api().customers.update(story.customer, {"balance": -1_000})
    story.account.advance(15 * DAY)
    shown = does(story, change_request(kind="add", plan="max", count=1))
    assert (shown.amount_nanousd, shown.renewal_nanousd) == (15 * USD, 100 * USD)
    story.account.advance(16 * DAY)
    assert charged(story) == [1_500, 10_000]
