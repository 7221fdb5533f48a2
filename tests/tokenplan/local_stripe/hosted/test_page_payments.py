"""What follows a payment at a page: the session, the subscription, delayed money."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.helpers.local_stripe.account import DAY, T0, Account


def test_delayed_money_completes_the_session_now_and_comes_later(account: Account) -> None:
    session = account.pack_session(invoice_creation={"enabled": True})
    account.pay(session, "000123456789")
    waiting = account.reloaded(session)
    assert (waiting.status, waiting.payment_status, waiting.invoice) == ("complete", "unpaid", None)
    account.pass_time(timedelta(days=4, seconds=-1))
    assert account.reloaded(session).payment_status == "unpaid"
    assert account.intents(session)[0].status == "processing"
    account.pass_time(timedelta(seconds=1))
    come = account.reloaded(session)
    assert come.payment_status == "paid"
    invoice = account.api.invoices.retrieve(come.invoice)
    assert (invoice.status, invoice.amount_paid) == ("paid", 2000)
    assert "checkout.session.async_payment_succeeded" in account.kinds()


def test_delayed_money_may_fail_to_come(account: Account) -> None:
    session = account.pack_session(invoice_creation={"enabled": True})
    account.pay(session, "000222222227")
    account.pass_time(timedelta(days=4))
    after = account.reloaded(session)
    assert (after.status, after.payment_status, after.invoice) == ("complete", "unpaid", None)
    assert account.kinds()[-1] == "checkout.session.async_payment_failed"
    (intent,) = account.intents(session)
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)


def test_a_debit_settles_by_its_customers_clock(account: Account) -> None:
    clock = account.api.test_helpers.test_clocks.create({"frozen_time": T0}).id
    customer = account.customer(test_clock=clock)
    session = account.session("payment", customer, account.price(500))
    account.pay(session, "000123456789")
    account.pass_time(timedelta(days=30))
    assert account.intents(session)[0].status == "processing"
    account.api.test_helpers.test_clocks.advance(clock, {"frozen_time": T0 + 4 * DAY})
    assert account.intents(session)[0].status == "succeeded"


@pytest.mark.parametrize(
    ("params", "types"),
    [
        ({"allowed_payment_method_types": ["card"]}, ["card"]),
        ({"excluded_payment_method_types": ["us_bank_account"]}, ["card", "link"]),
    ],
)
def test_a_session_takes_only_the_types_that_it_allows(
    account: Account, params: Any, types: list[str]
) -> None:
    session = account.pack_session(**params)
    assert session.payment_method_types == types
    assert "000123456789" not in account.get(f"/checkout/{session.id}").text
    assert account.pay(session, "000123456789").status_code == 402
    assert account.intents(session) == []
    assert account.pay(session).status_code == 303


def test_a_subscription_begins_when_its_session_is_paid_not_before(account: Account) -> None:
    session = account.session(
        "subscription",
        account.customer(),
        account.price(2000, "month"),
        3,
        subscription_data={"metadata": {"team": "1"}},
    )
    account.pay(session, "4000000000000002")
    assert list(account.api.subscriptions.list({"customer": session.customer, "status": "all"})) == []
    account.pay(session)
    (subscription,) = account.api.subscriptions.list({"customer": session.customer})
    done = account.reloaded(session)
    assert (done.subscription, done.invoice) == (subscription.id, subscription.latest_invoice)
    assert (subscription.status, subscription.metadata.to_dict()) == ("active", {"team": "1"})
    assert subscription["items"].data[0].quantity == 3
    (saved,) = account.api.customers.payment_methods.list(session.customer)
    assert subscription.default_payment_method == saved.id
    invoice = account.api.invoices.retrieve(done.invoice)
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == (
        "paid",
        6000,
        "subscription_create",
    )


def test_many_payments_at_once_pay_a_session_once() -> None:
    with Account() as account, ThreadPoolExecutor(8) as pool:
        session = account.session("payment", account.customer(), account.price(500))
        answers = [pool.submit(account.pay, session) for _ in range(16)]
        assert {one.result().status_code for one in answers} == {303}
        assert [row.amount_received for row in account.api.payment_intents.list()] == [500]
