"""Subscriptions changed and ended. `now` is the customer's time.

`plan_update` works a change out without storing anything: a preview shows it, `update` carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tokenplan.local_stripe.billing import invoice_payments, invoices, subscription_status
from tokenplan.local_stripe.billing.discounts import in_force, still_given
from tokenplan.local_stripe.billing.invoice_drafts import SENT, InvoiceTerms, draft_invoice, save_draft
from tokenplan.local_stripe.billing.invoice_lines import invoice_item_line
from tokenplan.local_stripe.billing.prorations import ItemChange, PlannedItems, plan_change, unused_time
from tokenplan.local_stripe.billing.subscription_items import NOW, changed_items, item_list, period_of
from tokenplan.local_stripe.billing.subscriptions import (
    ALLOW,
    DEFAULT,
    PAYMENT_WINDOW,
    PENDING,
    bill_waiting_items,
    collect,
    put_on_invoice,
    waiting_items,
)
from tokenplan.local_stripe.billing.taxes import refuse_unknown_location
from tokenplan.local_stripe.objects.errors import ApiError, Missing, Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments import payment_methods


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionUpdate:
    """A change of what a subscription bills. `params` are those of the call: `items`, `proration_behavior`,
    `payment_behavior` and so on.

    `items`: the items afterwards, where they do not follow from the call's. `discounts`: those that take the
    place of the subscription's. `added`: invoice items that it charges once. `fields`: other fields to set
    along with it. `automatic`: nobody asks for it now, so a payment that fails is no refusal.
    """

    params: Mapping[str, Any]
    items: Sequence[Object] | None = None
    discounts: Sequence[Object] | None = None
    added: Sequence[Object] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    automatic: bool = False

    @property
    def payment_behavior(self) -> str:
        return str(self.params.get("payment_behavior", ALLOW))


@dataclass(frozen=True, slots=True)
class PlannedUpdate:
    """What an update comes to: the items afterwards, the invoice for it (not stored; None where nothing is
    billed at once), and the subscription's `fields` afterwards.
    """

    planned: PlannedItems
    invoice: Object | None
    fields: dict[str, Any]


def plan_update(store: Store, subscription: Object, asked: SubscriptionUpdate, now: int) -> PlannedUpdate:
    """What an update of the items, or of the anchor, comes to. Nothing is stored."""
    behavior = asked.params.get("proration_behavior", "create_prorations")
    at = asked.params.get("proration_date", now)
    discount_ids = subscription["discounts"]
    if asked.discounts is not None:
        discount_ids = [discount["id"] for discount in asked.discounts]
    items = asked.items or changed_items(store, subscription, asked.params.get("items", ()), now)
    change = ItemChange(
        items=items,
        discount_ids=discount_ids,
        prorate=behavior != "none",
        prorate_from=at,
        anchor_now=asked.params.get("billing_cycle_anchor") == NOW,
    )
    nets = subscription_status.billing_state(store, subscription["id"])["nets"]
    planned = plan_change(store, subscription, change, nets=nets, now=now)
    planned = replace(planned, prorations=[*planned.prorations, *asked.added])
    fields: dict[str, Any] = {
        "items": item_list(subscription["id"], planned.items),
        "billing_cycle_anchor": planned.anchor,
    }
    if not planned.new_period and not (behavior == "always_invoice" and planned.prorations):
        return PlannedUpdate(planned, None, fields)
    invoice_items = [*waiting_items(store, subscription["id"]), *planned.prorations]
    invoice = draft_invoice(
        store,
        InvoiceTerms(
            customer=_customer_without_pending(store, subscription),
            lines=[*(invoice_item_line(store, row) for row in invoice_items), *planned.lines],
            discounts=in_force(store, discount_ids, now) if planned.lines else (),
            reason="subscription_update",
            now=now,
            subscription=subscription,
            auto_advance=asked.payment_behavior != PENDING and subscription["status"] != "unpaid",
            tax=subscription["automatic_tax"]["enabled"],
            proration_date=at if planned.prorations else None,
        ),
    )
    fields["latest_invoice"] = invoice["id"]
    if planned.new_period and subscription["cancel_at_period_end"]:
        fields["cancel_at"] = planned.items[0]["current_period_end"]
    if planned.new_period:
        fields["discounts"] = still_given(store, discount_ids, now)
    return PlannedUpdate(planned, invoice, fields)


def update(store: Store, subscription: Object, asked: SubscriptionUpdate, now: int) -> Object:
    """Bills other items, or from another day on. Returns the subscription. A pending update is dropped for
    it. Raises Declined as the call's `payment_behavior` says.
    """
    behavior = asked.payment_behavior
    if subscription["status"] == "incomplete":
        raise ApiError("You can not update the items of a subscription that is incomplete.")
    enabled = subscription["automatic_tax"]["enabled"]
    refuse_unknown_location(store, subscription["customer"], enabled=enabled)
    if behavior == PENDING:
        _refuse_pending(store, subscription)
    subscription = invoices.drop_pending_update(store, subscription, now)
    done = plan_update(store, subscription, asked, now)
    state = subscription_status.billing_state(store, subscription["id"])
    fields = {**asked.fields, **done.fields}
    if done.invoice is None:
        for row in done.planned.prorations:
            emit(store, "invoiceitem.created", store.save(row), now)
        store.save({**state, "nets": done.planned.nets})
        return subscription_status.change(store, subscription, now, **fields)
    if behavior == PENDING:
        pending = {"nets": done.planned.nets, "fields": done.fields, "invoice": done.invoice["id"]}
        store.save({**state, "pending": pending})
    else:
        store.save({**state, "nets": done.planned.nets})
        subscription = subscription_status.change(store, subscription, now, **fields)
    invoice = _save_invoice(store, subscription, done, done.invoice, now)
    _collect_for(store, subscription, invoice, asked, now)
    subscription = store.get("subscription", subscription["id"])
    waits = subscription_status.billing_state(store, subscription["id"])["pending"] is not None
    return _show_pending(store, subscription, done, now) if waits else subscription


def _refuse_pending(store: Store, subscription: Object) -> None:
    """Raises ApiError where Stripe supports no pending updates."""
    if subscription["collection_method"] == SENT:
        raise ApiError(
            "Pending updates are not supported for `collection_method` = `send_invoice`.",
            param="payment_behavior",
        )
    method = invoice_payments.method_of_subscription(store, subscription)
    payment_methods.refuse_debit(store, method, param="payment_behavior")


def _collect_for(
    store: Store, subscription: Object, invoice: Object, asked: SubscriptionUpdate, now: int
) -> None:
    """Finalizes the invoice of an update, and tries to take the money. While nothing of the subscription is
    paid, it stays a draft.
    """
    if subscription["status"] == "unpaid":
        return
    invoice = invoices.finalize(store, invoice, now)
    if invoice["status"] != "open" or subscription["collection_method"] == SENT:
        return
    if asked.payment_behavior == DEFAULT:
        subscription_status.failed(store, invoice, now)
        return
    collect(
        store,
        invoice,
        now,
        behavior=asked.payment_behavior,
        off_session=asked.params.get("off_session", asked.automatic),
        automatic=asked.automatic,
    )


def cancel(
    store: Store, subscription: Object, *, invoice_now: bool, prorate: bool, details: Object, now: int
) -> Object:
    """Ends it now. `prorate`: what is left of the period is credited; `invoice_now`: that credit, and all
    prorations that wait, are billed at once. Raises Missing for one that has ended.
    """
    if subscription["status"] in subscription_status.OVER:
        raise Missing("subscription", subscription["id"])
    subscription = invoices.drop_pending_update(store, subscription, now)
    id = subscription["id"]
    if prorate:
        nets = subscription_status.billing_state(store, id)["nets"]
        for row in unused_time(store, subscription, nets, now):
            emit(store, "invoiceitem.created", store.save(row), now)
    if invoice_now:
        subscription = bill_waiting_items(store, subscription, "subscription_update", now)
    given = {**subscription["cancellation_details"], **details}
    subscription = {**subscription, "cancellation_details": given, "canceled_at": now}
    return subscription_status.end(store, subscription, now, reason="cancellation_requested")


def _customer_without_pending(store: Store, subscription: Object) -> Object:
    """The customer with the balance that a pending update gives back when this one takes its place."""
    customer = store.get("customer", subscription["customer"])
    pending = subscription_status.billing_state(store, subscription["id"])["pending"]
    if pending is None:
        return customer
    invoice = store.get("invoice", pending["invoice"])
    held = invoice["starting_balance"] - invoice["ending_balance"]
    return {**customer, "balance": customer["balance"] + held}


def _save_invoice(
    store: Store, subscription: Object, done: PlannedUpdate, invoice: Object, now: int
) -> Object:
    """Stores the invoice, with the prorations on it and those that waited for one."""
    for row in done.planned.prorations:
        emit(store, "invoiceitem.created", store.save(row), now)
    put_on_invoice(store, waiting_items(store, subscription["id"]), invoice["id"])
    return save_draft(store, invoice, now)


def _show_pending(store: Store, subscription: Object, done: PlannedUpdate, now: int) -> Object:
    """The subscription shows which update waits for its payment, and until when."""
    _, end = period_of(subscription)
    pending_update: Object = {
        "billing_cycle_anchor": done.planned.anchor if done.planned.new_period else None,
        "expires_at": min(now + PAYMENT_WINDOW, end),
        "subscription_items": done.planned.items,
        "trial_end": None,
        "trial_from_plan": None,
    }
    latest = done.fields["latest_invoice"]
    return subscription_status.change(
        store, subscription, now, pending_update=pending_update, latest_invoice=latest
    )
