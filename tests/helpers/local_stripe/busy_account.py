"""An account where everything that the local Stripe can do was done, by the real SDK and at the pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import stripe

from tests.helpers.local_stripe.account import DAY, T0, Account


def be_busy(account: Account) -> None:
    """Does everything once."""
    api = account.api
    month, other, year = (
        account.price(2000, "month"),
        account.price(5000, "month"),
        account.price(20000, "year"),
    )
    pack = account.price(500, lookup_key="pack", tax_behavior="exclusive", nickname="Pack")
    _buy_packs(account, pack)
    clock = api.test_helpers.test_clocks.create({"frozen_time": T0, "name": "A year"})
    customer = account.customer(
        test_clock=clock.id, metadata={"team": "1"}, address={"country": "US", "postal_code": "94107"}
    )
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
    _list_everything(account)


def _list_everything(account: Account) -> None:
    """Lists everything, expanded as our backend asks for it."""
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
    """Buys with every test card; then some is refunded, some disputed, and some money comes later or
    never.
    """
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
            client_reference_id="purchase",
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
    """Upgrades at once, makes an upgrade that waits for its payment, and schedules a downgrade."""
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
    """A card that works only once; the invoice that is owed is then paid at its page."""
    api, at = account.api, account.api.test_helpers.test_clocks.retrieve(clock).frozen_time
    customer = account.customer(test_clock=clock)
    account.pay(account.session("subscription", customer, month), "4000000000000341")
    for days in (32, 9):
        at += days * DAY
        api.test_helpers.test_clocks.advance(clock, {"frozen_time": at})
    owed = api.invoices.list({"customer": customer, "status": "open", "expand": ["data.payments"]}).data[0]
    account.post(f"/i/{owed.id}", number="4000000000000002")
    account.post(f"/i/{owed.id}", number="4242424242424242")
