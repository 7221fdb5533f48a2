"""The status of a subscription, which follows its invoices: active once paid, overdue, recovered, ended; and
the pending update that its payment carries out.

`billing_state` is stored beside a subscription and has what Stripe does not show: what each item was last
billed for a whole period, after discounts (`nets`; credits are counted from that, as in Stripe's flexible
billing mode), and all of a pending update.
"""

from __future__ import annotations

from typing import Any

from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit, emit_updated
from tokenplan.local_stripe.objects.store import Store

# What a subscription becomes when the last retry has failed: a setting of the account at Stripe.
CANCEL, UNPAID, PAST_DUE = "cancel", "unpaid", "past_due"
OVER = ("canceled", "incomplete_expired")


def after_retries(store: Store) -> str:
    """The account's setting; UNPAID unless set otherwise. An unpaid subscription is billed, but nothing is
    collected until its latest invoice is paid.
    """
    found = store.find("local.setting", "billing")
    return str(found["after_retries"]) if found else UNPAID


def set_after_retries(store: Store, status: str) -> None:
    """Sets it to CANCEL, UNPAID or PAST_DUE. At Stripe this is done in the Dashboard, not by the API."""
    if status not in (CANCEL, UNPAID, PAST_DUE):
        raise ApiError(f"Invalid status after the last retry: {status}")
    store.save({"object": "local.setting", "id": "billing", "after_retries": status})


def billing_state(store: Store, subscription_id: str) -> Object:
    empty: Object = {"object": "local.billing_state", "id": subscription_id, "nets": {}, "pending": None}
    return store.find("local.billing_state", subscription_id) or empty


def change(store: Store, subscription: Object, now: int, **fields: Any) -> Object:
    """Stores it with these fields, and emits an event that has their previous values. Returns it. Does
    nothing where nothing differs.
    """
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
    """Whether a pending update of its subscription waits for this invoice to be paid."""
    subscription = subscription_of(store, invoice)
    pending = billing_state(store, subscription["id"])["pending"] if subscription else None
    return pending is not None and pending["invoice"] == invoice["id"]


def paid(store: Store, invoice: Object, now: int) -> None:
    """Called when an invoice was paid."""
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
    """Called when a delayed payment began: a subscription begins with it, as at Stripe with bank debits. No
    pending update is paid so.
    """
    subscription = subscription_of(store, invoice)
    if subscription is not None and subscription["status"] == "incomplete":
        change(store, subscription, now, status="active")


def failed(store: Store, invoice: Object, now: int) -> None:
    """Called when an invoice could not be paid."""
    subscription = subscription_of(store, invoice)
    if subscription is None or is_pending(store, invoice):
        return
    if subscription["status"] == "active":
        change(store, subscription, now, status="past_due")
    _set_delinquent(store, invoice["customer"], now)


def exhausted(store: Store, invoice: Object, now: int) -> None:
    """Called when the last retry of an invoice failed."""
    subscription = subscription_of(store, invoice)
    if subscription is None or subscription["status"] != "past_due":
        return
    status = after_retries(store)
    if status == CANCEL:
        end(store, subscription, now, reason="payment_failed")
    else:
        change(store, subscription, now, status=status)


def voided(store: Store, invoice: Object, now: int) -> None:
    """Called when an invoice was voided."""
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
    """Makes it active again unless its latest invoice is still owed. The latest one of a subscription that
    is unpaid may be a draft, and is then to be finalized and paid first.
    """
    latest = latest_invoice(store, subscription, drafts=subscription["status"] == "unpaid")
    owes = latest is not None and (latest["status"] == "draft" or is_owed(latest, now))
    if not owes and subscription["status"] in ("past_due", "unpaid"):
        change(store, subscription, now, status="active")
    _set_delinquent(store, subscription["customer"], now)


def latest_invoice(store: Store, subscription: Object, *, drafts: bool = False) -> Object | None:
    """Its latest invoice that counts: not void, not that of a pending update, and a draft only with
    `drafts`.
    """
    skipped = ("void",) if drafts else ("void", "draft")
    found = store.all("invoice", parent__subscription_details__subscription=subscription["id"])
    return next((row for row in found if row["status"] not in skipped and not is_pending(store, row)), None)


def is_owed(invoice: Object, now: int) -> bool:
    """Whether it should have been paid by now: somebody tried, or the day is past by which a customer was to
    pay it.
    """
    late = invoice["due_date"] is not None and invoice["due_date"] <= now
    return bool(invoice["status"] == "open" and (invoice["attempted"] or late))


def overdue(store: Store, subscription: Object, now: int) -> None:
    """Called when the day is past by which a customer was to pay the latest invoice."""
    change(store, subscription, now, status="past_due")
    _set_delinquent(store, subscription["customer"], now)


def written_off(store: Store, invoice: Object, now: int) -> None:
    """Called when an invoice was marked uncollectible."""
    subscription = subscription_of(store, invoice)
    if subscription is None or subscription["status"] in OVER:
        _set_delinquent(store, invoice["customer"], now)
    elif is_pending(store, invoice):
        drop_pending(store, subscription, now)
    else:
        recover(store, subscription, now)


def apply_pending(store: Store, subscription: Object, now: int) -> None:
    """Carries out the pending update, also one that was paid at once and so was never shown as pending."""
    kept = billing_state(store, subscription["id"])
    store.save({**kept, "nets": kept["pending"]["nets"], "pending": None})
    waited = subscription["pending_update"] is not None
    fields = {**kept["pending"]["fields"], "pending_update": None}
    subscription = change(store, subscription, now, **fields)
    if waited:
        emit(store, "customer.subscription.pending_update_applied", subscription, now)


def drop_pending(store: Store, subscription: Object, now: int) -> None:
    store.save({**billing_state(store, subscription["id"]), "pending": None})
    subscription = change(store, subscription, now, pending_update=None)
    emit(store, "customer.subscription.pending_update_expired", subscription, now)


def expire(store: Store, subscription: Object, now: int) -> None:
    """Ends one whose first invoice was never paid."""
    fields = {"status": "incomplete_expired", "ended_at": now}
    subscription = change(store, subscription, now, **fields)
    _stop_billing(store, subscription, now)


def end(store: Store, subscription: Object, now: int, *, reason: str) -> Object:
    """Cancels it now. Its open invoices stay open, but nothing is collected for them."""
    _stop_billing(store, subscription, now)
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


def _stop_billing(store: Store, subscription: Object, now: int) -> None:
    """No open invoice of an ended subscription is collected, and its schedule ends."""
    for invoice in store.all("invoice", parent__subscription_details__subscription=subscription["id"]):
        if invoice["status"] in ("draft", "open"):
            off = {"auto_advance": False, "next_payment_attempt": None, "automatically_finalizes_at": None}
            store.save({**invoice, **off})
    schedule = store.find("subscription_schedule", subscription["schedule"] or "")
    if schedule and schedule["status"] in ("active", "not_started"):
        schedule |= {"status": "canceled", "canceled_at": now, "current_phase": None}
        emit(store, "subscription_schedule.canceled", store.save(schedule), now)


def _set_delinquent(store: Store, customer_id: str, now: int) -> None:
    customer = store.get("customer", customer_id)
    owes = any(is_owed(invoice, now) for invoice in store.all("invoice", customer=customer_id, status="open"))
    emit_updated(store, "customer.updated", customer, {**customer, "delinquent": owes}, now)
