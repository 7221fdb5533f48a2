"""Products, prices, customers, payment methods, promotions, refunds and the portal's settings, one by one."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import stripe

from tests.local_stripe.busy import T0, Account


@pytest.fixture
def account() -> Iterator[Account]:
    with Account() as made:
        yield made


def refused(call: Any, *args: Any, code: str | None = None) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        call(*args)
    assert refusal.value.code == code


def test_a_product_is_named_changed_and_deleted_unless_it_has_a_price(account: Account) -> None:
    products = account.api.products
    products.create({"id": "max", "name": "Max", "metadata": {"rank": "2"}})
    refused(products.create, {"id": "max", "name": "Other"}, code="resource_already_exists")
    changed = products.update("max", {"name": "Maximum", "metadata": {"rank": "", "size": "9"}})
    assert (changed.name, changed.metadata.to_dict()) == ("Maximum", {"size": "9"})
    assert products.retrieve("max").name == "Maximum"
    account.api.prices.create({"product": "max", "currency": "usd", "unit_amount": 5000})
    refused(products.delete, "max")
    products.create({"id": "plus", "name": "Plus", "active": False})
    assert [row.id for row in products.list({"active": True})] == ["max"]
    assert products.delete("plus").deleted is True
    refused(products.retrieve, "plus", code="resource_missing")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, None),
        ({"unit_amount": 1, "unit_amount_decimal": "1"}, None),
        ({"unit_amount": -1}, None),
        ({"unit_amount_decimal": "0.5"}, None),
        ({"unit_amount": 1, "recurring": {"interval_count": 2}}, "parameter_missing"),
        ({"unit_amount": 1, "currency": "eur"}, None),
        ({"unit_amount": 1, "product": "prod_none"}, "resource_missing"),
    ],
)
def test_a_price_that_cannot_be_is_refused(
    account: Account, params: dict[str, Any], code: str | None
) -> None:
    product = account.api.products.create({"name": "Max"}).id
    refused(account.api.prices.create, {"product": product, "currency": "usd", **params}, code=code)
    assert list(account.api.prices.list()) == []


def test_a_price_keeps_its_amount_and_may_lose_its_key(account: Account) -> None:
    price = account.price(500, lookup_key="pack")
    changed = account.api.prices.update(price, {"lookup_key": "", "active": False, "nickname": "Old"})
    assert (changed.lookup_key, changed.active, changed.nickname) == (None, False, "Old")
    refused(account.api.prices.update, price, {"unit_amount": 1}, code="parameter_unknown")
    assert account.api.prices.retrieve(price).unit_amount == 500
    refused(account.session, "payment", account.customer(), price, code="price_inactive")


def test_a_customer_is_changed_field_by_field(account: Account) -> None:
    id = account.customer(phone="1", metadata={"team": "1"})
    changed = account.api.customers.update(
        id, {"phone": "", "balance": -700, "address": {"city": "Bern", "line1": ""}, "metadata": {"a": "b"}}
    )
    assert (changed.phone, changed.balance, changed.address.city) == (None, -700, "Bern")
    assert changed.metadata.to_dict() == {"team": "1", "a": "b"}
    assert account.kinds() == ["customer.created", "customer.updated"]
    account.api.customers.update(id, {"balance": -700})
    assert account.kinds() == ["customer.created", "customer.updated"]
    event = account.api.events.list({"type": "customer.updated"}).data[0]
    assert event.data.previous_attributes.to_dict() == {
        "phone": "1",
        "balance": 0,
        "address": None,
        "metadata": {"team": "1"},
    }


def test_customers_on_a_test_clock_are_listed_where_it_is_named(account: Account) -> None:
    clock = account.api.test_helpers.test_clocks.create({"frozen_time": T0 + 5}).id
    timed, plain = account.customer(test_clock=clock), account.customer()
    assert [row.id for row in account.api.customers.list()] == [plain]
    assert [row.id for row in account.api.customers.list({"test_clock": clock})] == [timed]
    assert account.api.customers.retrieve(timed).created == T0 + 5
    refused(account.api.customers.create, {"test_clock": "clock_none"}, code="resource_missing")


def test_a_card_has_one_owner(account: Account) -> None:
    methods, first, second = account.api.payment_methods, account.customer(), account.customer()
    card = methods.create({"type": "card", "card": {"number": "4242 4242 4242 4242"}, "metadata": {"a": "b"}})
    assert (card.card.last4, card.card.brand, card.customer) == ("4242", "visa", None)
    methods.attach(card.id, {"customer": first})
    assert methods.attach(card.id, {"customer": first}).customer == first
    refused(methods.attach, card.id, {"customer": second})
    default = {"invoice_settings": {"default_payment_method": card.id}}
    refused(account.api.customers.update, second, default, code="resource_missing")
    account.api.customers.update(first, default)
    assert [row.id for row in methods.list({"customer": first, "type": "card"})] == [card.id]
    assert list(methods.list({"type": "card"})) == []
    assert account.api.customers.payment_methods.retrieve(first, card.id).id == card.id
    assert methods.detach(card.id).customer is None
    assert account.api.customers.retrieve(first).invoice_settings.default_payment_method is None
    refused(methods.detach, card.id)


@pytest.mark.parametrize(
    "params",
    [
        {"type": "card"},
        {"type": "card", "card": {"number": "1234"}},
        {"type": "card", "card": {"token": "tok_none"}},
        {"type": "us_bank_account"},
        {"type": "coin"},
    ],
)
def test_a_card_that_is_none_is_refused(account: Account, params: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        account.api.payment_methods.create(params)
    assert account.stripe.store.all("payment_method") == []


def test_a_token_makes_a_card(account: Account) -> None:
    made = account.api.payment_methods.create({"type": "card", "card": {"token": "tok_mastercard"}})
    assert account.api.payment_methods.retrieve(made.id).card.last4 == "4444"
    refused(account.api.payment_methods.retrieve, "pm_none", code="resource_missing")


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
def test_a_coupon_that_cannot_be_is_refused(account: Account, params: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        account.api.coupons.create(params)
    assert list(account.api.coupons.list()) == []


def test_a_code_is_one_promotions_while_that_is_active(account: Account) -> None:
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
def test_a_promotion_that_cannot_be_is_refused(account: Account, params: dict[str, Any]) -> None:
    coupon = account.api.coupons.create({"percent_off": 10, "max_redemptions": 5}).id
    with pytest.raises(stripe.InvalidRequestError):
        account.api.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon}, **params})
    assert list(account.api.promotion_codes.list()) == []


def test_codes_and_coupons_end_when_their_time_comes(account: Account) -> None:
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


def test_a_code_for_newcomers_is_none_for_who_has_paid(account: Account) -> None:
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


def test_whoever_closes_a_dispute_accepts_it(account: Account) -> None:
    account.pay(account.session("payment", account.customer(), account.price(500)), "4000000000000259")
    account.pass_time(timedelta(minutes=1))
    (dispute,) = account.api.disputes.list()
    assert account.api.disputes.close(dispute.id).status == "lost"
    refused(account.api.disputes.close, dispute.id, code="dispute_closed")


def test_the_portal_needs_a_configuration(account: Account) -> None:
    portal, customer = account.api.billing_portal, account.customer()
    refused(portal.sessions.create, {"customer": customer})
    first = portal.configurations.create(
        {"features": {"invoice_history": {"enabled": True}}, "default_return_url": "https://example.com/"}
    )
    assert portal.sessions.create({"customer": customer}).return_url == "https://example.com/"
    refused(portal.configurations.update, first.id, {"active": False})
    changed = portal.configurations.update(
        first.id, {"features": {"payment_method_update": {"enabled": True}}}
    )
    assert changed.features.payment_method_update.enabled is True
    assert changed.features.invoice_history.enabled is True
    assert portal.configurations.retrieve(first.id).is_default is True
