"""A period that is paid back since a cancellation was missed, where Stripe refuses the refund."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.mail import EmailMessage

from billing.models import Payment, Refund
from billing.services.refunds import close_refund, open_refund
from teams.models import Mail, User
from teams.services.mail import deliver_due
from tests.billing.sync.test_missed import HOUR, after_the_end, canceled_unheard, sweep
from tests.helpers.bought import buy
from tests.helpers.factories import T0, USD, make_team, make_user
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount


@pytest.mark.slow
def test_the_owner_and_operators_get_a_mail_that_nothing_is_paid_back(
    stripe_account: StripeAccount, monkeypatch: pytest.MonkeyPatch, mailoutbox: list[EmailMessage]
) -> None:
    """The new period's payment is disputed, so Stripe refunds nothing of it."""
    story = Story(stripe_account)
    operator = User.objects.create_user("operator@example.com", is_staff=True)
    canceled_unheard(story, monkeypatch)
    story.use_card("pm_card_createDispute")
    after_the_end(story, 5 * HOUR)
    sweep(story)
    story.account.deliver()
    sweep(story)
    assert (story.row.status, Refund.objects.get().state) == ("canceled", "refused")
    mail = Mail.objects.get(kind="cancellation_missed")
    assert (mail.to, mail.context["amount"], mail.context["refused"]) == (
        story.owner.email,
        6_000 * USD,
        "yes",
    )
    mail_to_operator = Mail.objects.get(kind="refund_refused")
    assert (mail_to_operator.to, mail_to_operator.context["amount"]) == (operator.email, 6_000 * USD)
    deliver_due(at=story.account.at)
    bodies = {message.to[0]: message.body for message in mailoutbox if "$6,000.00" in message.body}
    assert "could not be refunded yet" in bodies[story.owner.email]
    assert "charged back" in bodies[operator.email]
    story.account.advance(timedelta(days=1))
    sweep(story)
    assert Mail.objects.filter(kind__in=["cancellation_missed", "refund_refused"]).count() == 2


@pytest.mark.django_db
def test_operators_hear_of_every_refund_that_stripe_refuses() -> None:
    """An interrupted one is sent again by the sweep, when nobody looks at the page any more."""
    User.objects.create_user("operator@example.com", is_staff=True)
    payment: Payment = buy(make_team())
    refund = open_refund(payment=payment, amount_nanousd=USD, reason="asked", at=T0, by=make_user())
    for _ in range(2):
        close_refund(refund=refund, error="It was disputed.", at=T0)
    (mail_to_operator,) = Mail.objects.filter(kind="refund_refused")
    assert (mail_to_operator.context["reason"], mail_to_operator.context["payment"]) == (
        "It was disputed.",
        payment.stripe_id,
    )
    assert not Mail.objects.filter(kind="cancellation_missed").exists()
