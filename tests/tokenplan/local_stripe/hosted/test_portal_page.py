"""A customer replaces the card in the Customer Portal."""

import pytest

from tests.helpers.local_stripe.account import DAY, T0, Account


@pytest.mark.parametrize("own", [True, False])
def test_a_card_replaced_in_the_portal_is_the_customers_and_not_that_of_a_subscription_with_its_own(
    account: Account, own: bool
) -> None:
    subscription, invoice, clock = account.overdue_subscription()
    before = subscription.default_payment_method
    if not own:
        account.api.subscriptions.update(subscription.id, {"default_payment_method": ""})
    features = {"payment_method_update": {"enabled": True}, "invoice_history": {"enabled": True}}
    account.api.billing_portal.configurations.create({"features": features})
    session = account.api.billing_portal.sessions.create({"customer": subscription.customer})
    path = session.url.removeprefix(account.stripe.url)
    assert invoice.number in account.get(path).text
    assert account.post(path, number="4000000000000002").status_code == 402
    assert account.post(path, number="5555555555554444").headers["Location"] == path
    customer = account.api.customers.retrieve(
        subscription.customer, {"expand": ["invoice_settings.default_payment_method"]}
    )
    assert customer.invoice_settings.default_payment_method.card.last4 == "4444"
    account.api.test_helpers.test_clocks.advance(clock, {"frozen_time": T0 + 45 * DAY})
    after = account.api.subscriptions.retrieve(subscription.id)
    assert after.default_payment_method == (before if own else None)
    assert after.status == ("past_due" if own else "active")


def test_without_the_feature_the_portal_changes_no_card(account: Account) -> None:
    account.api.billing_portal.configurations.create({"features": {"invoice_history": {"enabled": True}}})
    customer = account.customer()
    session = account.api.billing_portal.sessions.create({"customer": customer})
    assert account.post(f"/portal/{session.id}", number="4242424242424242").status_code == 400
    assert list(account.api.customers.payment_methods.list(customer)) == []


def test_a_customer_types_their_legal_name_and_tax_id_in_the_portal(account: Account) -> None:
    updates = {"enabled": True, "allowed_updates": ["name", "address", "tax_id"]}
    account.api.billing_portal.configurations.create({"features": {"customer_update": updates}})
    customer = account.customer()
    path = f"/portal/{account.api.billing_portal.sessions.create({'customer': customer}).id}"
    form = {"name": "Example Ltd.", "country": "DE", "tax_id_type": "eu_vat", "email": "x@example.com"}
    assert account.post(f"{path}/details", **form, tax_id="none").status_code == 402
    assert account.post(f"{path}/details", **form, tax_id="DE123456789").status_code == 303
    after = account.api.customers.retrieve(customer, {"expand": ["tax_ids"]})
    assert (after.name, after.address.country, after.email) == ("Example Ltd.", "DE", "owner@example.com")
    assert [row.value for row in after.tax_ids.data] == ["DE123456789"]
    assert "DE123456789" in account.get(path).text


def test_without_the_feature_the_portal_changes_no_details(account: Account) -> None:
    account.api.billing_portal.configurations.create({"features": {"invoice_history": {"enabled": True}}})
    customer = account.customer()
    path = f"/portal/{account.api.billing_portal.sessions.create({'customer': customer}).id}"
    account.post(f"{path}/details", name="Example Ltd.", tax_id="12-3456789")
    assert account.api.customers.retrieve(customer).name == "Owner"
    assert list(account.api.customers.tax_ids.list(customer)) == []
    assert "Details" not in account.get(path).text
