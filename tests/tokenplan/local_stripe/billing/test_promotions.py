"""Coupons and promotion codes: refused, redeemed, expired."""

from datetime import timedelta
from typing import Any

import pytest
import stripe

from tests.helpers.local_stripe.account import T0, Account, refused


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"percent_off": 10, "amount_off": 100, "currency": "usd"},
        {"percent_off": 0},
        {"percent_off": 101},
        {"amount_off": 100},
        {"amount_off": 0, "currency": "usd"},
        {"percent_off": 10, "duration": "repeating"},
        {"percent_off": 10, "duration": "once", "duration_in_months": 3},
    ],
)
def test_an_invalid_coupon_is_refused(account: Account, params: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        account.api.coupons.create(params)
    assert list(account.api.coupons.list()) == []


def test_a_code_belongs_to_one_active_promotion_code(account: Account) -> None:
    first = account.code("SPRING")
    coupon = first.promotion.coupon
    again = {"code": "spring", "promotion": {"type": "coupon", "coupon": coupon}}
    refused(account.api.promotion_codes.create, again, code="resource_already_exists")
    account.api.promotion_codes.update(first.id, {"active": False})
    second = account.api.promotion_codes.create(again)
    refused(account.api.promotion_codes.update, first.id, {"active": True})
    account.api.promotion_codes.update(second.id, {"active": False})
    assert account.api.promotion_codes.update(first.id, {"active": True}).active is True
    shown = account.api.promotion_codes.retrieve(first.id, {"expand": ["promotion.coupon"]})
    assert shown.promotion.coupon.percent_off == 20.0
    assert len(account.api.promotion_codes.list({"coupon": coupon}).data) == 2


@pytest.mark.parametrize(
    "params",
    [
        {"code": "two words"},
        {"code": "A", "expires_at": T0},
        {"code": "A", "max_redemptions": 6},
        {"code": "A", "customer": "cus_none"},
        {"code": "A", "promotion": {"type": "coupon"}},
        {"code": "A", "promotion": {"type": "coupon", "coupon": "none"}},
    ],
)
def test_an_invalid_promotion_code_is_refused(account: Account, params: dict[str, Any]) -> None:
    coupon = account.api.coupons.create({"percent_off": 10, "max_redemptions": 5}).id
    with pytest.raises(stripe.InvalidRequestError):
        account.api.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon}, **params})
    assert list(account.api.promotion_codes.list()) == []


def test_codes_and_coupons_expire_when_their_time_comes(account: Account) -> None:
    coupon = account.api.coupons.create({"percent_off": 10, "redeem_by": T0 + 120}).id
    promotion = {"type": "coupon", "coupon": coupon}
    code = account.api.promotion_codes.create({"promotion": promotion, "expires_at": T0 + 60})
    account.pass_time(timedelta(seconds=60))
    assert account.api.promotion_codes.retrieve(code.id).active is False
    assert account.api.coupons.retrieve(coupon).valid is True
    account.pass_time(timedelta(seconds=60))
    assert account.api.coupons.retrieve(coupon).valid is False
    refused(account.api.promotion_codes.update, code.id, {"active": True})
    assert account.kinds()[-2:] == ["promotion_code.updated", "coupon.updated"]


def test_a_code_for_first_payments_takes_nothing_off_a_second_one(account: Account) -> None:
    coupon = account.api.coupons.create({"percent_off": 10}).id
    limits = {"first_time_transaction": True}
    params = {"code": "NEW", "promotion": {"type": "coupon", "coupon": coupon}, "restrictions": limits}
    account.api.promotion_codes.create(params)
    customer, price = account.customer(), account.price(500)
    totals = []
    for _ in range(2):
        session = account.session("payment", customer, price, allow_promotion_codes=True)
        account.post(f"/checkout/{session.id}/promotion", code="NEW")
        totals.append(account.api.checkout.sessions.retrieve(session.id).amount_total)
        account.pay(session)
    assert totals == [450, 500]


def test_a_code_for_first_payments_counts_an_invoice_of_nothing_too(account: Account) -> None:
    coupon = account.api.coupons.create({"percent_off": 100}).id
    limits = {"first_time_transaction": True}
    params = {"code": "GIFT", "promotion": {"type": "coupon", "coupon": coupon}, "restrictions": limits}
    account.api.promotion_codes.create(params)
    customer, price = account.customer(), account.price(500)
    totals = []
    for _ in range(2):
        session = account.session(
            "payment", customer, price, allow_promotion_codes=True, invoice_creation={"enabled": True}
        )
        account.post(f"/checkout/{session.id}/promotion", code="GIFT")
        totals.append(account.reloaded(session).amount_total)
        account.pay(session)
    assert totals == [0, 500]


def test_a_code_of_one_customer_is_nobody_elses(account: Account) -> None:
    first, second, price = account.customer(), account.customer(), account.price(500)
    coupon = account.api.coupons.create({"percent_off": 10}).id
    params = {"code": "HERS", "promotion": {"type": "coupon", "coupon": coupon}, "customer": first}
    account.api.promotion_codes.create(params)
    totals = []
    for customer in (second, first):
        session = account.session("payment", customer, price, allow_promotion_codes=True)
        account.post(f"/checkout/{session.id}/promotion", code="HERS")
        totals.append(account.reloaded(session).amount_total)
    assert totals == [500, 450]


def test_the_number_of_redemptions_counts_all_customers_together(account: Account) -> None:
    coupon = account.api.coupons.create({"percent_off": 10}).id
    params = {"code": "TWO", "promotion": {"type": "coupon", "coupon": coupon}, "max_redemptions": 2}
    code = account.api.promotion_codes.create(params)
    price, totals = account.price(500), []
    # One customer may take both: Stripe counts uses, not people.
    hungry, late = account.customer(), account.customer()
    for customer in (hungry, hungry, late):
        session = account.session("payment", customer, price, allow_promotion_codes=True)
        account.post(f"/checkout/{session.id}/promotion", code="TWO")
        totals.append(account.reloaded(session).amount_total)
        account.pay(session)
    assert totals == [450, 450, 500]
    after = account.api.promotion_codes.retrieve(code.id)
    assert (after.times_redeemed, after.active) == (2, False)
    assert account.api.coupons.retrieve(coupon).times_redeemed == 2


def test_a_coupon_for_some_products_shows_them_on_demand_and_takes_off_nothing_else(account: Account) -> None:
    price, other = account.price(500), account.price(700)
    product = account.api.prices.retrieve(price).product
    coupon = account.api.coupons.create({"percent_off": 50, "applies_to": {"products": [product]}})
    assert "applies_to" not in coupon.to_dict()
    shown = account.api.coupons.retrieve(coupon.id, {"expand": ["applies_to"]})
    assert shown.applies_to.products == [product]
    code = {"code": "HALF", "promotion": {"type": "coupon", "coupon": coupon.id}}
    made = account.api.promotion_codes.create({**code, "expand": ["promotion.coupon.applies_to"]})
    assert made.promotion.coupon.applies_to.products == [product]
    nothing = {"percent_off": 50, "applies_to": {"products": ["prod_none"]}}
    refused(account.api.coupons.create, nothing, code="resource_missing")
    customer = account.customer()
    both = account.session(
        "payment",
        customer,
        price,
        allow_promotion_codes=True,
        line_items=[{"price": price, "quantity": 1}, {"price": other, "quantity": 1}],
    )
    account.post(f"/checkout/{both.id}/promotion", code="HALF")
    assert account.reloaded(both).amount_total == 950
    single = account.session("payment", customer, other, allow_promotion_codes=True)
    assert "not for what you buy" in account.post(f"/checkout/{single.id}/promotion", code="HALF").text
    assert account.reloaded(single).amount_total == 700
