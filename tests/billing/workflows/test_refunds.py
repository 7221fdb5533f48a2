"""A refund whose answer was lost is made once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import stripe_api
from billing.errors import StripeRefused
from billing.models import CreditPurchase, Payment, Refund
from billing.selectors.refunds import claw_back_of
from billing.services import refunds
from billing.services.top_ups import set_auto_top_up
from billing.stripe_api.client import api
from billing.workflows.checkouts import buy_credits
from billing.workflows.refunds import refund_payment, send_open_refunds
from billing.workflows.top_ups import top_up
from quota.selectors.credits import team_balance
from teams.models import Mail, User
from teams.services.mail import deliver_due
from tests.helpers.factories import USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import GOOD, StripeAccount

DAY = timedelta(days=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def buys_credits(story: Story, card: str = GOOD) -> CreditPurchase:
    checkout = buy_credits(team=story.team, packs=2, at=story.account.at, by=story.owner)
    story.account.pay(checkout.url, card)
    story.account.deliver()
    return CreditPurchase.objects.get(checkout=checkout)


@pytest.mark.slow
def test_a_refund_whose_answer_was_lost_is_found_again_also_after_stripe_forgot_the_request(
    story: Story,
) -> None:
    purchase = buys_credits(story)
    payment = Payment.objects.get(stripe_id=purchase.payment_id)
    refund = refunds.open_refund(
        payment=payment, amount_nanousd=5 * USD, reason="x", at=story.account.at, by=story.owner
    )
    id = stripe_api.refund(payment.stripe_id, nanousd=5 * USD, request=refund.pk)
    story.account.stripe.store.remove("idempotency_key", str(refund.pk))
    story.account.stripe.store.remove("local.idempotency_key", str(refund.pk))
    assert send_open_refunds(at=story.account.at + DAY) == 1
    payment.refresh_from_db()
    assert (Refund.objects.get().stripe_id, payment.refunded_nanousd) == (id, 5 * USD)
    assert len(api().refunds.list({}).data) == 1


@pytest.mark.slow
def test_of_a_purchase_that_the_balance_paid_a_part_of_the_share_is_of_the_whole_price(
    story: Story,
) -> None:
    """$25 of Credits: $20 from the customer's balance, $5 from the card, of which $1 comes back."""
    story.subscribe(plus=1)
    api().customers.update(story.customer, {"balance": -2000})
    set_auto_top_up(
        team=story.team,
        enabled=True,
        threshold_nanousd=5 * USD,
        target_nanousd=25 * USD,
        month_cap_nanousd=100 * USD,
        at=story.account.at,
        by=story.owner,
    )
    top_up(team=story.team, at=story.account.at)
    story.account.deliver()
    payment = Payment.objects.get(stripe_id=CreditPurchase.objects.get().payment_id)
    assert payment.received_nanousd == 5 * USD
    for back, left in ((USD, 24 * USD), (4 * USD, 20 * USD)):
        payment.refresh_from_db()
        claw_back = claw_back_of(payment, amount_nanousd=back)
        assert claw_back is not None
        assert claw_back.taken_nanousd == back
        refund_payment(payment=payment, amount_nanousd=back, reason="x", at=story.account.at, by=story.owner)
        story.account.deliver()
        assert team_balance(story.team.pk, story.account.at) == left


@pytest.mark.slow
def test_a_refund_is_done_also_where_stripe_refuses_to_take_its_seats_away(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows comes later, with the event of the refund; operators get one mail meanwhile."""
    User.objects.create_user("operator@example.com", is_staff=True)
    story.subscribe(plus=1)
    added = story.add("max")
    assert added is not None
    payment = Payment.objects.get(stripe_id=story.payment_of(added.invoice_id))
    at = story.account.at

    def refused(*args: object, **kwargs: object) -> None:
        raise StripeRefused("not now")

    with monkeypatch.context() as patch:
        patch.setattr(stripe_api, "change_back", refused)
        made = refund_payment(
            payment=payment, amount_nanousd=payment.left_nanousd, reason="x", at=at, by=story.owner
        )
        story.account.deliver()

    payment.refresh_from_db()
    assert (made.state, payment.left_nanousd) == ("done", 0)
    assert story.plans() == ["plus", "max"]
    mails = [(mail.to, mail.context["reason"]) for mail in Mail.objects.filter(kind="does_not_follow")]
    assert mails == [("operator@example.com", "not now")]
    assert deliver_due(at=at) > 0

    story.account.advance(timedelta(minutes=1))
    story.account.deliver()
    assert story.plans() == ["plus"]
    assert Mail.objects.filter(kind="does_not_follow").count() == 1
