"""What a Checkout Session comes to: promotion codes, and orders that cost nothing."""

from datetime import timedelta
from typing import Any

import pytest

from tests.helpers.local_stripe.account import T0, Account


def test_a_promotion_code_takes_its_part_and_is_counted_once(account: Account) -> None:
    promotion = account.code("SPRING", percent_off=25)
    session = account.pack_session(allow_promotion_codes=True)
    account.post(f"/checkout/{session.id}/promotion", code=" spring ")
    assert account.reloaded(session).amount_total == 1500
    account.post(f"/checkout/{session.id}/promotion", code="")
    assert account.reloaded(session).amount_total == 2000
    account.post(f"/checkout/{session.id}/promotion", code="SPRING")
    account.pay(session, "4000000000000002")
    assert account.api.promotion_codes.retrieve(promotion.id).times_redeemed == 0
    account.pay(session)
    done = account.reloaded(session)
    assert (done.amount_subtotal, done.total_details.amount_discount, done.amount_total) == (2000, 500, 1500)
    assert account.intents(session)[0].amount_received == 1500
    assert account.api.promotion_codes.retrieve(promotion.id).times_redeemed == 1


def test_what_costs_nothing_is_complete_without_a_payment(account: Account) -> None:
    account.code("GIFT", percent_off=100)
    session = account.pack_session(allow_promotion_codes=True, invoice_creation={"enabled": True})
    account.post(f"/checkout/{session.id}/promotion", code="GIFT")
    account.pay(session)
    done = account.reloaded(session)
    assert (done.status, done.payment_status, done.payment_intent) == (
        "complete",
        "no_payment_required",
        None,
    )
    assert account.api.invoices.retrieve(done.invoice).status == "paid"
    assert account.intents(session) == []


@pytest.mark.parametrize("code", ["NOBODY", "USED", "OVER", "OFF", "THEIRS", "LARGE"])
def test_an_unusable_code_is_refused_and_changes_nothing(account: Account, code: str) -> None:
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
        other = account.pack_session(allow_promotion_codes=True)
        account.post(f"/checkout/{other.id}/promotion", code="USED")
        account.pay(other)
    session = account.pack_session(allow_promotion_codes=True)
    account.pass_time(timedelta(minutes=2))
    answer = account.post(f"/checkout/{session.id}/promotion", code=code)
    assert (answer.status_code, 'role="alert"' in answer.text) == (200, True)
    assert account.reloaded(session).amount_total == 2000


def test_a_code_that_expires_between_typing_and_paying_takes_no_money(account: Account) -> None:
    coupon = account.api.coupons.create({"duration": "once", "percent_off": 10}).id
    promotion = {"type": "coupon", "coupon": coupon}
    account.api.promotion_codes.create({"code": "SOON", "promotion": promotion, "expires_at": T0 + 60})
    session = account.pack_session(allow_promotion_codes=True)
    account.post(f"/checkout/{session.id}/promotion", code="SOON")
    account.pass_time(timedelta(minutes=2))
    assert account.pay(session).status_code == 402
    assert account.intents(session) == []
    assert (account.reloaded(session).status, account.reloaded(session).amount_total) == ("open", 2000)


def test_a_code_that_expires_while_the_bank_asks_still_counts(account: Account) -> None:
    coupon = account.api.coupons.create({"duration": "once", "percent_off": 10}).id
    promotion = {"type": "coupon", "coupon": coupon}
    account.api.promotion_codes.create({"code": "SOON", "promotion": promotion, "expires_at": T0 + 60})
    session = account.pack_session(allow_promotion_codes=True)
    account.post(f"/checkout/{session.id}/promotion", code="SOON")
    asked = account.pay(session, "4000002500003155").headers["Location"]
    account.pass_time(timedelta(minutes=2))
    account.post(asked, answer="complete")
    assert account.reloaded(session).status == "complete"
    assert [intent.amount_received for intent in account.intents(session)] == [1800]
