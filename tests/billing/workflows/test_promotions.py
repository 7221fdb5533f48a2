"""Promotion codes are typed on our pages, and are used for what they are for, and once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from billing import stripe_api
from billing.errors import (
    ChangeInProgress,
    PaymentsUnavailable,
    PromotionForFirstPurchase,
    PromotionNotForThis,
    PromotionOver,
    PromotionUnknown,
    PromotionUsed,
    StripeRefused,
)
from billing.models import Checkout, Payment, Promotion, PromotionRedemption
from billing.selectors.prices import pack_price_id
from billing.stripe_api.client import api
from billing.sync.checkouts import sync_checkout
from billing.sync.promotions import sync_promotion
from billing.workflows.checkouts import (
    buy_credits,
    expire_old_checkouts,
    leave_checkout,
    preview_credits,
    preview_seats,
)
from billing.workflows.promotions import set_promotion_active
from billing.workflows.refunds import refund_payment
from quota.selectors.credits import team_balance
from teams.models import AuditEntry
from tests.helpers.factories import USD, make_team, make_user
from tests.helpers.promotions import make_code
from tests.helpers.story import Story
from tests.helpers.stripe_account import COMES_LATER, DECLINED, FAILS_LATER, GOOD, StripeAccount
from tokenplan.kit.errors import InvalidValue

HOUR = timedelta(hours=1)
DAY = 24 * HOUR


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def begin_credits(story: Story, code: str = "", packs: int = 200) -> Checkout:
    at, by = story.account.at, story.owner
    return buy_credits(team=story.team, packs=packs, promotion_code=code, at=at, by=by)


def uses(story: Story) -> list[str]:
    """What became of each use, the oldest first."""
    rows = PromotionRedemption.objects.for_team(story.team).order_by("pk")
    return list(rows.values_list("state", flat=True))


def settled(story: Story, checkout: Checkout, card: str = GOOD) -> Checkout:
    story.account.pay(checkout.url, card)
    story.account.deliver()
    checkout.refresh_from_db()
    return checkout


def test_stripes_page_takes_no_code(story: Story) -> None:
    """One code of 100 percent, typed there, gave Credits for nothing as often as one liked."""
    make_code("GIFT", scope="credits")
    checkout = begin_credits(story)
    assert api().checkout.sessions.retrieve(checkout.stripe_id).allow_promotion_codes is None
    httpx.post(f"{checkout.url}/promotion", data={"code": "GIFT"}, follow_redirects=True, verify=False)
    assert api().checkout.sessions.retrieve(checkout.stripe_id).amount_total == 100_000


def test_a_code_of_a_hundred_percent_gives_credits_once(story: Story) -> None:
    make_code("GIFT", scope="credits")
    settled(story, begin_credits(story, "gift "))
    for _ in range(2):
        with pytest.raises(PromotionUsed) as refused:
            begin_credits(story, "GIFT")
        assert refused.value.pointer == "/promotion_code"
    assert (story.paid(), team_balance(story.team.pk, story.account.at)) == ([], 1_000 * USD)
    assert uses(story) == ["redeemed"]
    other = Story(story.account, make_team("Other"))
    settled(other, begin_credits(other, "GIFT"))
    assert (other.paid(), team_balance(other.team.pk, story.account.at)) == ([], 1_000 * USD)
    used = AuditEntry.objects.filter(action="promotion.redeemed", team=story.team)
    assert [entry.subject for entry in used] == ["GIFT"]


@pytest.mark.slow
def test_seats_that_cost_nothing_need_no_payment(story: Story) -> None:
    make_code("GIFT")
    story.subscribe(max=2, code="GIFT")
    assert (story.paid(), story.plans(), uses(story)) == ([], ["max", "max"], ["redeemed"])
    story.account.advance(31 * DAY)
    story.account.deliver()
    assert story.paid() == [10_000]  # "once" is the first invoice


def test_a_code_is_for_what_it_is_for(story: Story) -> None:
    make_code("SEATS")
    make_code("PACKS", scope="credits")
    with pytest.raises(PromotionNotForThis, match="first seats"):
        begin_credits(story, "SEATS")
    with pytest.raises(PromotionNotForThis, match="for Credits"):
        story.begin_checkout(max=1, code="PACKS")
    assert not Checkout.objects.exists()


@pytest.mark.slow
def test_what_cannot_be_used_is_refused_with_its_reason(story: Story) -> None:
    at = story.account.at
    make_code("LATER", starts_at=at + DAY)
    make_code("SHORT", expires_at=at + HOUR)
    make_code("FEW", max_redemptions=1)
    make_code("FIRST", scope="credits", first_purchase=True)
    off = make_code("OFF")
    set_promotion_active(promotion=off, active=False, at=at, by=make_user())
    for code in ("NOTHING", "no such sign", "OFF", "LATER", "\x00"):
        with pytest.raises(PromotionUnknown):
            story.begin_checkout(max=1, code=code)
    story.subscribe(max=1, code="FEW")
    sync_promotion(Promotion.objects.get(code="FEW").stripe_id, at)
    story.account.advance(DAY)
    for code in ("SHORT", "FEW"):
        other = Story(story.account, make_team())
        with pytest.raises(PromotionOver):
            other.begin_checkout(max=1, code=code)
    assert Story(story.account, make_team()).begin_checkout(max=1, code="LATER").url
    with pytest.raises(PromotionForFirstPurchase):
        begin_credits(story, "FIRST")
    assert settled(story, begin_credits(story)).state == "paid"


def test_a_code_that_somebody_made_at_stripe_is_for_nothing(story: Story) -> None:
    coupon = stripe_api.create_coupon(request="c", name="x", duration="once", percent_hundredths=100)
    made = stripe_api.create_promotion(request="p", code="BYHAND", coupon_id=coupon)
    sync_promotion(made.id, story.account.at)
    assert Promotion.objects.get().scope == ""
    with pytest.raises(PromotionUnknown):
        begin_credits(story, "BYHAND")


@pytest.mark.slow
def test_stripe_knows_it_too(story: Story) -> None:
    """A second wall: also whoever gets past ours is refused."""
    first = make_code("FIRST", scope="credits", first_purchase=True)
    settled(story, begin_credits(story))
    with pytest.raises(StripeRefused, match="prior transactions"):
        stripe_api.preview_new(
            story.customer, {pack_price_id(): 1}, recurring=False, promotion_id=first.stripe_id
        )
    made = api().promotion_codes.retrieve(first.stripe_id, {"expand": ["promotion.coupon.applies_to"]})
    assert made.promotion.coupon.applies_to.products == ["tokenplan_credits_5000"]


@pytest.mark.slow
@pytest.mark.parametrize("known", [False, True], ids=["a stranger to Stripe", "a customer"])
def test_a_preview_shows_the_money_after_the_code(story: Story, known: bool) -> None:
    make_code("QUARTER", percent_hundredths=2_500)
    make_code("FIVE", scope="credits", amount_nanousd=5 * USD)
    if known:
        settled(story, begin_credits(story, packs=1))
    about: dict[str, Any] = {"team": story.team, "at": story.account.at}
    seats = preview_seats(seats={"max": 2}, interval="month", promotion_code="quarter", **about)
    assert (seats.due_nanousd, seats.subtotal_nanousd) == (75 * USD, 100 * USD)
    packs = preview_credits(packs=5, promotion_code="FIVE", **about)
    assert (packs.total_nanousd, packs.subtotal_nanousd) == (20 * USD, 25 * USD)
    assert not PromotionRedemption.objects.exists()
    checkout = begin_credits(story, "FIVE", packs=5)
    assert api().checkout.sessions.retrieve(checkout.stripe_id).amount_total == 2_000


@pytest.mark.slow
def test_what_came_to_nothing_leaves_the_code_usable(story: Story) -> None:
    make_code("HALF", percent_hundredths=5_000)
    left = story.begin_checkout(max=1, code="HALF")
    leave_checkout(checkout=left, at=story.account.at)
    story.begin_checkout(max=1, code="HALF")
    story.account.advance(13 * HOUR)
    expire_old_checkouts(at=story.account.at)
    assert uses(story) == ["given_up", "given_up"]
    by_debit = story.begin_checkout(max=1, code="HALF")
    story.account.allow_debits(by_debit.url)
    failed = settled(story, by_debit, FAILS_LATER)
    assert (failed.state, uses(story)[-1]) == ("processing", "reserved")
    story.account.advance(7 * DAY)
    story.account.deliver()
    assert uses(story)[-1] == "given_up"
    story.subscribe(max=1, code="HALF")
    assert (story.paid(), uses(story)[-1]) == ([2_500], "redeemed")


@pytest.mark.slow
def test_another_choice_with_the_same_code_is_another_page(story: Story) -> None:
    make_code("HALF", percent_hundredths=5_000)
    first = story.begin_checkout(max=1, code="HALF")
    assert story.begin_checkout(max=1, code="half").pk == first.pk
    without = story.begin_checkout(max=1)
    assert without.pk != first.pk
    third = story.begin_checkout(max=2, code="HALF")
    assert story.account.pay(first.url) == first.url
    assert settled(story, third).state == "paid"
    assert (story.paid(), uses(story)) == ([5_000], ["given_up", "redeemed"])


def test_while_a_payment_is_under_way_the_code_is_used(story: Story) -> None:
    make_code("HALF", scope="credits", percent_hundredths=5_000)
    begun = settled(story, begin_credits(story, "HALF"), COMES_LATER)
    with pytest.raises(PromotionUsed):
        begin_credits(story, "HALF", packs=1)
    story.account.advance(7 * DAY)
    story.account.deliver()
    begun.refresh_from_db()
    assert (begun.state, uses(story)) == ("paid", ["redeemed"])


def test_a_page_that_was_paid_unheard_uses_the_code(story: Story) -> None:
    """It was paid in one tab, no event came, and another tab asks for something else with the code."""
    make_code("GIFT", scope="credits")
    first = begin_credits(story, "GIFT", packs=1)
    story.account.pay(first.url)
    with pytest.raises(ChangeInProgress, match="just used"):
        begin_credits(story, "GIFT")
    with pytest.raises(PromotionUsed):
        begin_credits(story, "GIFT")
    assert team_balance(story.team.pk, story.account.at) == 5 * USD


@pytest.mark.slow
def test_a_code_for_many_uses_of_a_team_is_used_many_times(story: Story) -> None:
    make_code("OFTEN", scope="credits", percent_hundredths=5_000, once_a_team=False)
    for _ in range(2):
        settled(story, begin_credits(story, "OFTEN", packs=1))
    assert (story.paid(), uses(story)) == ([250, 250], ["redeemed", "redeemed"])


@pytest.mark.slow
def test_a_refund_does_not_give_the_code_back(story: Story) -> None:
    make_code("HALF", scope="credits", percent_hundredths=5_000)
    settled(story, begin_credits(story, "HALF", packs=2))
    payment = Payment.objects.get()
    refund_payment(
        payment=payment,
        amount_nanousd=payment.left_nanousd,
        reason="all",
        at=story.account.at,
        by=story.owner,
    )
    story.account.deliver()
    with pytest.raises(PromotionUsed):
        begin_credits(story, "HALF")


@pytest.mark.slow
def test_a_declined_card_keeps_the_code_on_its_page(story: Story) -> None:
    make_code("HALF", percent_hundredths=5_000)
    checkout = settled(story, story.begin_checkout(max=1, code="HALF"), DECLINED)
    assert (checkout.state, uses(story)) == ("open", ["reserved"])
    assert settled(story, checkout).state == "paid"
    assert story.paid() == [2_500]


def test_stripe_that_dies_after_our_row_costs_no_code(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends between our row and Stripe, before or after it was asked."""
    make_code("GIFT", scope="credits")
    ask = stripe_api.create_checkout

    def answer_is_lost(**about: Any) -> Any:
        ask(**about)
        raise PaymentsUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(stripe_api, "create_checkout", answer_is_lost)
        with pytest.raises(PaymentsUnavailable):
            begin_credits(story, "GIFT")
    assert uses(story) == ["reserved"]
    checkout = begin_credits(story, "GIFT")
    assert len(api().checkout.sessions.list({}).data) == 1
    settled(story, checkout)
    assert (uses(story), team_balance(story.team.pk, story.account.at)) == (["redeemed"], 1_000 * USD)


def test_a_code_that_ended_at_stripe_unheard_is_over(story: Story) -> None:
    """Another Team used it for the last time, and the event did not come yet."""
    made = make_code("LAST", scope="credits", max_redemptions=1)
    other = Story(story.account, make_team("Other"))
    checkout = begin_credits(other, "LAST")
    story.account.pay(checkout.url)
    sync_checkout(checkout, story.account.at)
    Promotion.objects.filter(pk=made.pk).update(active=True, times_redeemed=0)
    with pytest.raises(PromotionOver):
        begin_credits(story, "LAST")
    assert (uses(story), uses(other)) == (["given_up"], ["redeemed"])


def test_what_a_code_is_for_is_said_once(story: Story) -> None:
    with pytest.raises(InvalidValue, match="what the code is for"):
        make_code("NONE", scope="")
    with pytest.raises(InvalidValue, match="begins before it ends"):
        make_code("BACK", starts_at=story.account.at + DAY, expires_at=story.account.at + HOUR)
