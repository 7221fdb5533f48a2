"""What a subscription's update charges once, beside its items (`add_invoice_items`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tokenplan.local_stripe.billing.catalog import CURRENCIES
from tokenplan.local_stripe.billing.invoice_lines import active_price, invoice_item, one_time_sale
from tokenplan.local_stripe.billing.subscription_items import period_of
from tokenplan.local_stripe.http.params import flag, integer, mapping, one_of, text
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store

ADDED = {
    "price": text,
    "price_data": {
        "currency": one_of(*CURRENCIES),
        "product": text,
        "tax_behavior": one_of("exclusive", "inclusive", "unspecified"),
        "unit_amount": integer,
    },
    "quantity": integer,
    "discountable": flag,
    "metadata": mapping,
}


def added_items(store: Store, subscription: Object, given: Mapping[str, Any], now: int) -> list[Object]:
    """The invoice items that the call adds, not stored yet. Raises ApiError where they would wait for a later
    invoice, for a price that cannot be sold once, and for more than twenty.
    """
    rows: Sequence[Mapping[str, Any]] = given.get("add_invoice_items", ())
    if rows and given.get("proration_behavior") != "always_invoice":
        raise ApiError(
            "The local Stripe adds invoice items only with `proration_behavior` = `always_invoice`.",
            param="add_invoice_items",
        )
    if len(rows) > 20:
        raise ApiError("You may pass up to 20 items.", param="add_invoice_items")
    return [_item(store, subscription, row, f"add_invoice_items[{i}]", now) for i, row in enumerate(rows)]


def _item(store: Store, subscription: Object, row: Mapping[str, Any], param: str, now: int) -> Object:
    if ("price" in row) == ("price_data" in row):
        raise ApiError("One of `price` or `price_data` is required.", param=param)
    if "price" in row:
        price = active_price(store, row["price"], f"{param}[price]", recurring=False)
    else:
        price = _made_price(store, row["price_data"], f"{param}[price_data]", now)
    sale = one_time_sale(store, price, row.get("quantity", 1), now)
    item = invoice_item(
        store,
        replace(sale, period=period_of(subscription), metadata=row.get("metadata", {})),
        customer_id=subscription["customer"],
        clock_id=subscription["test_clock"],
        invoice_id=None,
        now=now,
    )
    details = {"subscription": subscription["id"], "subscription_item": None}
    parent = {"type": "subscription_details", "subscription_details": details}
    return item | {"discountable": row.get("discountable", True), "parent": parent}


def _made_price(store: Store, given: Mapping[str, Any], param: str, now: int) -> Object:
    """Stripe makes an inactive price for it."""
    for name in ("currency", "product", "unit_amount"):
        if name not in given:
            missing = f"{param}[{name}]"
            raise ApiError(f"Missing required param: {missing}.", code="parameter_missing", param=missing)
    price = blank(
        "price",
        id=store.new_id("price"),
        active=False,
        created=now,
        currency=given["currency"],
        product=store.get("product", given["product"], f"{param}[product]")["id"],
        tax_behavior=given.get("tax_behavior", "unspecified"),
        type="one_time",
        unit_amount=given["unit_amount"],
        unit_amount_decimal=str(given["unit_amount"]),
    )
    return store.save(price)
