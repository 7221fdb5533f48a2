"""A subscription follows its invoices: first paid, overdue, recovered, given up, and an update that waited
for its payment.

`book` keeps beside a subscription what Stripe does not show: what each item was last billed, after discounts,
for a whole period (that is what credits are counted from, as in Stripe's flexible billing mode), and all of a
pending update.
"""

from __future__ import annotations

from typing import Any

from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit, emit_updated
from tokenplan.local_stripe.objects.store import Store

# What becomes of a subscription when the last retry has failed: the account's own setting at Stripe.
CANCEL, UNPAID, PAST_DUE = "cancel", "unpaid", "past_due"
OVER = ("canceled", "incomplete_expired")


def after_retries(store: Store) -> str:
    """Unpaid unless set otherwise: nothing more is collected, and paying brings the subscription back."""
    found = store.find("local.setting", "billing")
    return str(found["after_retries"]) if found else UNPAID


def set_after_retries(store: Store, outcome: str) -> None:
    """One of CANCEL, UNPAID, PAST_DUE. Stripe has it in the Dashboard, not in the API."""
    if outcome not in (CANCEL, UNPAID, PAST_DUE):
        raise ApiError(f"Not something that may become of a subscription: {outcome}")
    store.save({"object": "local.setting", "id": "billing", "after_retries": outcome})


def book(store: Store, subscription: str) -> Object:
    empty: Object = {"object": "local.book", "id": subscription, "nets": {}, "pending": None}
    return store.find("local.book", subscription) or empty


def change(store: Store, subscription: Object, now: int, **fields: Any) -> Object:
    """Keeps it with these fields, and tells what was before; without a difference, nothing happens."""
    before = {name: subscription[name] for name, value in fields.items() if subscription[name] != value}
    if not before:
        return subscription
    subscription = store.save({**subscription, **fields})
    emit(store, "customer.subscription.updated", subscription, now, before)
    return subscription


def subscription_of(store: Store, invoice: Object) -> Object | None:
    parent = invoice["parent"]
    return store.get("subscription", parent["subscription_details"]["subscription"]) if parent else None


def is_pending(store: Store, invoice: Object) -> bool:
    """An update of its subscription waits until this invoice is paid."""
    subscription = subscription_of(store, invoice)
    waiting = book(store, subscription["id"])["pending"] if subscription else None
    return waiting is not None and waiting["invoice"] == invoice["id"]


def paid(store: Store, invoice: Object, now: int) -> None:
    subscription = subscription_of(store, invoice)
    if subscription is None or subscription["status"] in OVER:
        return
    if is_pending(store, invoice):
        apply_pending(store, subscription, now)
    elif subscription["status"] == "incomplete":
        change(store, subscription, now, status="active")
    else:
        recover(store, subscription, now)


def processing(store: Store, invoice: Object, now: int) -> None:
    """Money that is on its way is believed, as Stripe does with bank debits."""
    subscription = subscription_of(store, invoice)
    if subscription is None or subscription["status"] in OVER:
        return
    if is_pending(store, invoice):
        apply_pending(store, subscription, now)
    elif subscription["status"] == "incomplete":
        change(store, subscription, now, status="active")


def failed(store: Store, invoice: Object, now: int) -> None:
    subscription = subscription_of(store, invoice)
    if subscription is None or is_pending(store, invoice):
        return
    if subscription["status"] == "active":
        change(store, subscription, now, status="past_due")
    _set_delinquent(store, invoice["customer"], now)


def exhausted(store: Store, invoice: Object, now: int) -> None:
    """The last retry failed."""
    subscription = subscription_of(store, invoice)
    if subscription is None or subscription["status"] != "past_due":
        return
    outcome = after_retries(store)
    if outcome == CANCEL:
        end(store, subscription, now, reason="payment_failed")
    else:
        change(store, subscription, now, status=outcome)


def voided(store: Store, invoice: Object, now: int) -> None:
    subscription = subscription_of(store, invoice)
    if subscription is None or subscription["status"] in OVER:
        return
    if is_pending(store, invoice):
        drop_pending(store, subscription, now)
    elif subscription["status"] == "incomplete" and invoice["billing_reason"] == "subscription_create":
        expire(store, subscription, now)
    else:
        recover(store, subscription, now)


def recover(store: Store, subscription: Object, now: int) -> None:
    """It is overdue as long as the latest invoice that counts is open after an attempt."""
    counted = [
        invoice
        for invoice in store.all("invoice", parent__subscription_details__subscription=subscription["id"])
        if invoice["status"] in ("open", "paid") and not is_pending(store, invoice)
    ]
    owes = bool(counted) and counted[0]["status"] == "open" and counted[0]["attempted"]
    if not owes and subscription["status"] in ("past_due", "unpaid"):
        change(store, subscription, now, status="active")
    _set_delinquent(store, subscription["customer"], now)


def apply_pending(store: Store, subscription: Object, now: int) -> None:
    """Also where it was paid at once, and never had to wait."""
    kept = book(store, subscription["id"])
    store.save({**kept, "nets": kept["pending"]["nets"], "pending": None})
    waited = subscription["pending_update"] is not None
    fields = {**kept["pending"]["fields"], "pending_update": None}
    subscription = change(store, subscription, now, **fields)
    if waited:
        emit(store, "customer.subscription.pending_update_applied", subscription, now)


def drop_pending(store: Store, subscription: Object, now: int) -> None:
    store.save({**book(store, subscription["id"]), "pending": None})
    subscription = change(store, subscription, now, pending_update=None)
    emit(store, "customer.subscription.pending_update_expired", subscription, now)


def expire(store: Store, subscription: Object, now: int) -> None:
    """It was never paid for."""
    fields = {"status": "incomplete_expired", "ended_at": now}
    subscription = change(store, subscription, now, **fields)
    _leave(store, subscription, now)


def end(store: Store, subscription: Object, now: int, *, reason: str) -> Object:
    """Now. What is open stays open; it is not collected any more."""
    _leave(store, subscription, now)
    details = {**subscription["cancellation_details"], "reason": reason}
    subscription = store.save(
        {
            **subscription,
            "status": "canceled",
            "canceled_at": subscription["canceled_at"] or now,
            "cancellation_details": details,
            "ended_at": now,
            "pending_update": None,
            "schedule": None,
        }
    )
    emit(store, "customer.subscription.deleted", subscription, now)
    return subscription


def _leave(store: Store, subscription: Object, now: int) -> None:
    """What an ended subscription leaves behind goes on no more."""
    for invoice in store.all("invoice", parent__subscription_details__subscription=subscription["id"]):
        if invoice["status"] in ("draft", "open"):
            still = {"auto_advance": False, "next_payment_attempt": None, "automatically_finalizes_at": None}
            store.save({**invoice, **still})
    schedule = store.find("subscription_schedule", subscription["schedule"] or "")
    if schedule and schedule["status"] in ("active", "not_started"):
        schedule |= {"status": "canceled", "canceled_at": now, "current_phase": None}
        emit(store, "subscription_schedule.canceled", store.save(schedule), now)


def _set_delinquent(store: Store, customer: str, now: int) -> None:
    owner = store.get("customer", customer)
    owes = any(invoice["attempted"] for invoice in store.all("invoice", customer=customer, status="open"))
    emit_updated(store, "customer.updated", owner, {**owner, "delinquent": owes}, now)
