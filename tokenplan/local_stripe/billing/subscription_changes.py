"""Subscriptions changed and ended. `now` is the customer's time.

`planned_update` works a change out without keeping anything: previews show it, `update` does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenplan.local_stripe.billing import invoices, subscription_items, subscription_status
from tokenplan.local_stripe.billing.discounts import in_force, still_given
from tokenplan.local_stripe.billing.invoice_drafts import drafted, keep
from tokenplan.local_stripe.billing.invoice_lines import of_invoice_item
from tokenplan.local_stripe.billing.subscriptions import (
    ALLOW,
    DEFAULT,
    PENDING,
    WAITS,
    bill_waiting,
    pending_items,
    sweep,
    tried,
)
from tokenplan.local_stripe.objects.errors import ApiError, Missing, Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store


@dataclass(frozen=True, slots=True)
class Update:
    """A change of what is billed. `planned`: the items afterwards; `invoice`: what is billed for it at once,
    not kept yet; None where nothing is. `fields`: what the subscription has afterwards.
    """

    planned: subscription_items.Planned
    invoice: Object | None
    fields: dict[str, Any]


def planned_update(
    store: Store,
    subscription: Object,
    given: Mapping[str, Any],
    *,
    now: int,
    rows: Sequence[Object] | None = None,
    discounts: Sequence[Object] | None = None,
    auto_advance: bool = True,
) -> Update:
    """What an update of the items, or of the anchor, comes to. `rows`: the items afterwards, where they do
    not follow from what is `given`; `discounts`: those that take the place of the subscription's. Nothing is
    kept.
    """
    behavior = given.get("proration_behavior", "create_prorations")
    own = None if discounts is None else [discount["id"] for discount in discounts]
    at = given.get("proration_date", now)
    planned = subscription_items.plan_change(
        store,
        subscription,
        rows or subscription_items.changed(store, subscription, given.get("items", ()), now),
        nets=subscription_status.book(store, subscription["id"])["nets"],
        prorate=behavior != "none",
        at=at,
        now=now,
        anchor_now=given.get("billing_cycle_anchor") == subscription_items.NOW,
        discounts=own,
    )
    fields: dict[str, Any] = {
        "items": subscription_items.listed(subscription["id"], planned.items),
        "billing_cycle_anchor": planned.anchor,
    }
    if not planned.resets and not (behavior == "always_invoice" and planned.prorations):
        return Update(planned, None, fields)
    waiting = pending_items(store, subscription["id"])
    ids = subscription["discounts"] if own is None else own
    active = in_force(store, ids, now)
    invoice = drafted(
        store,
        customer=_without_waiting(store, subscription),
        lines=[
            *(of_invoice_item(store, row) for row in [*waiting, *planned.prorations]),
            *planned.lines,
        ],
        discounts=active if planned.lines else [],
        reason="subscription_update",
        now=now,
        subscription=subscription,
        auto_advance=auto_advance,
        tax=subscription["automatic_tax"]["enabled"],
        proration_at=at if planned.prorations else None,
    )
    fields["latest_invoice"] = invoice["id"]
    if planned.resets and subscription["cancel_at_period_end"]:
        fields["cancel_at"] = planned.items[0]["current_period_end"]
    if planned.resets:
        fields["discounts"] = still_given(store, ids, now)
    return Update(planned, invoice, fields)


def _without_waiting(store: Store, subscription: Object) -> Object:
    """The customer with the balance that an update in wait gives back when this one takes its place."""
    customer = store.get("customer", subscription["customer"])
    waiting = subscription_status.book(store, subscription["id"])["pending"]
    if waiting is None:
        return customer
    bill = store.get("invoice", waiting["invoice"])
    return {**customer, "balance": customer["balance"] + bill["starting_balance"] - bill["ending_balance"]}


def update(
    store: Store,
    subscription: Object,
    given: Mapping[str, Any],
    *,
    now: int,
    fields: Mapping[str, Any],
    rows: Sequence[Object] | None = None,
    discounts: Sequence[Object] | None = None,
    automatic: bool = False,
) -> Object:
    """Bills other items, or from another day on. `fields` are other fields to be set along with it.
    `automatic`: nobody asked just now; whatever payment is due fails without a refusal.
    """
    behavior = given.get("payment_behavior", ALLOW)
    if subscription["status"] == "incomplete":
        raise ApiError("You can not update the items of a subscription that is incomplete.")
    subscription = invoices.drop_waiting(store, subscription, now)
    done = planned_update(
        store,
        subscription,
        given,
        now=now,
        rows=rows,
        discounts=discounts,
        auto_advance=behavior != PENDING,
    )
    book = subscription_status.book(store, subscription["id"])
    if done.invoice is None:
        for row in done.planned.prorations:
            emit(store, "invoiceitem.created", store.save(row), now)
        store.save({**book, "nets": done.planned.nets})
        return subscription_status.change(store, subscription, now, **{**fields, **done.fields})
    kept = {"nets": done.planned.nets, "fields": done.fields}
    if behavior == PENDING:
        store.save({**book, "pending": {**kept, "invoice": done.invoice["id"]}})
    else:
        store.save({**book, "nets": done.planned.nets})
        subscription = subscription_status.change(store, subscription, now, **{**fields, **done.fields})
    invoice = _kept(store, subscription, done.invoice, done.planned.prorations, now)
    invoice = invoices.finalize(store, invoice, now)
    if invoice["status"] == "open" and behavior != DEFAULT:
        invoice = tried(
            store,
            invoice,
            now,
            behavior=behavior,
            off_session=given.get("off_session", automatic),
            automatic=automatic,
        )
    elif invoice["status"] == "open":
        subscription_status.failed(store, invoice, now)
    subscription = store.get("subscription", subscription["id"])
    waits = subscription_status.book(store, subscription["id"])["pending"] is not None
    return _waiting(store, subscription, done, now) if waits else subscription


def cancel(
    store: Store, subscription: Object, *, invoice_now: bool, prorate: bool, details: Object, now: int
) -> Object:
    """Ends it now. `prorate`: what is left of the period is credited; `invoice_now`: that, and whatever
    waits, is billed.
    """
    if subscription["status"] in subscription_status.OVER:
        raise Missing("subscription", subscription["id"])
    subscription = invoices.drop_waiting(store, subscription, now)
    id = subscription["id"]
    if prorate:
        book = subscription_status.book(store, id)
        for row in subscription_items.unused(store, subscription, book["nets"], now):
            emit(store, "invoiceitem.created", store.save(row), now)
    if invoice_now:
        subscription = bill_waiting(store, subscription, "subscription_update", now)
    given = {**subscription["cancellation_details"], **details}
    subscription = {**subscription, "cancellation_details": given, "canceled_at": now}
    return subscription_status.end(store, subscription, now, reason="cancellation_requested")


def _kept(
    store: Store, subscription: Object, invoice: Object, prorations: Sequence[Object], now: int
) -> Object:
    """The invoice is kept; whatever waited for one is on it."""
    for row in prorations:
        emit(store, "invoiceitem.created", store.save(row), now)
    sweep(store, pending_items(store, subscription["id"]), invoice["id"])
    return keep(store, invoice, now)


def _waiting(store: Store, subscription: Object, done: Update, now: int) -> Object:
    """The subscription shows what waits, until when."""
    _, end = subscription_items.period_of(subscription)
    shown: Object = {
        "billing_cycle_anchor": done.planned.anchor if done.planned.resets else None,
        "expires_at": min(now + WAITS, end),
        "subscription_items": done.planned.items,
        "trial_end": None,
        "trial_from_plan": None,
    }
    return subscription_status.change(
        store, subscription, now, pending_update=shown, latest_invoice=done.fields["latest_invoice"]
    )
