"""Configurations and sessions of the Customer Portal."""

from tests.helpers.local_stripe.account import Account, refused


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
