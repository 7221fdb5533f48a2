"""Payments made at the hosted pages, and what follows from a payment: its invoice, the subscription that
bills, and its Checkout Session.

`now` is the account's time, `moment` the customer's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tokenplan.local_stripe.billing import invoice_payments, invoices, subscriptions
from tokenplan.local_stripe.billing.discounts import begin, redeem_all
from tokenplan.local_stripe.hosted import checkout_orders, checkout_sessions
from tokenplan.local_stripe.objects.clocks import Task, now_of
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.objects.events import emit, emit_updated
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments import payment_intents
from tokenplan.local_stripe.payments.cards import MESSAGES, SampleCard
from tokenplan.local_stripe.payments.payment_methods import attach, new_method, usable


def pay_session(store: Store, session: Object, payment_method_id: str, now: int) -> Object:
    """The customer pays with this method. Returns the session: complete, or still open, because the card
    was declined or its holder must authenticate (see `last_attempt`). No subscription and no invoice is
    made before it is paid.
    """
    moment = now_of(store, session["customer"], now)
    method = usable(store, payment_method_id, customer_id=session["customer"], now=moment)
    checkout_sessions.abandon(store, session, now)
    order = checkout_orders.order_of(store, session)
    order = {**order, "given": checkout_orders.discounts_of(store, session, order, moment)}
    due, data = _due(store, session, order, moment), order["payment_intent_data"]
    subscribes = session["mode"] == "subscription"
    if not due:
        if subscribes:
            attach(store, method, session["customer"], moment)
        return _complete(store, session, order, None, method["id"], now)
    intent = payment_intents.new_intent(
        store,
        customer_id=session["customer"],
        amount=due,
        metadata=data.get("metadata", {}),
        description="Subscription creation" if subscribes else data.get("description", ""),
        setup_future_usage="off_session" if subscribes else data.get("setup_future_usage"),
        currency=session["currency"],
        now=moment,
    )
    order = store.save({**order, "intent": intent["id"]})
    intent = payment_intents.confirm(store, intent, method["id"], off_session=False, now=moment)
    return _follow(store, session, order, intent, now)


def _due(store: Store, session: Object, order: Object, moment: int) -> int:
    if session["mode"] == "payment":
        return int(session["amount_total"])
    invoice = subscriptions.preview_first_invoice(
        store,
        customer_id=session["customer"],
        items=order["rows"],
        discounts=order["given"],
        tax=order["tax"],
        now=moment,
    )
    return int(invoice["amount_due"])


def last_attempt(store: Store, session: Object) -> Object | None:
    """The payment intent of the latest attempt to pay the session; None before the first one."""
    intent = checkout_orders.order_of(store, session)["intent"]
    return store.get("payment_intent", intent) if intent else None


def authenticate(store: Store, intent: Object, *, ok: bool, now: int) -> Object:
    """The card's holder has answered the bank: `ok`, or not. Returns the intent."""
    moment = now_of(store, intent["customer"], now)
    return payment_changed(store, payment_intents.authenticate(store, intent, ok=ok, now=moment), now)


def settle(store: Store, intent: Object, *, ok: bool, now: int) -> Object:
    """A delayed payment has come (`ok`), or will not. Returns the intent."""
    moment = now_of(store, intent["customer"], now)
    return payment_changed(store, payment_intents.settle_processing(store, intent, ok=ok, now=moment), now)


def payment_changed(store: Store, intent: Object, now: int) -> Object:
    """Makes the checkout or the invoice of a payment follow it. Returns the intent."""
    for order in store.all("local.order", intent=intent["id"]):
        _follow(store, store.get("checkout.session", order["id"]), order, intent, now)
        return intent
    moment = now_of(store, intent["customer"], now)
    invoice = invoices.intent_changed(store, intent, moment)
    if invoice:
        _charge_to_what_paid(store, invoice, moment)
    return intent


def _follow(store: Store, session: Object, order: Object, intent: Object, now: int) -> Object:
    """Makes a session follow the payment that was made for it. Returns the session."""
    invoices.intent_changed(store, intent, now_of(store, intent["customer"], now))
    if session["status"] == "open":
        if intent["status"] in ("succeeded", "processing"):
            return _complete(store, session, order, intent, intent["payment_method"], now)
        return session
    if session["payment_status"] == "unpaid" and intent["status"] != "processing":
        kind = "async_payment_failed"
        if intent["status"] == "succeeded":
            session, kind = {**session, "payment_status": "paid"}, "async_payment_succeeded"
            session = store.save(_with_invoice(store, session, order, intent, now))
        emit(store, f"checkout.session.{kind}", session, now)
    return session


def _complete(
    store: Store, session: Object, order: Object, intent: Object | None, method_id: str, now: int
) -> Object:
    """Completes the session: the money has come, is on its way, or none was due (no `intent`)."""
    moment = now_of(store, session["customer"], now)
    customer = store.get("customer", session["customer"])
    discounts = order["given"]
    redeem_all(store, discounts, moment)
    begin(store, discounts)
    unpaid = "no_payment_required" if intent is None else "unpaid"
    session = {
        **session,
        "status": "complete",
        "url": None,
        "payment_status": "paid" if intent and intent["status"] == "succeeded" else unpaid,
        "customer_details": {
            **session["customer_details"],
            "email": customer["email"],
            "name": customer["name"],
            "address": customer["address"],
        },
    }
    if session["mode"] == "subscription":
        subscription = subscriptions.create(
            store,
            subscriptions.NewSubscription(
                customer_id=customer["id"],
                items=[{"price": row["price"], "quantity": row["quantity"]} for row in order["rows"]],
                metadata=order["subscription_data"].get("metadata", {}),
                description=order["subscription_data"].get("description"),
                payment_method_id=method_id,
                discounts=discounts,
                intent=intent,
                tax=session["automatic_tax"]["enabled"],
            ),
            moment,
        )
        session |= {"subscription": subscription["id"], "invoice": subscription["latest_invoice"]}
    else:
        session["payment_intent"] = intent["id"] if intent else None
        session = _with_invoice(store, session, order, intent, now)
    emit(store, "checkout.session.completed", store.save(session), now)
    return session


def _with_invoice(store: Store, session: Object, order: Object, intent: Object | None, now: int) -> Object:
    """The session with its invoice, if it is to have one. There is none before the money has come."""
    wanted = session["mode"] == "payment" and session["invoice_creation"]["enabled"]
    if not wanted or session["payment_status"] == "unpaid":
        return session
    receipt = invoices.CheckoutReceipt(
        customer_id=session["customer"],
        prices=[(store.get("price", row["price"]), row["quantity"]) for row in order["rows"]],
        discounts=store.all("discount", checkout_session=session["id"]),
        metadata=session["invoice_creation"]["invoice_data"]["metadata"],
        intent=intent,
        tax=order["tax"],
    )
    invoice = invoices.invoice_checkout(store, receipt, now_of(store, session["customer"], now))
    return {**session, "invoice": invoice["id"]}


def pay_invoice(store: Store, invoice: Object, payment_method_id: str, now: int) -> Object:
    """The customer pays an open invoice at its page. Returns the invoice. The subscription that it bills
    is charged to the same payment method from then on.
    """
    moment = now_of(store, invoice["customer"], now)
    if invoice["parent"]:
        intent = invoice_payments.payment_of(store, invoice)["payment"]["payment_intent"]
        store.save({**store.get("payment_intent", intent), "setup_future_usage": "off_session"})
    invoice = invoices.pay(store, invoice, payment_method_id=payment_method_id, now=moment)
    _charge_to_what_paid(store, invoice, moment)
    return invoice


def use_card(store: Store, customer_id: str, card: SampleCard | str, now: int) -> str:
    """Makes a card the customer's default: a new one, or the id of an attached payment method. A
    subscription with a payment method of its own goes on using that, as Stripe documents. Returns why it was
    refused; empty where it was not.
    """
    moment = now_of(store, customer_id, now)
    if isinstance(card, SampleCard):
        if card.decline:
            return MESSAGES[card.decline]
        method = new_method(store, card, now=moment)
        attach(store, method, customer_id, moment)
        payment_intents.set_up(store, method)
    else:
        method = usable(store, card, customer_id=customer_id, now=moment)
    customer = store.get("customer", customer_id)
    settings = {**customer["invoice_settings"], "default_payment_method": method["id"]}
    emit_updated(store, "customer.updated", customer, {**customer, "invoice_settings": settings}, moment)
    return ""


def _charge_to(store: Store, id: str, method_id: str, now: int) -> None:
    before = store.get("subscription", id)
    after = {**before, "default_payment_method": method_id}
    emit_updated(store, "customer.subscription.updated", before, after, now)


def _charge_to_what_paid(store: Store, invoice: Object, now: int) -> None:
    """A subscription is charged to the payment method that paid its invoice at a page."""
    if invoice["parent"] and invoice["status"] == "paid":
        link = invoice_payments.payment_of(store, invoice)
        intent = store.get("payment_intent", link["payment"]["payment_intent"])
        if intent["setup_future_usage"]:
            subscription = invoice["parent"]["subscription_details"]["subscription"]
            _charge_to(store, subscription, intent["payment_method"], now)


def settlements_due(store: Store) -> Iterator[Task]:
    """Due work: delayed payments that come, or fail to come."""
    for intent, at, ok in payment_intents.settlements(store):
        yield Task(at, 1, intent["customer"], partial(_settle, store, intent["id"], ok))


def _settle(store: Store, intent: str, ok: bool, now: int) -> None:
    settle(store, store.get("payment_intent", intent), ok=ok, now=now)
