"""Refunds: a part or all of a charge, never more than is left of it."""

from datetime import timedelta

import pytest
import stripe

from tests.helpers.local_stripe.account import T0, Account, refused


def test_a_refund_is_a_part_or_all_and_never_more_than_is_left(account: Account) -> None:
    session = account.pack_session()
    account.pay(session)
    (intent,) = account.intents(session)
    account.api.refunds.create({"payment_intent": intent.id, "amount": 700})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        account.api.refunds.create({"payment_intent": intent.id, "amount": 1301})
    assert refusal.value.user_message == (
        "Refund amount ($13.01) is greater than unrefunded amount on charge ($13.00)"
    )
    (charge,) = account.api.charges.list({"payment_intent": intent.id})
    assert (charge.amount_refunded, charge.refunded) == (700, False)
    account.api.refunds.create({"payment_intent": intent.id})
    (charge,) = account.api.charges.list({"payment_intent": intent.id, "expand": ["data.refunds"]})
    assert (charge.amount_refunded, charge.refunded) == (2000, True)
    assert [refund.amount for refund in charge.refunds] == [1300, 700]
    with pytest.raises(stripe.InvalidRequestError) as again:
        account.api.refunds.create({"payment_intent": intent.id})
    assert again.value.code == "charge_already_refunded"


def test_a_charge_can_be_refunded_by_its_own_id_once_it_is_paid(account: Account) -> None:
    customer, price = account.customer(), account.price(500)
    account.pay(account.session("payment", customer, price), "4000000000000002")
    (failed,) = account.api.charges.list({"customer": customer})
    refused(account.api.refunds.create, {"charge": failed.id})
    refused(account.api.refunds.create, {"payment_intent": failed.payment_intent})
    refused(account.api.refunds.create, {})
    account.pay(account.session("payment", customer, price))
    charge = account.api.charges.list({"customer": customer}).data[0]
    refused(account.api.refunds.create, {"charge": charge.id, "amount": 0}, code="parameter_invalid_integer")
    refund = account.api.refunds.create({"charge": charge.id, "amount": 100, "metadata": {"why": "late"}})
    assert (refund.amount, refund.status, refund.metadata.to_dict()) == (100, "succeeded", {"why": "late"})
    assert account.api.refunds.retrieve(refund.id).charge == charge.id
    assert [row.id for row in account.api.refunds.list({"charge": charge.id})] == [refund.id]
    assert account.kinds()[-3:] == ["refund.created", "charge.refunded", "refund.updated"]


@pytest.mark.parametrize("how", ["by itself", "by the switch"])
def test_a_refund_may_fail_later_and_then_the_charge_is_as_before(account: Account, how: str) -> None:
    session = account.pack_session()
    account.pay(session, "4000000000005126" if how == "by itself" else "4242424242424242")
    (intent,) = account.intents(session)
    refund = account.api.refunds.create({"payment_intent": intent.id, "amount": 700})
    assert (refund.status, account.intents(session)[0].latest_charge.amount_refunded) == ("succeeded", 700)
    if how == "by the switch":
        account.post(f"/_local/refunds/{refund.id}/fail")
    else:
        account.pass_time(timedelta(hours=1))
    failed = account.api.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert failed.failure_balance_transaction is not None
    charge = account.intents(session)[0].latest_charge
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert account.kinds()[-3:] == ["refund.updated", "charge.refund.updated", "refund.failed"]
    assert account.post(f"/_local/refunds/{refund.id}/fail").status_code == 400
    account.pass_time(timedelta(days=1))
    assert account.kinds().count("refund.failed") == 1


def test_a_refund_goes_with_its_test_clock(account: Account) -> None:
    clock = account.api.test_helpers.test_clocks.create({"frozen_time": T0}).id
    session = account.session("payment", account.customer(test_clock=clock), account.price(500))
    account.pay(session, "4000000000005126")
    account.api.refunds.create({"payment_intent": account.intents(session)[0].id})
    account.api.test_helpers.test_clocks.delete(clock)
    assert list(account.api.refunds.list()) == []
    account.pass_time(timedelta(days=1))
    assert "refund.failed" not in account.kinds()
