"""Subscriptions: what is billed, what a change costs, and the change itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings

from billing import errors
from billing.stripe_api.catalog import upsert_product
from billing.stripe_api.client import api, asked, listed, once, seconds
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot, invoice_snapshot
from billing.stripe_api.methods import AT_ONCE
from billing.stripe_api.reading import Listed
from billing.stripe_api.snapshots import SubscriptionSnapshot, subscription_snapshot

# The product that an invoice names where it charges what it credits beside it: see `change_back`.
PAID_BACK = "tokenplan_paid_back"
# Stripe's price id to number of seats.
Quantities = Mapping[str, int]
# How Stripe counts prorations: said wherever a subscription begins, so that no default decides.
FLEXIBLE = {"type": "flexible"}
SUBSCRIPTION_PARTS = [
    "latest_invoice",
    "discounts",
    "default_payment_method",
    "customer.invoice_settings.default_payment_method",
]


def subscription(id: str) -> SubscriptionSnapshot:
    parts = {"expand": SUBSCRIPTION_PARTS}
    return _whole_snapshot(asked(api().subscriptions.retrieve, id, parts))


def subscriptions(customer_id: str) -> Iterator[Listed[SubscriptionSnapshot]]:
    """All, ended ones too, the newest first."""
    params = {
        "customer": customer_id,
        "status": "all",
        "expand": [f"data.{part}" for part in SUBSCRIPTION_PARTS],
    }
    return Listed.each(listed(api().subscriptions.list, params), _whole_snapshot)


def _whole_snapshot(found: Mapping[str, Any]) -> SubscriptionSnapshot:
    """With all items: Stripe gives the first ten of them, and that there are more."""
    items = found.get("items")
    if isinstance(items, Mapping) and items.get("has_more"):
        rest = listed(api().subscription_items.list, {"subscription": found["id"]})
        found = {**found, "items": {**items, "data": list(rest)}}
    return subscription_snapshot(found)


def preview_new(
    customer_id: str, prices: Quantities, *, recurring: bool, promotion_id: str = ""
) -> InvoiceSnapshot:
    """What the first period of so many seats costs, or else (not `recurring`) what is bought once; with the
    tax where that can be known, and with this promotion code. `customer_id` may be empty. Raises
    StripeRefused for a code that Stripe does not take.
    """
    items = [{"price": price, "quantity": quantity} for price, quantity in prices.items()]
    params: dict[str, Any] = (
        {"subscription_details": {"items": items, "billing_mode": FLEXIBLE}}
        if recurring
        else {"invoice_items": items}
    )
    params["automatic_tax"] = {"enabled": settings.STRIPE_TAX}
    params |= {"customer": customer_id} if customer_id else {"currency": "usd"}
    if promotion_id:
        params["discounts"] = [{"promotion_code": promotion_id}]
    return invoice_snapshot(asked(api().invoices.create_preview, params))


def preview_change(
    now: SubscriptionSnapshot,
    prices: Quantities,
    *,
    at: datetime | None,
    discounts: Collection[str] | None = None,
) -> InvoiceSnapshot:
    """The invoice of a change made at `at`; without `at`, the regular invoice of a whole period at these
    prices. It has the subscription's own discounts, or (`discounts`) these of them. A canceled subscription
    is previewed as if it renewed.
    """
    details: dict[str, Any] = {"items": _item_changes(now, prices), "proration_behavior": "none"}
    if at is not None:
        details |= {"proration_behavior": "always_invoice", "proration_date": seconds(at)}
    if now.cancel_at is not None:
        details["cancel_at_period_end"] = False
    if not details["items"]:
        del details["items"]
    params = {
        "subscription": now.id,
        "subscription_details": details,
        **_taxed_as(now),
        **_keeping(discounts),
    }
    return invoice_snapshot(asked(api().invoices.create_preview, params))


def kept_discounts(now: SubscriptionSnapshot, interval: str) -> tuple[str, ...] | None:
    """The discounts that it keeps when it is billed by this interval; None: all that it has. One for some
    months is left behind where a year begins, since that is one invoice.
    """
    if interval != "year" or now.interval == "year" or not now.months_discounts:
        return None
    return tuple(id for id in now.discounts if id not in now.months_discounts)


def _keeping(discounts: Collection[str] | None) -> dict[str, Any]:
    """The discounts that take the place of all that the subscription has: none is an empty text."""
    return {} if discounts is None else {"discounts": [{"discount": id} for id in discounts] or ""}


def _taxed_as(now: SubscriptionSnapshot) -> dict[str, Any]:
    """A preview shows the tax that the invoice will have."""
    return {"automatic_tax": {"enabled": now.is_taxed}}


def next_invoice(now: SubscriptionSnapshot) -> InvoiceSnapshot | None:
    """None where no further one will come."""
    try:
        return invoice_snapshot(
            asked(api().invoices.create_preview, {"subscription": now.id, **_taxed_as(now)})
        )
    except (errors.StripeMissing, errors.StripeRefused):
        return None


def change_subscription(
    now: SubscriptionSnapshot,
    prices: Quantities,
    *,
    request: object,
    at: datetime,
    may_wait: bool = True,
    discounts: Collection[str] | None = None,
) -> SubscriptionSnapshot:
    """Bills other prices from `at` on, prorated, with an invoice at once. Where that is not paid at once,
    nothing changes until it is: see `pending_until`; unless it `may_wait`, PaymentDeclined is raised instead.
    `discounts`: those that it keeps; a change that leaves some behind cannot wait.
    """
    may_wait = may_wait and discounts is None
    params = {
        "items": _item_changes(now, prices),
        "proration_behavior": "always_invoice",
        "proration_date": seconds(at),
        "payment_behavior": "pending_if_incomplete" if may_wait else "error_if_incomplete",
        "expand": SUBSCRIPTION_PARTS,
        **_keeping(discounts),
    }
    return _whole_snapshot(asked(api().subscriptions.update, now.id, params, once(request)))


def set_methods(subscription_id: str, *, at_once_only: bool) -> None:
    """It is charged to its customer's default, and its invoices are paid by what pays at once, or by all."""
    types: list[str] | str = list(AT_ONCE) if at_once_only else ""
    params = {"default_payment_method": "", "payment_settings": {"payment_method_types": types}}
    asked(api().subscriptions.update, subscription_id, params)


def change_back(
    now: SubscriptionSnapshot, prices: Quantities, *, at: datetime, mark: str, request: object
) -> None:
    """Bills these prices from `at` on, and costs nothing: the money of what it takes away was given back, or
    never came. `mark` is read again as `undone`, so that it is not done twice where the answer is lost.

    Stripe credits what an item was last debited. Without a proration here, the next change would credit what
    was given back already; so it is credited here, and charged again by the same invoice.
    """
    moment = min(max(at.replace(microsecond=0), now.period_start), now.period_end)
    changes: dict[str, Any] = {
        "items": _item_changes(now, prices),
        "proration_behavior": "always_invoice",
        "proration_date": seconds(moment),
    }
    params = {"subscription": now.id, "subscription_details": changes, **_taxed_as(now)}
    cents = -_prorated_cents(asked(api().invoices.create_preview, params), seconds(moment))
    if cents:
        upsert_product(PAID_BACK, name="Paid back already, or never paid")
        price = {"currency": "usd", "product": PAID_BACK, "unit_amount": cents, "tax_behavior": "exclusive"}
        changes["add_invoice_items"] = [{"price_data": price, "discountable": False}]
    changes["metadata"] = {f"undone_{mark[:30]}": mark}
    asked(api().subscriptions.update, now.id, changes, once(request))


def _prorated_cents(preview: Mapping[str, Any], since: int) -> int:
    """What the prorations of a change that counts `since` then come to, without what else waits for the
    invoice. Stripe gives the first ten lines; where there are more, all of it."""
    lines = preview["lines"]
    if lines.get("has_more"):
        return int(preview["subtotal"])
    return sum(
        int(line["amount"])
        for line in lines["data"]
        if _is_proration(line) and line["period"]["start"] == since
    )


def _is_proration(line: Mapping[str, Any]) -> bool:
    parent = line.get("parent") or {}
    return bool((parent.get("subscription_item_details") or {}).get("proration"))


def rebill_period(
    now: SubscriptionSnapshot, prices: Quantities, *, request: object, was_billed: bool
) -> None:
    """Bills other prices for the whole of this period. What `was_billed` for it goes to the customer's
    balance in full; where nothing was, a new period begins now.
    """
    params: dict[str, Any] = {"items": _item_changes(now, prices), "payment_behavior": "allow_incomplete"}
    if was_billed:
        params |= {"proration_behavior": "always_invoice", "proration_date": seconds(now.period_start)}
    else:
        params |= {"proration_behavior": "none", "billing_cycle_anchor": {"type": "now"}}
    asked(api().subscriptions.update, now.id, params, once(request))


def end_subscription(subscription_id: str) -> None:
    """Ends it now, without a refund, and voids its open invoices. Does nothing if it has ended already."""
    if subscription(subscription_id).ended_at is not None:
        return
    for bill in list(listed(api().invoices.list, {"subscription": subscription_id, "status": "open"})):
        asked(api().invoices.void_invoice, bill["id"])
    asked(api().subscriptions.cancel, subscription_id, {"invoice_now": False, "prorate": False})


def _item_changes(now: SubscriptionSnapshot, prices: Quantities) -> list[dict[str, Any]]:
    """The changes that turn the items into `prices`. An item whose price is no longer wanted gets a new one
    where there is one, so that few items are deleted and made."""
    wanted = {price: count for price, count in prices.items() if count}
    new = [(price, count) for price, count in wanted.items() if price not in now.quantities]
    changes: list[dict[str, Any]] = []
    for item in now.items:
        if item.price_id in wanted:
            if wanted[item.price_id] != item.quantity:
                changes.append({"id": item.id, "quantity": wanted[item.price_id]})
        elif new:
            price, count = new.pop(0)
            changes.append({"id": item.id, "price": price, "quantity": count})
        else:
            changes.append({"id": item.id, "deleted": True})
    return changes + [{"price": price, "quantity": count} for price, count in new]
