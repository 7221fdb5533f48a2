"""Payment methods: made of test cards, and attached to one customer."""

from typing import Any

import pytest
import stripe

from tests.helpers.local_stripe.account import Account, refused


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
def test_an_unknown_card_is_refused(account: Account, params: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        account.api.payment_methods.create(params)
    assert account.stripe.store.all("payment_method") == []


def test_a_token_makes_a_card(account: Account) -> None:
    made = account.api.payment_methods.create({"type": "card", "card": {"token": "tok_mastercard"}})
    assert account.api.payment_methods.retrieve(made.id).card.last4 == "4444"
    refused(account.api.payment_methods.retrieve, "pm_none", code="resource_missing")
