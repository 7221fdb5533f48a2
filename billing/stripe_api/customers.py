"""Customers, their cards, and the pages of Stripe they are led to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings

from billing import facts
from billing.facts import CheckoutFacts, CustomerFacts
from billing.stripe_api.catalog import portal_configuration
from billing.stripe_api.client import api, asked, listed, once, seconds

CUSTOMER_PARTS = ["invoice_settings.default_payment_method"]


def create_customer(*, request: object, name: str, email: str, team: int) -> CustomerFacts:
    """Name and address are told afterwards: a request that is made once must be the same every time."""
    params: dict[str, Any] = {"metadata": {"team": str(team)}}
    if settings.STRIPE_TEST_CLOCK:
        params["test_clock"] = settings.STRIPE_TEST_CLOCK
    made = asked(api().customers.create, params, once(request))
    return facts.customer_facts(asked(api().customers.update, made["id"], {"name": name, "email": email}))


def customer(id: str) -> CustomerFacts:
    """Its card is the one set as such, in the portal, else the one it paid with last: the payment page keeps
    that, and does not set it.
    """
    found = asked(api().customers.retrieve, id, {"expand": CUSTOMER_PARTS})
    if found.get("deleted") or facts.customer_facts(found).payment_method:
        return facts.customer_facts(found)
    cards = listed(partial(api().customers.payment_methods.list, id), {"type": "card"})
    return facts.customer_facts(found, next(cards, None))


def customers() -> Iterator[CustomerFacts]:
    """All of the account, the newest first; others than ours too."""
    params: dict[str, Any] = {"expand": [f"data.{part}" for part in CUSTOMER_PARTS]}
    if settings.STRIPE_TEST_CLOCK:
        params["test_clock"] = settings.STRIPE_TEST_CLOCK  # they are not listed otherwise
    return map(facts.customer_facts, listed(api().customers.list, params))


def update_customer(id: str, *, name: str, email: str) -> None:
    asked(api().customers.update, id, {"name": name, "email": email})


def portal_url(customer: str, *, return_url: str) -> str:
    """A page of Stripe's, for cards and invoices, that only this customer gets."""
    params = {"customer": customer, "return_url": return_url}
    configuration = portal_configuration()
    if configuration:
        params["configuration"] = configuration
    return str(asked(api().billing_portal.sessions.create, params)["url"])


def create_checkout(
    *,
    request: object,
    mode: str,
    customer: str,
    prices: Mapping[str, int],
    metadata: Mapping[str, str],
    return_url: str,
    cancel_url: str,
    expires_at: datetime,
) -> CheckoutFacts:
    """`mode`: subscription or payment. Whatever Stripe makes of it carries the metadata."""
    # In one order, whichever the prices come in: a request that is made once must be the same every time.
    lines = sorted(prices.items())
    params: dict[str, Any] = {
        "mode": mode,
        "customer": customer,
        "client_reference_id": str(request),
        "line_items": [{"price": price, "quantity": quantity} for price, quantity in lines],
        "metadata": dict(metadata),
        "success_url": return_url,
        "cancel_url": cancel_url,
        "allow_promotion_codes": True,
        "expires_at": seconds(expires_at),
    }
    if settings.STRIPE_TAX:
        params["automatic_tax"] = {"enabled": True}
        params["customer_update"] = {"address": "auto", "name": "auto"}
        params["tax_id_collection"] = {"enabled": True}
    if mode == "subscription":
        params["subscription_data"] = {"metadata": dict(metadata)}
    else:
        params["payment_intent_data"] = {"metadata": dict(metadata), "setup_future_usage": "off_session"}
        params["invoice_creation"] = {"enabled": True, "invoice_data": {"metadata": dict(metadata)}}
    return facts.checkout_facts(asked(api().checkout.sessions.create, params, once(request)))


def checkout_of(customer: str, *, request: object) -> CheckoutFacts | None:
    """The one that this request made, if it made one."""
    for session in listed(api().checkout.sessions.list, {"customer": customer}):
        if session["client_reference_id"] == str(request):
            return facts.checkout_facts(session)
    return None


def checkout(id: str) -> CheckoutFacts:
    return facts.checkout_facts(asked(api().checkout.sessions.retrieve, id))


def expire_checkout(id: str) -> CheckoutFacts:
    """Raises StripeRefused when it is not open any more."""
    return facts.checkout_facts(asked(api().checkout.sessions.expire, id))
