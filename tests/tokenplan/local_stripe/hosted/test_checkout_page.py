"""A customer pays a Checkout Session at its page, with each test card."""

from datetime import timedelta

import pytest

from tests.helpers.local_stripe.account import Account

BACK = "https://example.com/back?session="


def test_a_good_card_completes_the_session_and_leads_back(account: Account) -> None:
    session = account.pack_session(payment_intent_data={"metadata": {"purchase": "7"}})
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 2000)
    answer = account.pay(session)
    assert (answer.status_code, answer.headers["Location"]) == (303, BACK + session.id)
    done = account.reloaded(session)
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    (intent,) = account.intents(session)
    assert done.payment_intent == intent.id
    assert (intent.status, intent.amount_received, intent.metadata.to_dict()) == (
        "succeeded",
        2000,
        {"purchase": "7"},
    )
    assert (intent.latest_charge.paid, intent.latest_charge.metadata.to_dict()) == (True, {"purchase": "7"})
    assert account.kinds()[-3:] == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_a_session_is_paid_once_however_often_the_form_is_sent(account: Account) -> None:
    session = account.pack_session()
    account.pay(session)
    answer = account.pay(session)
    assert (answer.status_code, answer.headers["Location"]) == (303, BACK + session.id)
    assert [intent.amount_received for intent in account.intents(session)] == [2000]


def test_after_a_declined_card_another_one_can_be_tried(account: Account) -> None:
    session = account.pack_session()
    answer = account.pay(session, "4000 0000 0000 0002")
    assert answer.status_code == 402
    assert "Your card was declined." in answer.text
    assert account.reloaded(session).status == "open"
    (failed,) = account.intents(session)
    assert (failed.status, failed.last_payment_error.code) == ("requires_payment_method", "card_declined")
    assert (failed.latest_charge.status, failed.latest_charge.paid) == ("failed", False)
    assert account.pay(session).status_code == 303
    assert [intent.status for intent in account.intents(session)] == ["succeeded", "canceled"]


def test_a_number_that_is_no_test_card_is_refused_and_nothing_is_tried(account: Account) -> None:
    session = account.pack_session()
    answer = account.pay(session, "1234")
    assert answer.status_code == 402
    assert "not a test card" in answer.text
    assert account.intents(session) == []


@pytest.mark.parametrize(("answer", "status"), [("complete", "complete"), ("fail", "open")])
def test_the_bank_may_ask_the_holder_to_authenticate(account: Account, answer: str, status: str) -> None:
    session = account.pack_session()
    asked = account.pay(session, "4000002500003155").headers["Location"]
    (intent,) = account.intents(session)
    assert asked == f"/authenticate/{intent.id}"
    assert intent.status == "requires_action"
    account.post(asked, answer=answer)
    assert account.reloaded(session).status == status
    (after,) = account.intents(session)
    assert after.amount_received == (2000 if answer == "complete" else 0)


def test_a_card_that_was_authenticated_once_is_charged_without_asking(account: Account) -> None:
    price, customer = account.price(500), account.customer()
    keeps = {"setup_future_usage": "off_session"}
    first = account.session("payment", customer, price, payment_intent_data=keeps)
    account.post(account.pay(first, "4000002500003155").headers["Location"], answer="complete")
    (saved,) = account.api.customers.payment_methods.list(customer)
    second = account.session("payment", customer, price)
    page = account.post(f"/checkout/{second.id}", payment_method=saved.id)
    assert page.headers["Location"] == BACK + second.id


def test_an_expired_checkout_leads_back(account: Account) -> None:
    session = account.session("payment", account.customer(), account.price(500))
    account.pass_time(timedelta(days=1))
    shown = account.get(f"/checkout/{session.id}")
    assert (shown.status_code, "https://example.com/left" in shown.text) == (410, True)
