"""An account where everything that the local Stripe can do was done, by the real SDK and at the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import stripe

from tokenplan.local_stripe.server import LocalStripe

T0 = int(datetime(2026, 6, 3, 10, 2, tzinfo=UTC).timestamp())
DAY = 86400


class Account:
    """A served local Stripe with the SDK's client on it. `now` stands still until `pass_time`."""

    def __init__(self, path: Any = None) -> None:
        self.now = T0
        self.stripe = LocalStripe(path, now=lambda: self.now, ticking=False)

    def __enter__(self) -> Account:
        self.stripe.__enter__()
        self.api = client(self.stripe.url)
        return self

    def __exit__(self, *error: Any) -> None:
        self.stripe.stop()

    def pass_time(self, by: timedelta) -> None:
        self.now += int(by.total_seconds())
        self.stripe.tick()

    def price(self, cents: int, interval: str = "", **more: Any) -> str:
        product = self.api.products.create({"name": f"Product of {cents} cents"})
        params = {"product": product.id, "currency": "usd", "unit_amount": cents, **more}
        if interval:
            params["recurring"] = {"interval": interval}
        return str(self.api.prices.create(params).id)

    def customer(self, **params: Any) -> str:
        return str(self.api.customers.create({"email": "owner@example.com", "name": "Owner", **params}).id)

    def session(self, mode: str, customer: str, price: str, quantity: int = 1, /, **params: Any) -> Any:
        return self.api.checkout.sessions.create(
            {
                "mode": mode,
                "customer": customer,
                "line_items": [{"price": price, "quantity": quantity}],
                "success_url": "https://example.com/back?session={CHECKOUT_SESSION_ID}",
                "cancel_url": "https://example.com/left",
                **params,
            }
        )

    def post(self, path: str, **form: str) -> httpx.Response:
        """A form of a page is sent; redirects are not followed."""
        return httpx.post(f"{self.stripe.url}{path}", data=form)

    def pay(self, session: Any, number: str = "4242424242424242") -> httpx.Response:
        return self.post(f"/checkout/{session.id}", number=number)

    def code(self, word: str, **coupon: Any) -> Any:
        made = self.api.coupons.create({"duration": "once", **(coupon or {"percent_off": 20})})
        return self.api.promotion_codes.create(
            {"code": word, "promotion": {"type": "coupon", "coupon": made.id}}
        )

    def kinds(self) -> list[str]:
        """What happened, the oldest first."""
        return [event["type"] for event in reversed(self.stripe.store.all("event"))]


def client(url: str, retries: int = 0) -> Any:
    return stripe.StripeClient(
        "sk_test_tests",
        base_addresses={"api": url},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=20),
    ).v1


def be_busy(account: Account) -> None:
    api = account.api
    month, other, year = (
        account.price(2000, "month"),
        account.price(5000, "month"),
        account.price(20000, "year"),
    )
    pack = account.price(500, lookup_key="pack", tax_behavior="exclusive", nickname="Pack")
    _buy_packs(account, pack)
    clock = api.test_helpers.test_clocks.create({"frozen_time": T0, "name": "A year"})
    customer = account.customer(test_clock=clock.id, metadata={"team": "1"}, address={"country": "US"})
    account.code("TWENTY")
    session = account.session(
        "subscription",
        customer,
        month,
        3,
        allow_promotion_codes=True,
        subscription_data={"metadata": {"team": "1"}},
        automatic_tax={"enabled": True},
        customer_update={"address": "auto", "name": "auto"},
        tax_id_collection={"enabled": True},
    )
    account.post(f"/checkout/{session.id}/promotion", code="twenty")
    account.pay(session)
    subscription = api.subscriptions.list({"customer": customer}).data[0]
    _change(account, subscription, month, other, year)
    api.invoices.create_preview({"customer": customer, "subscription_details": {"items": [{"price": month}]}})
    at = api.test_helpers.test_clocks.retrieve(clock.id).frozen_time
    for days in (32, 30, 31):
        at += days * DAY
        api.test_helpers.test_clocks.advance(clock.id, {"frozen_time": at})
    api.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    api.subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    _fail_to_renew(account, clock.id, month)
    api.subscriptions.cancel(subscription.id, {"invoice_now": False, "prorate": False})
    made = api.billing_portal.configurations.create(
        {"features": {"payment_method_update": {"enabled": True}, "invoice_history": {"enabled": True}}}
    )
    portal = api.billing_portal.sessions.create({"customer": customer, "configuration": made.id})
    account.post(f"/portal/{portal.id}", number="5555555555554444")
    endpoint = {"url": "http://127.0.0.1:1/webhooks/", "enabled_events": ["charge.refunded", "invoice.paid"]}
    nobody = api.webhook_endpoints.create({**endpoint, "description": "", "api_version": stripe.api_version})
    api.webhook_endpoints.update(nobody.id, {"disabled": True})
    api.webhook_endpoints.delete(api.webhook_endpoints.create(endpoint).id)
    gone = account.customer()
    api.customers.delete(gone)
    api.customers.retrieve(gone)
    _look_around(account)


def _look_around(account: Account) -> None:
    """With what we ask to be included."""
    api = account.api
    api.subscriptions.list(
        {"status": "all", "expand": ["data.latest_invoice", "data.default_payment_method"]}
    )
    api.customers.list({"expand": ["data.invoice_settings.default_payment_method"]})
    api.promotion_codes.list({"expand": ["data.promotion.coupon"]})
    api.payment_intents.list({"limit": 100, "expand": ["data.latest_charge", "data.payment_method"]})
    api.charges.list({"limit": 100, "expand": ["data.refunds", "data.payment_intent"]})
    api.invoices.list({"limit": 100, "expand": ["data.payments", "data.discounts"]})
    api.checkout.sessions.list({"expand": ["data.line_items", "data.payment_intent", "data.invoice"]})
    api.disputes.list({"expand": ["data.charge"]})
    api.events.list({"limit": 100})
    for subscription in api.subscriptions.list():
        api.invoices.create_preview({"subscription": subscription.id})


def _buy_packs(account: Account, pack: str) -> None:
    """With every test card; some of it is paid back, some is disputed, some comes later or never."""
    api, customer = account.api, account.customer()
    for number in (
        "4242424242424242",
        "4000000000000002",
        "4000002500003155",
        "4000000000000259",
        "000123456789",
        "000222222227",
    ):
        session = account.session(
            "payment",
            customer,
            pack,
            4,
            client_reference_id="visit",
            metadata={"team": "1"},
            payment_intent_data={"metadata": {"purchase": "1"}, "setup_future_usage": "off_session"},
            invoice_creation={"enabled": True, "invoice_data": {"metadata": {"purchase": "1"}}},
        )
        answer = account.pay(session, number)
        if "/authenticate/" in answer.headers.get("Location", ""):
            account.post(answer.headers["Location"], answer="complete")
    api.checkout.sessions.expire(api.checkout.sessions.list({"status": "open"}).data[0].id)
    account.session("payment", customer, pack)
    paid = [row for row in api.payment_intents.list({"customer": customer}) if row.status == "succeeded"]
    api.refunds.create({"payment_intent": paid[-1].id, "amount": 700, "reason": "requested_by_customer"})
    api.refunds.create({"payment_intent": paid[-1].id})
    account.pass_time(timedelta(days=1))
    for dispute in account.stripe.store.all("dispute"):
        account.post(f"/_local/disputes/{dispute['id']}/close", outcome="lost")
    charge = account.stripe.store.all("charge", status="succeeded", disputed=False)[0]
    account.post(f"/_local/charges/{charge['id']}/dispute")
    method = api.customers.payment_methods.list(customer).data[0]
    api.customers.update(customer, {"invoice_settings": {"default_payment_method": method.id}})
    api.payment_methods.detach(api.customers.payment_methods.list(customer).data[-1].id)
    invoice = api.invoices.create(
        {"customer": customer, "auto_advance": False, "metadata": {"purchase": "2"}}
    )
    api.invoice_items.create({"customer": customer, "invoice": invoice.id, "pricing": {"price": pack}})
    api.invoices.finalize_invoice(invoice.id, {"auto_advance": False})
    api.invoices.pay(invoice.id, {"payment_method": method.id, "off_session": True})
    voided = api.invoices.create({"customer": customer, "auto_advance": False})
    api.invoice_items.create({"customer": customer, "invoice": voided.id, "pricing": {"price": pack}})
    api.invoices.finalize_invoice(voided.id)
    api.invoices.void_invoice(voided.id)


def _change(account: Account, subscription: Any, month: str, other: str, year: str) -> None:
    """Up at once, one that waits for its payment, down at the period's end."""
    api = account.api
    item = subscription["items"].data[0]
    clock = subscription.test_clock
    api.test_helpers.test_clocks.advance(clock, {"frozen_time": T0 + 9 * DAY})
    change = {"items": [{"id": item.id, "quantity": 2}, {"price": other, "quantity": 2}]}
    how = {"proration_behavior": "always_invoice", "proration_date": T0 + 9 * DAY}
    api.invoices.create_preview({"subscription": subscription.id, "subscription_details": {**change, **how}})
    api.subscriptions.update(subscription.id, {**change, **how, "payment_behavior": "pending_if_incomplete"})
    saved = api.customers.payment_methods.list(subscription.customer).data[0].id
    asks = api.payment_methods.attach("pm_card_authenticationRequired", {"customer": subscription.customer})
    api.subscriptions.update(subscription.id, {"default_payment_method": asks.id})
    waits = {"items": [{"id": item.id, "quantity": 5}], **how, "payment_behavior": "pending_if_incomplete"}
    api.subscriptions.update(subscription.id, waits)
    link = api.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]}).latest_invoice
    account.post(f"/i/{link.id}", number="4242424242424242")
    api.subscriptions.update(subscription.id, {"default_payment_method": saved})
    schedule = api.subscription_schedules.create({"from_subscription": subscription.id})
    phase = schedule.phases[0]
    items = [{"price": row.price, "quantity": row.quantity} for row in phase["items"]]
    now = {"items": items, "start_date": phase.start_date, "end_date": phase.end_date}
    then = {
        "items": [{"price": month, "quantity": 1}],
        "duration": {"interval": "month", "interval_count": 1},
    }
    api.subscription_schedules.update(
        schedule.id,
        {
            "phases": [{**now, "proration_behavior": "none"}, {**then, "proration_behavior": "none"}],
            "end_behavior": "release",
            "proration_behavior": "none",
        },
    )


def _fail_to_renew(account: Account, clock: str, month: str) -> None:
    """A card that works once; then a look at what is owed, and at last it is paid at the invoice's page."""
    api, at = account.api, account.api.test_helpers.test_clocks.retrieve(clock).frozen_time
    customer = account.customer(test_clock=clock)
    account.pay(account.session("subscription", customer, month), "4000000000000341")
    for days in (32, 9):
        at += days * DAY
        api.test_helpers.test_clocks.advance(clock, {"frozen_time": at})
    owed = api.invoices.list({"customer": customer, "status": "open", "expand": ["data.payments"]}).data[0]
    account.post(f"/i/{owed.id}", number="4000000000000002")
    account.post(f"/i/{owed.id}", number="4242424242424242")
