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


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("pm_card_visa_chargeDeclined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ],
)
def test_a_card_that_is_always_declined_is_attached_to_nobody(account: Account, card: str, code: str) -> None:
    customer = account.customer()
    with pytest.raises(stripe.CardError) as refusal:
        account.api.payment_methods.attach(card, {"customer": customer})
    assert (refusal.value.http_status, refusal.value.code) == (402, "card_declined")
    assert refusal.value.error is not None
    assert refusal.value.error.decline_code == code
    assert list(account.api.customers.payment_methods.list(customer)) == []
    with pytest.raises(stripe.CardError):
        account.api.customers.create({"payment_method": card})
    assert len(account.api.customers.list().data) == 1


def test_a_list_by_type_shows_only_that_type(account: Account) -> None:
    customer, methods = account.customer(), account.api.payment_methods
    made = {
        methods.attach(token, {"customer": customer}).type: token
        for token in ("pm_card_visa", "pm_link", "pm_usBankAccount_success")
    }
    assert set(made) == {"card", "link", "us_bank_account"}
    for kind in made:
        found = account.api.customers.payment_methods.list(customer, {"type": kind}).data
        assert [row.type for row in found] == [kind]
        assert [row.type for row in methods.list({"customer": customer, "type": kind})] == [kind]
    assert len(account.api.customers.payment_methods.list(customer).data) == 3


def test_link_pays_and_shows_no_card(account: Account) -> None:
    session = account.pack_session(payment_intent_data={"setup_future_usage": "off_session"})
    account.pay(session, "000000")
    (intent,) = account.intents(session)
    assert intent.status == "succeeded"
    assert intent.latest_charge.payment_method_details.type == "link"
    (saved,) = account.api.customers.payment_methods.list(session.customer)
    assert (saved.type, saved.link.email) == ("link", "link@example.com")
    assert "card" not in saved.to_dict()
    again = account.session("payment", session.customer, account.price(500))
    assert "Link (link@example.com)" in account.get(f"/checkout/{again.id}").text


def test_what_is_known_of_a_card_is_changed_with_an_event(account: Account) -> None:
    customer = account.customer()
    card = account.api.payment_methods.attach("pm_card_visa", {"customer": customer})
    changed = account.api.payment_methods.update(
        card.id,
        {
            "card": {"exp_year": 2040},
            "billing_details": {"name": "Mia", "address": {"country": "CH"}},
            "metadata": {"a": "b"},
        },
    )
    assert (changed.card.exp_year, changed.card.last4) == (2040, "4242")
    assert (changed.billing_details.name, changed.billing_details.address.country) == ("Mia", "CH")
    assert account.kinds()[-1] == "payment_method.updated"
    bank = account.api.payment_methods.attach("pm_usBankAccount_success", {"customer": customer}).id
    refused(account.api.payment_methods.update, bank, {"card": {"exp_year": 2040}})
    nobodys = account.api.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).id
    refused(account.api.payment_methods.update, nobodys, {"metadata": {"a": "b"}})


def test_a_bank_replaces_a_card_which_goes_on_working(account: Account) -> None:
    customer = account.customer()
    card = account.api.payment_methods.attach("pm_card_visa", {"customer": customer})
    assert account.post(f"/_local/payment_methods/{card.id}/replace").status_code == 303
    after = account.api.payment_methods.retrieve(card.id)
    assert (after.card.last4, after.card.exp_year) == ("1881", card.card.exp_year + 4)
    event = account.api.events.list({"type": "payment_method.automatically_updated"}).data[0]
    assert event.data.previous_attributes.card.last4 == "4242"
    account.api.customers.update(customer, {"invoice_settings": {"default_payment_method": card.id}})
    plus = [{"price": account.price(2000, "month")}]
    assert account.api.subscriptions.create({"customer": customer, "items": plus}).status == "active"
    bank = account.api.payment_methods.attach("pm_usBankAccount_success", {"customer": customer}).id
    assert account.post(f"/_local/payment_methods/{bank}/replace").status_code == 400
