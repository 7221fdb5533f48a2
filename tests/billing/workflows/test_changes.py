"""Every change of a subscription, asked of the local Stripe: what is charged, when seats move, what a refusal
leaves.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.change_requests import AddSeats, MoveSeats
from billing.errors import (
    AmountChanged,
    ChangeInProgress,
    NotOnSale,
    PaymentOverdue,
)
from billing.models import Change, PurchasedSeat
from billing.seat_plans import LEAVES
from billing.selectors.change_requests import change_request
from billing.stripe_api.client import api
from billing.workflows.changes import drop_change
from quota.models import Plan
from teams.services import seats as seat_service
from tests.helpers.factories import USD, make_member, make_user
from tests.helpers.promotions import make_code
from tests.helpers.story import Story, dollars
from tests.helpers.stripe_account import AUTHENTICATES, DECLINED, StripeAccount
from tokenplan.kit.errors import InvalidValue

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
# The third of June to the third of July.
MONTH = 30 * DAY


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


@pytest.mark.slow
def test_seats_are_added_at_once_for_what_is_left_of_the_month(story: Story) -> None:
    story.subscribe(max=1)
    story.account.advance(15 * DAY)
    shown = story.preview(change_request(kind="add", plan="max", count=2))
    assert (dollars(shown.amount_nanousd), dollars(shown.renewal_nanousd)) == (50.0, 150.0)
    change = story.add("max", 2)
    assert change is not None
    assert change.state == Change.State.DONE
    assert (story.plans(), story.billed()) == (["max"] * 3, {"max_v1_month": 3})
    assert story.paid() == [5_000, 5_000]


def test_an_upgrade_pays_the_difference_at_once_and_moves_the_seat_that_was_named(story: Story) -> None:
    story.subscribe(plus=2)
    story.account.advance(15 * DAY)
    first, second = story.seats()
    holder = make_member(story.team)
    seat = PurchasedSeat.objects.get(pk=second).seat
    seat_service.assign_seat(seat=seat, membership=holder, by=None, at=story.account.at)
    change = story.move(second, plan="ultra")
    assert change is not None
    assert change.state == Change.State.DONE
    assert (story.seats(), story.plans()) == ([first, second], ["plus", "ultra"])
    assert seat.holdings.current().get().membership == holder
    assert story.paid() == [4_000, 5_000]


def test_moving_down_costs_nothing_and_acts_at_the_periods_end(story: Story) -> None:
    story.subscribe(max=2)
    (first, _) = story.seats()
    shown = story.preview(change_request(kind="move", plan="plus", seats=[first]))
    assert (shown.at_once, dollars(shown.amount_nanousd)) == (False, 70.0)
    assert story.move(first, plan="plus") is None
    assert (story.plans(), story.paid()) == (["max", "max"], [10_000])
    story.account.advance(MONTH + DAY)
    story.account.deliver()
    assert (story.plans(), story.planned()) == (["plus", "max"], [None, None])
    assert story.paid() == [10_000, 7_000]
    assert (story.row.schedule_id, story.at_stripe.schedule) == ("", None)


@pytest.mark.slow
def test_seats_that_follow_each_other_down_each_get_the_plan_named_for_them(story: Story) -> None:
    story.subscribe(ultra=1, max=1)
    by_plan = dict(zip(story.plans(), story.seats(), strict=True))
    assert story.move(by_plan["ultra"], plan="max") is None
    assert story.move(by_plan["max"], plan="plus") is None
    story.account.advance(MONTH + DAY)
    story.account.deliver()
    assert dict(zip(story.seats(), story.plans(), strict=True)) == {
        by_plan["ultra"]: "max",
        by_plan["max"]: "plus",
    }
    assert story.paid() == [17_000, 7_000]


@pytest.mark.slow
def test_seats_given_up_are_the_named_ones_and_their_holders_keep_them_until_then(story: Story) -> None:
    story.subscribe(max=3)
    _, second, _ = story.seats()
    seat = PurchasedSeat.objects.get(pk=second).seat
    seat_service.assign_seat(seat=seat, membership=make_member(story.team), by=None, at=story.account.at)
    story.give_up(second)
    assert len(story.plans()) == 3
    story.account.advance(MONTH + DAY)
    story.account.deliver()
    assert second not in story.seats()
    assert (story.plans(), story.paid()) == (["max", "max"], [15_000, 10_000])
    assert not seat.holdings.current().exists()


@pytest.mark.slow
def test_what_was_planned_is_taken_back_and_the_schedule_with_it(story: Story) -> None:
    story.subscribe(max=2)
    first, _ = story.seats()
    story.give_up(first)
    assert story.at_stripe.schedule == story.row.schedule_id != ""
    story.keep(first)
    assert (story.at_stripe.schedule, story.row.schedule_id) == (None, "")
    story.account.advance(MONTH + DAY)
    story.account.deliver()
    assert (story.plans(), story.paid()) == (["max", "max"], [10_000, 10_000])


@pytest.mark.slow
def test_what_is_planned_outlives_an_upgrade_a_cancellation_and_its_taking_back(story: Story) -> None:
    story.subscribe(plus=1, max=2)
    plus, first, second = story.seats()
    story.give_up(first)
    story.move(plus, plan="max")
    story.cancel()
    assert story.at_stripe.schedule is None
    story.resume()
    assert story.planned() == [None, LEAVES, None]
    story.account.advance(MONTH + DAY)
    story.account.deliver()
    assert (story.seats(), story.plans()) == ([plus, second], ["max", "max"])


@pytest.mark.slow
def test_by_the_year_is_paid_at_once_less_what_is_left_of_the_month(story: Story) -> None:
    story.subscribe(max=2)
    story.account.advance(15 * DAY)
    shown = story.preview(change_request(kind="interval", interval="year"))
    assert (dollars(shown.amount_nanousd), dollars(shown.renewal_nanousd)) == (950.0, 1_000.0)
    assert shown.renews_at == story.account.at.replace(year=2027)
    change = story.pay_by("year")
    assert change is not None
    assert change.state == Change.State.DONE
    assert (story.row.interval, story.plans()) == ("year", ["max", "max"])
    assert story.row.period_end == (story.account.at).replace(year=2027)
    assert story.paid() == [10_000, 95_000]


@pytest.mark.slow
def test_by_the_month_is_from_the_next_year_on(story: Story) -> None:
    story.subscribe("year", max=1)
    shown = story.preview(change_request(kind="interval", interval="month"))
    assert (shown.at_once, dollars(shown.amount_nanousd)) == (False, 50.0)
    story.pay_by("month")
    assert (story.row.next_interval, story.row.interval) == ("month", "year")
    story.account.advance(366 * DAY)
    story.account.deliver()
    assert (story.row.next_interval, story.row.interval) == ("", "month")
    assert story.paid() == [50_000, 5_000]
    assert story.plans() == ["max"]


@pytest.mark.slow
def test_a_declined_card_changes_nothing_until_it_is_paid(story: Story) -> None:
    story.subscribe(max=1)
    story.use_card("pm_card_chargeCustomerFail")
    change = story.add("max", 1)
    assert change is not None
    assert change.state == Change.State.AWAITS_PAYMENT
    assert (story.plans(), story.billed()) == (["max"], {"max_v1_month": 1})
    with pytest.raises(ChangeInProgress):
        story.preview(change_request(kind="add", plan="max", count=1))
    story.account.pay(change.pay_url)
    story.account.deliver()
    change.refresh_from_db()
    assert (change.state, story.plans()) == (Change.State.DONE, ["max", "max"])
    assert len(story.paid()) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "state", "seats"), [("complete", Change.State.DONE, 2), ("fail", "awaits_payment", 1)]
)
def test_a_card_whose_bank_asks_is_charged_when_its_holder_has_answered(
    story: Story, answer: str, state: str, seats: int
) -> None:
    story.subscribe(max=1, card=AUTHENTICATES)
    story.use_card("pm_card_authenticationRequired")
    change = story.add("max", 1)
    assert change is not None
    assert (change.state, len(story.plans())) == (Change.State.AWAITS_PAYMENT, 1)
    story.account.pay(change.pay_url, AUTHENTICATES, authentication=answer)
    story.account.deliver()
    change.refresh_from_db()
    assert (change.state, len(story.plans())) == (state, seats)


@pytest.mark.slow
def test_a_change_that_waits_can_be_dropped_and_nothing_is_charged(story: Story) -> None:
    story.subscribe(max=1)
    story.use_card("pm_card_chargeCustomerFail")
    change = story.add("max", 1)
    assert change is not None
    dropped = drop_change(change=change, at=story.account.at)
    assert (dropped.state, story.paid()) == (Change.State.REFUSED, [5_000])
    story.account.deliver()
    assert (story.plans(), story.billed()) == (["max"], {"max_v1_month": 1})
    story.use_card("pm_card_visa")
    again = story.add("max", 1)
    assert again is not None
    assert again.state == Change.State.DONE


@pytest.mark.slow
def test_a_change_that_was_paid_in_the_moment_it_was_dropped_is_done(story: Story) -> None:
    story.subscribe(max=1)
    story.use_card("pm_card_chargeCustomerFail")
    change = story.add("max", 1)
    assert change is not None
    story.account.pay(change.pay_url)
    assert drop_change(change=change, at=story.account.at).state == Change.State.DONE
    assert story.plans() == ["max", "max"]


@pytest.mark.slow
def test_a_change_that_nobody_pays_is_over_after_a_day(story: Story) -> None:
    story.subscribe(max=1)
    story.use_card("pm_card_chargeCustomerFail")
    change = story.add("max", 1)
    assert change is not None
    story.account.advance(DAY)
    story.account.deliver()
    change.refresh_from_db()
    assert (change.state, change.reason) == (Change.State.REFUSED, "It was not paid in time.")
    assert (story.plans(), story.paid()) == (["max"], [5_000])


def test_what_costs_otherwise_now_is_refused_with_the_new_amount(story: Story) -> None:
    story.subscribe(max=1)
    request = change_request(kind="add", plan="ultra", count=1)
    shown = story.preview(request)
    story.account.advance(timedelta(hours=3))
    with pytest.raises(AmountChanged) as refused:
        story.confirm(request, shown)
    now = story.preview(request)
    assert refused.value.amount_nanousd == now.amount_nanousd == 11_950 * USD // 100
    assert shown.amount_nanousd == 120 * USD
    # Neither does another amount for what was shown just now, nor for what is for the period's end.
    for asked, amount in [(request, USD), (change_request(kind="give_up", seats=story.seats()), USD)]:
        if asked is request:
            with pytest.raises(AmountChanged):
                story.confirm(asked, now, amount_nanousd=amount)
    assert (story.paid(), Change.objects.count(), story.planned()) == ([5_000], 0, [None])


def test_within_a_quarter_of_an_hour_what_was_shown_is_what_is_paid(story: Story) -> None:
    story.subscribe(max=1)
    request = change_request(kind="add", plan="ultra", count=1)
    story.account.advance(10 * DAY)
    shown = story.preview(request)
    story.account.advance(14 * MINUTE)
    change = story.confirm(request, shown)
    assert change is not None
    assert change.state == Change.State.DONE
    assert story.paid() == [5_000, shown.amount_nanousd * 100 // USD]


def test_a_second_click_is_the_same_change(story: Story) -> None:
    story.subscribe(max=1)
    request = change_request(kind="add", plan="max", count=1)
    story.account.advance(DAY)
    shown = story.preview(request)
    first, second = story.confirm(request, shown), story.confirm(request, shown)
    assert first == second
    assert story.billed() == {"max_v1_month": 2}


@pytest.mark.slow
def test_two_moves_that_read_alike_are_two_changes(story: Story) -> None:
    """The text for people names five seats; which request a change came from is what was stored of it."""
    story.subscribe(plus=7)
    *first_five, sixth, seventh = story.seats()
    move = change_request(kind="move", plan="max", seats=[*first_five, sixth])
    other = change_request(kind="move", plan="max", seats=[*first_five, seventh])
    shown, other_shown = story.preview(move), story.preview(other)
    assert (shown.text, shown.amount_nanousd, shown.proration_at) == (
        other_shown.text,
        other_shown.amount_nanousd,
        other_shown.proration_at,
    )
    done = story.confirm(move, shown)
    assert done is not None
    with pytest.raises(AmountChanged) as refused:  # five of its seats have moved already
        story.confirm(other, other_shown)
    assert refused.value.amount_nanousd == 30 * USD
    assert story.confirm(move, shown) == done
    assert (story.plans(), len(story.paid())) == (["max"] * 6 + ["plus"], 2)
    story.change("move", plan="max", seats=[*first_five, seventh])
    assert story.plans() == ["max"] * 7


def test_a_second_click_that_names_its_seats_in_another_order_is_the_same_change(story: Story) -> None:
    story.subscribe(plus=2)
    first, second = story.seats()
    move = change_request(kind="move", plan="max", seats=[first, second])
    again = change_request(kind="move", plan="max", seats=[second, first, second])
    shown = story.preview(move)
    assert story.confirm(move, shown) == story.confirm(again, shown)
    assert len(story.paid()) == 2


@pytest.mark.slow
def test_another_change_that_was_shown_in_the_same_second_is_neither_a_repeat_nor_done(story: Story) -> None:
    story.subscribe(max=1)
    one, two = (change_request(kind="add", plan="max", count=count) for count in (1, 2))
    shown_one, shown_two = story.preview(one), story.preview(two)
    story.confirm(one, shown_one)
    with pytest.raises(ChangeInProgress, match="Another change"):
        story.confirm(two, shown_two)
    assert (story.billed(), len(story.paid()), Change.objects.count()) == ({"max_v1_month": 2}, 2, 1)


@pytest.mark.slow
def test_what_an_operator_changed_at_stripe_is_seen_before_anything_is_worked_out(story: Story) -> None:
    story.subscribe(max=1)
    item = story.at_stripe["items"].data[0].id
    api().subscriptions.update(story.row.stripe_id, {"items": [{"id": item, "quantity": 3}]})
    change = story.add("max", 1)
    assert change is not None
    assert (story.billed(), len(story.plans())) == ({"max_v1_month": 4}, 4)


@pytest.mark.slow
def test_while_a_payment_is_overdue_nothing_changes_but_it_can_be_canceled(story: Story) -> None:
    story.subscribe(max=1)
    story.use_card("pm_card_chargeCustomerFail")
    story.account.advance(MONTH + DAY)
    story.account.deliver()
    assert story.row.status == "past_due"
    with pytest.raises(PaymentOverdue):
        story.preview(change_request(kind="add", plan="max", count=1))
    story.cancel()
    assert story.row.cancel_at == story.row.period_end


@pytest.mark.slow
def test_a_version_that_is_no_longer_sold_is_kept_and_not_bought(story: Story) -> None:
    story.subscribe(max=1, plus=1)
    old, plus = Plan.objects.get(code="max"), story.seats()[0]
    Plan.objects.filter(pk=old.pk).update(sellable=False)
    for request in (AddSeats(old.pk, 1), MoveSeats(old.pk, (plus,))):
        with pytest.raises(NotOnSale):
            story.preview(request)
    assert story.pay_by("year") is not None
    assert story.billed() == {"max_v1_year": 1, "plus_v1_year": 1}


@pytest.mark.slow
def test_a_default_team_has_one_seat(stripe_account: StripeAccount) -> None:
    story = Story(stripe_account, make_user().default_team)
    story.subscribe(plus=1)
    with pytest.raises(InvalidValue, match="one seat"):
        story.preview(change_request(kind="add", plan="plus", count=1))
    story.move(story.seats()[0], plan="max")
    assert story.plans() == ["max"]


@pytest.mark.slow
def test_a_promotion_goes_on_through_a_planned_change(story: Story) -> None:
    """Half the price for good: a schedule that names no discounts would lose it."""
    make_code("HALF", duration="forever", percent_hundredths=5_000)
    checkout = story.begin_checkout(max=2, code="HALF")
    story.account.pay(checkout.url)
    story.account.deliver()
    shown = story.preview(change_request(kind="give_up", seats=story.seats()[:1]))
    assert dollars(shown.amount_nanousd) == 25.0
    story.give_up(story.seats()[0])
    story.account.advance(MONTH + DAY)
    story.account.deliver()
    assert story.paid() == [5_000, 2_500]


def test_declined_at_the_first_payment_page_nothing_is_bought(story: Story) -> None:
    checkout = story.begin_checkout(max=1)
    assert story.account.pay(checkout.url, DECLINED) == checkout.url
    story.account.deliver()
    checkout.refresh_from_db()
    assert checkout.state == "open"
    assert not PurchasedSeat.objects.exists()
