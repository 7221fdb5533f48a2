"""A refund that fails later: our ledger, our row and the operators hear of it, once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.mail import EmailMessage

from billing.models import CreditPurchase, Payment, Refund, StripeEvent
from billing.stripe_api.client import api
from billing.workflows.checkouts import buy_credits
from billing.workflows.refunds import refund_payment
from quota.models import CreditGrant, CreditLedgerEntry
from quota.selectors.credits import team_balance
from quota.services.credits import adjust_lot
from teams.models import AuditEntry, Mail, User
from teams.services.mail import deliver_due
from tests.helpers.factories import USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import GOOD, StripeAccount

TAKES_NO_REFUND = "4000 0000 0000 5126"


@pytest.mark.parametrize("by_operator", [True, False], ids=["here", "in Stripe's dashboard"])
def test_a_failed_refund_gives_the_credits_back_and_operators_are_notified(
    stripe_account: StripeAccount, mailoutbox: list[EmailMessage], by_operator: bool
) -> None:
    story = Story(stripe_account)
    operator = User.objects.create_user("operator@example.com", is_staff=True)
    checkout = buy_credits(team=story.team, packs=2, at=stripe_account.at, by=story.owner)
    stripe_account.pay(checkout.url, TAKES_NO_REFUND)
    stripe_account.deliver()
    payment = Payment.objects.get(stripe_id=CreditPurchase.objects.get().payment_id)
    if by_operator:
        refund_payment(
            payment=payment, amount_nanousd=4 * USD, reason="asked", at=stripe_account.at, by=operator
        )
    else:
        api().refunds.create({"payment_intent": payment.stripe_id, "amount": 400})
    stripe_account.deliver()
    assert team_balance(story.team.pk, stripe_account.at) == 6 * USD

    stripe_account.advance(timedelta(hours=2))
    assert stripe_account.deliver() > 0

    payment.refresh_from_db()
    assert (payment.refunded_nanousd, payment.left_nanousd) == (0, 10 * USD)
    assert team_balance(story.team.pk, stripe_account.at) == 10 * USD
    rows = list(Refund.objects.values_list("state", "error"))
    assert rows == ([("failed", "expired_or_canceled_card")] if by_operator else [])
    mail = Mail.objects.get(kind="refund_failed")
    assert (mail.to, mail.context["amount"], mail.context["reason"]) == (
        operator.email,
        4 * USD,
        "expired or canceled card",
    )
    deliver_due(at=stripe_account.at)
    sent = next(message for message in mailoutbox if "a refund of $4.00" in message.subject)
    assert "Pay the amount back in another way" in sent.body
    assert AuditEntry.objects.filter(action="payment.refund_failed").count() == 1


def test_a_lot_that_was_corrected_meanwhile_takes_no_more_than_its_size(
    stripe_account: StripeAccount,
) -> None:
    """An operator gave some of the Credits back by hand before the refund failed."""
    story = Story(stripe_account)
    User.objects.create_user("operator@example.com", is_staff=True)
    checkout = buy_credits(team=story.team, packs=2, at=stripe_account.at, by=story.owner)
    stripe_account.pay(checkout.url, TAKES_NO_REFUND)
    stripe_account.deliver()
    payment = Payment.objects.get(stripe_id=CreditPurchase.objects.get().payment_id)
    at, by = stripe_account.at, story.owner
    refund_payment(payment=payment, amount_nanousd=4 * USD, reason="asked", at=at, by=by)
    stripe_account.deliver()
    kind = CreditLedgerEntry.Kind.ADJUSTMENT
    adjust_lot(lot=CreditGrant.objects.get(), nanousd=2 * USD, kind=kind, cause="goodwill", at=at, by=by)
    stripe_account.advance(timedelta(hours=2))
    stripe_account.deliver()
    payment.refresh_from_db()
    assert (payment.refunded_nanousd, Refund.objects.get().state) == (0, "failed")
    assert team_balance(story.team.pk, stripe_account.at) == 10 * USD
    assert not StripeEvent.objects.filter(done_at=None).exists()
    assert Mail.objects.filter(kind="refund_failed").count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("what", ["period", "change"])
def test_operators_hear_which_seats_a_refund_ended_that_failed_later(
    stripe_account: StripeAccount, mailoutbox: list[EmailMessage], what: str
) -> None:
    story = Story(stripe_account)
    operator = User.objects.create_user("operator@example.com", is_staff=True)
    story.subscribe(plus=1, card=TAKES_NO_REFUND if what == "period" else GOOD)
    payment = Payment.objects.get()
    if what == "change":
        story.use_card("pm_card_refundFail")
        added = story.add("max", 2)
        assert added is not None
        payment = Payment.objects.get(stripe_id=story.payment_of(added.invoice_id))
    refund_payment(
        payment=payment,
        amount_nanousd=payment.left_nanousd,
        reason="asked",
        at=stripe_account.at,
        by=operator,
    )
    stripe_account.deliver()
    stripe_account.advance(timedelta(hours=2))
    stripe_account.deliver()
    deliver_due(at=stripe_account.at)
    (sent,) = [message for message in mailoutbox if "failed" in message.subject]
    named = f"The subscription {story.row.stripe_id} has ended." if what == "period" else "Add 2"
    assert named in sent.body
    assert "has ended seats of the Team" in sent.body
    assert "Credits" not in sent.body
