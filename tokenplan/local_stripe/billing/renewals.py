"""What becomes due by itself: renewals, drafts, retries, and what nobody paid for in time.

A renewal makes a draft for the period that begins; an hour later it is finalized and collected. What is not
paid is tried again 3, 5 and 7 days after the attempt before; what becomes of the subscription then is the
account's setting (`standing.set_after_retries`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tokenplan.local_stripe.billing import invoices, subscription_items, subscription_status
from tokenplan.local_stripe.billing.discounts import in_force, still_given
from tokenplan.local_stripe.billing.invoice_drafts import drafted, keep
from tokenplan.local_stripe.billing.invoice_lines import of_invoice_item
from tokenplan.local_stripe.billing.subscriptions import (
    WAITS,
    bill_waiting,
    pending_items,
    sweep,
)
from tokenplan.local_stripe.objects.clocks import Task
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.objects.store import Store

# Of one moment: what waited too long, then (schedules: 2) the period's end, then drafts and retries.
EXPIRIES, SCHEDULES, PERIODS, COLLECTING = 1, 2, 3, 4


def subscriptions_due(store: Store) -> Iterator[Task]:
    for status in ("active", "past_due", "unpaid", "incomplete"):
        for row in store.all("subscription", status=status):
            customer, id = row["customer"], row["id"]
            if status == "incomplete":
                yield Task(row["created"] + WAITS, EXPIRIES, customer, partial(_expire, store, id))
                continue
            if row["pending_update"]:
                late = row["pending_update"]["expires_at"]
                yield Task(late, EXPIRIES, customer, partial(_drop, store, id))
            _, end = subscription_items.period_of(row)
            if row["cancel_at"] is not None and row["cancel_at"] <= end:
                yield Task(row["cancel_at"], PERIODS, customer, partial(_end, store, id))
            else:
                yield Task(end, PERIODS, customer, partial(renew, store, id))


def invoices_due(store: Store) -> Iterator[Task]:
    for status, moment, do in (
        ("draft", "automatically_finalizes_at", _collect),
        ("open", "next_payment_attempt", _retry),
    ):
        for row in store.all("invoice", status=status):
            if row[moment] is not None:
                yield Task(row[moment], COLLECTING, row["customer"], partial(do, store, row["id"]))


def next_invoice(store: Store, subscription: Object, rows: list[Object], anchor: int) -> Object:
    """The invoice of the period after this one, for these items; not kept."""
    start, end = subscription_items.period_of(subscription)
    discounts = in_force(store, subscription["discounts"], end)
    fresh = subscription_items.renewed(rows, anchor, end)
    waiting = [of_invoice_item(store, row) for row in pending_items(store, subscription["id"])]
    collects = subscription["status"] != "unpaid"
    return drafted(
        store,
        customer=store.get("customer", subscription["customer"]),
        lines=[*waiting, *subscription_items.full_lines(store, fresh, discounts)[0]],
        discounts=discounts,
        reason="subscription_cycle",
        now=end,
        period=(start, end),
        subscription=subscription,
        auto_advance=collects,
        finalizes_at=end + invoices.DRAFT_LASTS if collects else None,
        tax=subscription["automatic_tax"]["enabled"],
    )


def renew(store: Store, id: str, now: int) -> None:
    subscription = store.get("subscription", id)
    rows, anchor = subscription["items"]["data"], subscription["billing_cycle_anchor"]
    invoice = next_invoice(store, subscription, rows, anchor)
    fresh = subscription_items.renewed(rows, anchor, now)
    nets = subscription_items.full_lines(store, fresh, in_force(store, invoice["discounts"], now))[1]
    store.save({**subscription_status.book(store, id), "nets": nets})
    sweep(store, pending_items(store, id), invoice["id"])
    keep(store, invoice, now)
    subscription_status.change(
        store,
        subscription,
        now,
        items=subscription_items.listed(id, fresh),
        latest_invoice=invoice["id"],
        discounts=still_given(store, subscription["discounts"], now),
    )


def _collect(store: Store, id: str, now: int) -> None:
    invoice = invoices.finalize(store, store.get("invoice", id), now)
    if invoice["status"] == "open":
        _retry(store, id, now)


def _retry(store: Store, id: str, now: int) -> None:
    invoices.pay(store, store.get("invoice", id), now=now, off_session=True, automatic=True)


def _end(store: Store, id: str, now: int) -> None:
    subscription = invoices.drop_waiting(store, store.get("subscription", id), now)
    subscription = bill_waiting(store, subscription, "subscription_cycle", now)
    subscription_status.end(store, subscription, now, reason="cancellation_requested")


def _expire(store: Store, id: str, now: int) -> None:
    """The first invoice is void; with that, the subscription never began."""
    first = store.get("subscription", id)["latest_invoice"]
    invoices.void(store, store.get("invoice", first), now)


def _drop(store: Store, id: str, now: int) -> None:
    invoices.drop_waiting(store, store.get("subscription", id), now)
