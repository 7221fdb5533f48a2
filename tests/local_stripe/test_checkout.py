"""Checkout Sessions, each test card at their page, promotion codes, and what follows a payment."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import stripe

from tests.local_stripe.busy import T0, Account

BACK = "https://example.com/back?session="


@pytest.fixture
def account() -> Iterator[Account]:
    with Account() as made:
        yield made


def visit(account: Account, **params: Any) -> Any:
    """To buy four packs of $5."""
    return account.session("payment", account.customer(), account.price(500), 4, **params)


def look(account: Account, session: Any) -> Any:
    return account.api.checkout.sessions.retrieve(session.id)


def intents(account: Account, session: Any) -> list[Any]:
    return list(
        account.api.payment_intents.list({"customer": session.customer, "expand": ["data.latest_charge"]})
    )


def test_a_good_card_completes_the_session_and_leads_back(account: Account) -> None:
    session = visit(account, payment_intent_data={"metadata": {"purchase": "7"}})
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 2000)
    answer = account.pay(session)
    assert (answer.status_code, answer.headers["Location"]) == (303, BACK + session.id)
    done = look(account, session)
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    (intent,) = intents(account, session)
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


def test_it_is_paid_once_however_often_the_form_is_sent(account: Account) -> None:
    session = visit(account)
    account.pay(session)
    answer = account.pay(session)
    assert (answer.status_code, answer.headers["Location"]) == (303, BACK + session.id)
    assert [intent.amount_received for intent in intents(account, session)] == [2000]


def test_after_a_declined_card_another_one_can_be_tried(account: Account) -> None:
    session = visit(account)
    answer = account.pay(session, "4000 0000 0000 0002")
    assert answer.status_code == 402
    assert "Your card was declined." in answer.text
    assert look(account, session).status == "open"
    (failed,) = intents(account, session)
    assert (failed.status, failed.last_payment_error.code) == ("requires_payment_method", "card_declined")
    assert (failed.latest_charge.status, failed.latest_charge.paid) == ("failed", False)
    assert account.pay(session).status_code == 303
    assert [intent.status for intent in intents(account, session)] == ["succeeded", "canceled"]


def test_a_number_that_is_no_test_card_is_refused_and_nothing_is_tried(account: Account) -> None:
    session = visit(account)
    answer = account.pay(session, "1234")
    assert answer.status_code == 402
    assert "not a test card" in answer.text
    assert intents(account, session) == []


@pytest.mark.parametrize(("answer", "status"), [("complete", "complete"), ("fail", "open")])
def test_the_bank_may_ask_the_holder(account: Account, answer: str, status: str) -> None:
    session = visit(account)
    asked = account.pay(session, "4000002500003155").headers["Location"]
    (intent,) = intents(account, session)
    assert asked == f"/authenticate/{intent.id}"
    assert intent.status == "requires_action"
    account.post(asked, answer=answer)
    assert look(account, session).status == status
    (after,) = intents(account, session)
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


def test_delayed_money_completes_the_session_now_and_comes_later(account: Account) -> None:
    session = visit(account, invoice_creation={"enabled": True})
    account.pay(session, "000123456789")
    waiting = look(account, session)
    assert (waiting.status, waiting.payment_status, waiting.invoice) == ("complete", "unpaid", None)
    account.pass_time(timedelta(seconds=59))
    assert look(account, session).payment_status == "unpaid"
    account.pass_time(timedelta(seconds=1))
    come = look(account, session)
    assert come.payment_status == "paid"
    invoice = account.api.invoices.retrieve(come.invoice)
    assert (invoice.status, invoice.amount_paid) == ("paid", 2000)
    assert "checkout.session.async_payment_succeeded" in account.kinds()


def test_delayed_money_may_fail_to_come(account: Account) -> None:
    session = visit(account, invoice_creation={"enabled": True})
    account.pay(session, "000222222227")
    account.pass_time(timedelta(minutes=1))
    after = look(account, session)
    assert (after.status, after.payment_status, after.invoice) == ("complete", "unpaid", None)
    assert account.kinds()[-1] == "checkout.session.async_payment_failed"
    (intent,) = intents(account, session)
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)


def test_a_delayed_payment_settles_when_told_to_on_the_front_page(account: Account) -> None:
    session = visit(account)
    account.pay(session, "000123456789")
    path = f"/_local/payments/{look(account, session).payment_intent}/settle"
    account.post(path, outcome="fail")
    account.post(path, outcome="succeed")
    assert account.kinds()[-1] == "checkout.session.async_payment_failed"


def test_a_disputed_payment_is_frozen_then_won_or_lost(account: Account) -> None:
    session = visit(account)
    account.pay(session, "4000000000000259")
    assert intents(account, session)[0].latest_charge.disputed is False
    account.pass_time(timedelta(seconds=10))
    (intent,) = intents(account, session)
    (dispute,) = account.api.disputes.list({"payment_intent": intent.id})
    assert (intent.latest_charge.disputed, dispute.status, dispute.amount) == (True, "needs_response", 2000)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        account.api.refunds.create({"payment_intent": intent.id})
    assert refusal.value.code == "charge_disputed"
    account.post(f"/_local/disputes/{dispute.id}/close", outcome="won")
    assert account.api.disputes.retrieve(dispute.id).status == "won"
    assert account.post(f"/_local/disputes/{dispute.id}/close", outcome="lost").status_code == 400
    assert account.api.disputes.retrieve(dispute.id).status == "won"


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
    done = look(account, session)
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


def test_a_promotion_code_takes_its_part_and_is_counted_once(account: Account) -> None:
    promotion = account.code("SPRING", percent_off=25)
    session = visit(account, allow_promotion_codes=True)
    account.post(f"/checkout/{session.id}/promotion", code=" spring ")
    assert look(account, session).amount_total == 1500
    account.post(f"/checkout/{session.id}/promotion", code="")
    assert look(account, session).amount_total == 2000
    account.post(f"/checkout/{session.id}/promotion", code="SPRING")
    account.pay(session, "4000000000000002")
    assert account.api.promotion_codes.retrieve(promotion.id).times_redeemed == 0
    account.pay(session)
    done = look(account, session)
    assert (done.amount_subtotal, done.total_details.amount_discount, done.amount_total) == (2000, 500, 1500)
    assert intents(account, session)[0].amount_received == 1500
    assert account.api.promotion_codes.retrieve(promotion.id).times_redeemed == 1


def test_what_costs_nothing_is_complete_without_a_payment(account: Account) -> None:
    account.code("GIFT", percent_off=100)
    session = visit(account, allow_promotion_codes=True, invoice_creation={"enabled": True})
    account.post(f"/checkout/{session.id}/promotion", code="GIFT")
    account.pay(session)
    done = look(account, session)
    assert (done.status, done.payment_status, done.payment_intent) == (
        "complete",
        "no_payment_required",
        None,
    )
    assert account.api.invoices.retrieve(done.invoice).status == "paid"
    assert intents(account, session) == []


@pytest.mark.parametrize("code", ["NOBODY", "USED", "OVER", "OFF", "THEIRS", "LARGE"])
def test_a_code_that_does_not_hold_is_refused_and_changes_nothing(account: Account, code: str) -> None:
    coupon = account.api.coupons.create({"duration": "once", "percent_off": 10}).id
    stranger = account.customer()
    kinds: dict[str, dict[str, Any]] = {
        "USED": {"max_redemptions": 1},
        "OVER": {"expires_at": T0 + 60},
        "OFF": {"active": False},
        "THEIRS": {"customer": stranger},
        "LARGE": {"restrictions": {"minimum_amount": 2001, "minimum_amount_currency": "usd"}},
    }
    for word, params in kinds.items():
        made = {"code": word, "promotion": {"type": "coupon", "coupon": coupon}, **params}
        account.api.promotion_codes.create(made)
    if code == "USED":
        other = visit(account, allow_promotion_codes=True)
        account.post(f"/checkout/{other.id}/promotion", code="USED")
        account.pay(other)
    session = visit(account, allow_promotion_codes=True)
    account.pass_time(timedelta(minutes=2))
    answer = account.post(f"/checkout/{session.id}/promotion", code=code)
    assert (answer.status_code, 'role="alert"' in answer.text) == (200, True)
    assert look(account, session).amount_total == 2000


def test_a_code_that_ends_between_typing_and_paying_takes_no_money(account: Account) -> None:
    coupon = account.api.coupons.create({"duration": "once", "percent_off": 10}).id
    promotion = {"type": "coupon", "coupon": coupon}
    account.api.promotion_codes.create({"code": "SOON", "promotion": promotion, "expires_at": T0 + 60})
    session = visit(account, allow_promotion_codes=True)
    account.post(f"/checkout/{session.id}/promotion", code="SOON")
    account.pass_time(timedelta(minutes=2))
    assert account.pay(session).status_code == 402
    assert intents(account, session) == []
    assert (look(account, session).status, look(account, session).amount_total) == ("open", 2000)


def test_a_code_that_ends_while_the_bank_asks_still_counts(account: Account) -> None:
    coupon = account.api.coupons.create({"duration": "once", "percent_off": 10}).id
    promotion = {"type": "coupon", "coupon": coupon}
    account.api.promotion_codes.create({"code": "SOON", "promotion": promotion, "expires_at": T0 + 60})
    session = visit(account, allow_promotion_codes=True)
    account.post(f"/checkout/{session.id}/promotion", code="SOON")
    asked = account.pay(session, "4000002500003155").headers["Location"]
    account.pass_time(timedelta(minutes=2))
    account.post(asked, answer="complete")
    assert look(account, session).status == "complete"
    assert [intent.amount_received for intent in intents(account, session)] == [1800]


def test_a_session_ends_by_itself_or_when_asked_and_cannot_be_paid_then(account: Account) -> None:
    first = visit(account, expires_at=T0 + 1800)
    second = visit(account)
    account.pay(second, "4000002500003155")
    account.api.checkout.sessions.expire(second.id)
    account.pass_time(timedelta(minutes=30))
    for session in (first, second):
        ended = look(account, session)
        assert (ended.status, ended.url) == ("expired", None)
        assert account.pay(session).status_code == 410
    assert [intent.status for intent in intents(account, second)] == ["canceled"]
    with pytest.raises(stripe.InvalidRequestError):
        account.api.checkout.sessions.expire(second.id)
    assert account.kinds().count("checkout.session.expired") == 2


@pytest.mark.parametrize(
    "params",
    [
        {"expires_at": T0 + 1799},
        {"expires_at": T0 + 86401},
        {"success_url": "javascript:alert(1)"},
        {"cancel_url": "http://[nowhere"},
        {"line_items": []},
        {"line_items": [{"price": "price_none"}]},
        {"subscription_data": {"metadata": {"a": "b"}}},
        {"allow_promotion_codes": True, "discounts": [{"coupon": "x"}]},
        {"mode": "subscription"},
        {"customer": "cus_none"},
        {"automatic_tax": {"enabled": "perhaps"}},
    ],
)
def test_a_session_that_cannot_be_is_refused(account: Account, params: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        visit(account, **params)
    assert account.stripe.store.all("checkout.session") == []


def test_a_refund_is_a_part_or_all_and_never_more_than_is_left(account: Account) -> None:
    session = visit(account)
    account.pay(session)
    (intent,) = intents(account, session)
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
