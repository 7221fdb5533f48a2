"""Disputes: the charge is frozen until the dispute is won or lost."""

from datetime import timedelta

import pytest
import stripe

from tests.helpers.local_stripe.account import Account, refused


def test_a_disputed_payment_is_frozen_then_won_or_lost(account: Account) -> None:
    session = account.pack_session()
    account.pay(session, "4000000000000259")
    assert account.intents(session)[0].latest_charge.disputed is False
    account.pass_time(timedelta(seconds=10))
    (intent,) = account.intents(session)
    (dispute,) = account.api.disputes.list({"payment_intent": intent.id})
    assert (intent.latest_charge.disputed, dispute.status, dispute.amount) == (True, "needs_response", 2000)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        account.api.refunds.create({"payment_intent": intent.id})
    assert refusal.value.code == "charge_disputed"
    account.post(f"/_local/disputes/{dispute.id}/close", outcome="won")
    assert account.api.disputes.retrieve(dispute.id).status == "won"
    assert account.post(f"/_local/disputes/{dispute.id}/close", outcome="lost").status_code == 400
    assert account.api.disputes.retrieve(dispute.id).status == "won"


def test_a_dispute_closed_by_the_seller_is_lost(account: Account) -> None:
    account.pay(account.session("payment", account.customer(), account.price(500)), "4000000000000259")
    account.pass_time(timedelta(minutes=1))
    (dispute,) = account.api.disputes.list()
    assert account.api.disputes.close(dispute.id).status == "lost"
    refused(account.api.disputes.close, dispute.id, code="dispute_closed")
