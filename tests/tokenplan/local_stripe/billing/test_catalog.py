"""Products and prices."""

from typing import Any

import pytest
import stripe

from tests.helpers.local_stripe.account import Account, refused


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
        ({"unit_amount": 1, "currency": "chf"}, None),
        ({"unit_amount": 1, "product": "prod_none"}, "resource_missing"),
    ],
)
def test_an_invalid_price_is_refused(account: Account, params: dict[str, Any], code: str | None) -> None:
    product = account.api.products.create({"name": "Max"}).id
    refused(account.api.prices.create, {"product": product, "currency": "usd", **params}, code=code)
    assert list(account.api.prices.list()) == []


def test_a_price_keeps_its_amount_and_may_lose_its_lookup_key(account: Account) -> None:
    price = account.price(500, lookup_key="pack")
    changed = account.api.prices.update(price, {"lookup_key": "", "active": False, "nickname": "Old"})
    assert (changed.lookup_key, changed.active, changed.nickname) == (None, False, "Old")
    refused(account.api.prices.update, price, {"unit_amount": 1}, code="parameter_unknown")
    assert account.api.prices.retrieve(price).unit_amount == 500
    refused(account.session, "payment", account.customer(), price, code="price_inactive")


def test_a_lookup_key_belongs_to_one_price_unless_it_is_transferred() -> None:
    with Account() as account:
        first = account.price(500, lookup_key="pack")
        with pytest.raises(stripe.InvalidRequestError):
            account.price(600, lookup_key="pack")
        second = account.price(600, lookup_key="pack", transfer_lookup_key=True)
        assert [row.id for row in account.api.prices.list({"lookup_keys": ["pack"]})] == [second]
        assert account.api.prices.retrieve(first).lookup_key is None
