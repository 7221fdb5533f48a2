"""Customers, their cards, and the pages of Stripe they are led to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings

from billing.money import cents_from_nanousd
from billing.stripe_api.catalog import portal_configuration
from billing.stripe_api.client import api, asked, listed, once, seconds
from billing.stripe_api.methods import AT_ONCE
from billing.stripe_api.reading import Listed
from billing.stripe_api.snapshots import (
    CheckoutSnapshot,
    CustomerSnapshot,
    checkout_snapshot,
    customer_snapshot,
)
from billing.stripe_api.subscriptions import FLEXIBLE

CUSTOMER_PARTS = ["invoice_settings.default_payment_method"]


def create_customer(*, request: object, name: str, email: str, team_id: int) -> CustomerSnapshot:
    """Name and address are set by a second request: the first, made once, must be the same every time."""
    params: dict[str, Any] = {"metadata": {"team": str(team_id)}}
    if settings.STRIPE_TEST_CLOCK:
        params["test_clock"] = settings.STRIPE_TEST_CLOCK
    id = asked(api().customers.create, params, once(request))["id"]
    # It may have been made before, and the customer may have typed another name meanwhile.
    found = asked(api().customers.retrieve, id)
    missing = {key: text for key, text in (("name", name), ("email", email)) if not found.get(key)}
    return customer_snapshot(asked(api().customers.update, id, missing) if missing else found)


def customer(id: str) -> CustomerSnapshot:
    """Its card is the default that was set in the portal, else the one of the last payment: the payment page
    saves the card and does not make it the default. A method that does not pay at once is among the others.
    """
    found = asked(api().customers.retrieve, id, {"expand": CUSTOMER_PARTS})
    if found.get("deleted"):
        return customer_snapshot(found)
    return customer_snapshot(found, list(listed(partial(api().customers.payment_methods.list, id), {})))


def set_default_method(customer_id: str, method_id: str) -> None:
    """All that is charged while nobody is there is charged to it from now on."""
    settings = {"default_payment_method": method_id}
    asked(api().customers.update, customer_id, {"invoice_settings": settings})


def customers() -> Iterator[Listed[CustomerSnapshot]]:
    """Every customer of the account, the newest first, also those that are not ours."""
    params: dict[str, Any] = {"expand": [f"data.{part}" for part in CUSTOMER_PARTS]}
    if settings.STRIPE_TEST_CLOCK:
        params["test_clock"] = settings.STRIPE_TEST_CLOCK  # they are not listed otherwise
    return Listed.each(listed(api().customers.list, params), customer_snapshot)


def set_contact(id: str, *, email: str) -> None:
    """Where Stripe's mails go. Name, address and tax id are the customer's own."""
    asked(api().customers.update, id, {"email": email})


def give_back_balance(customer_id: str, *, nanousd: int, request: object) -> None:
    """So much is taken off the customer's next invoices. The same request does it once, for good: Stripe
    forgets idempotency keys after a day, so what was given before is asked for first.
    """
    for made in listed(partial(api().customers.balance_transactions.list, customer_id), {}):
        if (made["metadata"] or {}).get("request") == str(request):
            return
    params = {
        "amount": -cents_from_nanousd(nanousd),
        "currency": "usd",
        "metadata": {"request": str(request)},
    }
    asked(api().customers.balance_transactions.create, customer_id, params, once(request))


def portal_url(customer_id: str, *, return_url: str) -> str:
    """A page of Stripe's, for cards and invoices, that only this customer gets."""
    params = {"customer": customer_id, "return_url": return_url}
    configuration = portal_configuration()
    if configuration:
        params["configuration"] = configuration
    return str(asked(api().billing_portal.sessions.create, params)["url"])


def create_checkout(
    *,
    request: object,
    mode: str,
    customer_id: str,
    prices: Mapping[str, int],
    metadata: Mapping[str, str],
    return_url: str,
    expires_at: datetime,
    promotion_id: str = "",
) -> CheckoutSnapshot:
    """A page to pay on, which leads back to `return_url`, paid or not. `mode`: subscription or payment.
    Whatever Stripe makes of it carries the metadata. What renews is paid by what pays at once.
    `promotion_id`: the code that is used; the page takes none, since codes are checked here.
    """
    # In one order, whichever the prices come in: a request that is made once must be the same every time.
    lines = sorted(prices.items())
    params: dict[str, Any] = {
        "mode": mode,
        "customer": customer_id,
        "client_reference_id": str(request),
        "line_items": [{"price": price, "quantity": quantity} for price, quantity in lines],
        "metadata": dict(metadata),
        "success_url": return_url,
        "cancel_url": return_url,
        "expires_at": seconds(expires_at),
    }
    if promotion_id:
        params["discounts"] = [{"promotion_code": promotion_id}]
    if settings.STRIPE_TAX:
        params["automatic_tax"] = {"enabled": True}
        params["customer_update"] = {"address": "auto", "name": "auto"}
        params["tax_id_collection"] = {"enabled": True}
    if mode == "subscription":
        params["subscription_data"] = {"metadata": dict(metadata), "billing_mode": FLEXIBLE}
        params["allowed_payment_method_types"] = list(AT_ONCE)
    else:
        params["payment_intent_data"] = {"metadata": dict(metadata), "setup_future_usage": "off_session"}
        params["invoice_creation"] = {"enabled": True, "invoice_data": {"metadata": dict(metadata)}}
    return checkout_snapshot(asked(api().checkout.sessions.create, params, once(request)))


def find_checkout(customer_id: str, *, request: object) -> CheckoutSnapshot | None:
    """The session that an earlier call with this `request` has made; None if there is none."""
    for session in listed(api().checkout.sessions.list, {"customer": customer_id}):
        if session["client_reference_id"] == str(request):
            return checkout_snapshot(session)
    return None


def checkout(id: str) -> CheckoutSnapshot:
    return checkout_snapshot(asked(api().checkout.sessions.retrieve, id))


def expire_checkout(id: str) -> CheckoutSnapshot:
    """Raises StripeRefused when it is not open any more."""
    return checkout_snapshot(asked(api().checkout.sessions.expire, id))
