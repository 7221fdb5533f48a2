"""What Stripe does by itself as time passes: renewals, drafts, retries, and the end of what was not paid
in time.

A renewal makes a draft for the period that begins; an hour later it is finalized and collected. What is
not paid is tried again 3, 5 and 7 days after the attempt before; what becomes of the subscription then is
the account's setting (`subscription_status.set_after_retries`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tokenplan.local_stripe.billing import invoices, subscription_status
from tokenplan.local_stripe.billing.discounts import in_force, still_given
from tokenplan.local_stripe.billing.invoice_drafts import SENT, InvoiceTerms, draft_invoice, save_draft
from tokenplan.local_stripe.billing.invoice_lines import invoice_item_line
from tokenplan.local_stripe.billing.prorations import full_period_lines
from tokenplan.local_stripe.billing.subscription_items import item_list, period_of, renewed_items
from tokenplan.local_stripe.billing.subscriptions import (
    PAYMENT_WINDOW,
    bill_waiting_items,
    put_on_invoice,
    waiting_items,
)
from tokenplan.local_stripe.billing.taxes import UnknownLocation
from tokenplan.local_stripe.objects.clocks import Task
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store

# What falls due at one moment is done in this order: what waited too long, phases of schedules, ends of
# periods, drafts and retries.
EXPIRIES, SCHEDULES, PERIODS, COLLECTING = 1, 2, 3, 4


def subscriptions_due(store: Store) -> Iterator[Task]:
    """Due work: periods that end, first payments and pending updates that were not paid in time."""
    for status in ("active", "past_due", "unpaid", "incomplete"):
        for row in store.all("subscription", status=status):
            customer, id = row["customer"], row["id"]
            if status == "incomplete":
                yield Task(row["created"] + PAYMENT_WINDOW, EXPIRIES, customer, partial(_expire, store, id))
                continue
            if row["pending_update"]:
                late = row["pending_update"]["expires_at"]
                yield Task(late, EXPIRIES, customer, partial(_drop, store, id))
            _, end = period_of(row)
            if row["cancel_at"] is not None and row["cancel_at"] <= end:
                yield Task(row["cancel_at"], PERIODS, customer, partial(_end, store, id))
            else:
                yield Task(end, PERIODS, customer, partial(renew, store, id))


def invoices_due(store: Store) -> Iterator[Task]:
    """Due work: drafts to finalize and open invoices to collect again."""
    for status, moment, do in (
        ("draft", "automatically_finalizes_at", _collect),
        ("open", "next_payment_attempt", _retry),
    ):
        for row in store.all("invoice", status=status):
            if row[moment] is not None:
                yield Task(row[moment], COLLECTING, row["customer"], partial(do, store, row["id"]))


def overdue_invoices_due(store: Store) -> Iterator[Task]:
    """Due work: invoices that were sent and not paid in time make their subscription overdue."""
    for row in store.all("subscription", status="active", collection_method=SENT):
        latest = subscription_status.latest_invoice(store, row)
        if latest and latest["status"] == "open" and latest["due_date"] is not None:
            yield Task(latest["due_date"], EXPIRIES, row["customer"], partial(_overdue, store, row["id"]))


def next_invoice(store: Store, subscription: Object, items: list[Object], anchor: int) -> Object:
    """The invoice of the period after the current one, for these items; not stored."""
    start, end = period_of(subscription)
    discounts = in_force(store, subscription["discounts"], end)
    fresh = renewed_items(items, anchor, end)
    waiting = [invoice_item_line(store, row) for row in waiting_items(store, subscription["id"])]
    collects = subscription["status"] != "unpaid"
    return draft_invoice(
        store,
        InvoiceTerms(
            customer=store.get("customer", subscription["customer"]),
            lines=[*waiting, *full_period_lines(store, fresh, discounts)[0]],
            discounts=discounts,
            reason="subscription_cycle",
            now=end,
            period=(start, end),
            subscription=subscription,
            auto_advance=collects,
            finalizes_at=end + invoices.DRAFT_LASTS if collects else None,
            tax=subscription["automatic_tax"]["enabled"],
        ),
    )


def renew(store: Store, id: str, now: int) -> None:
    """Begins the subscription's next period, with a draft that bills it."""
    subscription = store.get("subscription", id)
    rows, anchor = subscription["items"]["data"], subscription["billing_cycle_anchor"]
    invoice = next_invoice(store, subscription, rows, anchor)
    fresh = renewed_items(rows, anchor, now)
    nets = full_period_lines(store, fresh, in_force(store, invoice["discounts"], now))[1]
    store.save({**subscription_status.billing_state(store, id), "nets": nets})
    put_on_invoice(store, waiting_items(store, id), invoice["id"])
    save_draft(store, invoice, now)
    subscription_status.change(
        store,
        subscription,
        now,
        items=item_list(id, fresh),
        latest_invoice=invoice["id"],
        discounts=still_given(store, subscription["discounts"], now),
    )


def _collect(store: Store, id: str, now: int) -> None:
    try:
        invoice = invoices.finalize(store, store.get("invoice", id), now)
    except UnknownLocation:
        return
    if invoice["status"] == "open" and invoice["collection_method"] == SENT:
        emit(store, "invoice.sent", invoice, now)
    elif invoice["status"] == "open":
        _retry(store, id, now)


def _retry(store: Store, id: str, now: int) -> None:
    invoices.pay(store, store.get("invoice", id), now=now, off_session=True, automatic=True)


def _overdue(store: Store, id: str, now: int) -> None:
    subscription_status.overdue(store, store.get("subscription", id), now)


def _end(store: Store, id: str, now: int) -> None:
    subscription = invoices.drop_pending_update(store, store.get("subscription", id), now)
    subscription = bill_waiting_items(store, subscription, "subscription_cycle", now)
    subscription_status.end(store, subscription, now, reason="cancellation_requested")


def _expire(store: Store, id: str, now: int) -> None:
    """Voids the first invoice, with which the subscription expires."""
    first = store.get("subscription", id)["latest_invoice"]
    invoices.void(store, store.get("invoice", first), now)


def _drop(store: Store, id: str, now: int) -> None:
    invoices.drop_pending_update(store, store.get("subscription", id), now)
