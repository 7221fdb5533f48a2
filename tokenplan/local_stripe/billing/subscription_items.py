"""The items of a subscription: which prices, how many, and the period that each is billed for.

All items of one subscription have the same interval. Mixed intervals, which Stripe knows, are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tokenplan.local_stripe.billing.invoice_lines import active_price
from tokenplan.local_stripe.http.params import one_of
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.dates import Period, boundary_after, later
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store

# How a call says whether periods are counted anew.
ANCHOR = {"type": one_of("now", "unchanged")}
NOW = {"type": "now"}
MOST_ITEMS = 20
# How prorations and discounts are counted. Only the flexible mode is known here, Stripe's default.
BILLING_MODE = {
    "type": one_of("classic", "flexible"),
    "flexible": {"proration_discounts": one_of("included", "itemized")},
}


def refuse_other_mode(given: Mapping[str, Any], param: str) -> None:
    """Raises ApiError for a call that names another billing mode than ours."""
    kind = given.get("type", "flexible")
    shown = given.get("flexible", {}).get("proration_discounts", "included")
    if (kind, shown) != ("flexible", "included"):
        raise ApiError("The local Stripe bills in flexible mode with discounts included.", param=param)


def first_items(
    store: Store, given: Sequence[Mapping[str, Any]], *, subscription_id: str, now: int
) -> list[Object]:
    """The items of a new subscription, whose first period begins now. Raises ApiError for what cannot be sold
    together.
    """
    if not given:
        raise ApiError("A subscription must have at least one item.", code="parameter_missing", param="items")
    _refuse_too_many(given)
    prices = [
        active_price(store, row.get("price", ""), f"items[{index}][price]", recurring=True)
        for index, row in enumerate(given)
    ]
    interval, count = one_interval(prices)
    period = (now, later(now, interval, count))
    return [
        _filled(_new_item(store, subscription_id, period, now), price, row)
        for price, row in zip(prices, given, strict=True)
    ]


def changed_items(
    store: Store, subscription: Object, changes: Sequence[Mapping[str, Any]], now: int
) -> list[Object]:
    """The items after these changes: each names an item by `id` to change it or have it `deleted`, or adds
    one. Raises ApiError for a change that is not possible.
    """
    found = {item["id"]: item for item in subscription["items"]["data"]}
    for index, row in enumerate(changes):
        price = None
        if "price" in row:
            price = active_price(store, row["price"], f"items[{index}][price]", recurring=True)
        if "id" not in row:
            if price is None:
                param = f"items[{index}][price]"
                raise ApiError(f"Missing required param: {param}.", code="parameter_missing", param=param)
            new = _filled(_new_item(store, subscription["id"], period_of(subscription), now), price, row)
            found[new["id"]] = new
            continue
        item = found.get(row["id"])
        if item is None:
            raise ApiError(
                f"No such subscription_item: '{row['id']}'",
                code="resource_missing",
                param=f"items[{index}][id]",
            )
        if row.get("deleted"):
            del found[item["id"]]
            continue
        quantity = _quantity(row.get("quantity", item["quantity"]))
        item = {**item, "metadata": {**item["metadata"], **row.get("metadata", {})}}
        found[item["id"]] = _priced(item, price or item["price"], quantity)
    items = list(found.values())
    if not items:
        raise ApiError(
            "A subscription must have at least one active plan. In order to cancel a subscription, please use"
            " the cancel API endpoint.",
        )
    _refuse_too_many(items)
    if len({item["price"]["id"] for item in items}) < len(items):
        raise ApiError("Cannot add multiple subscription items with the same plan.")
    return items


def replaced_items(
    store: Store, subscription: Object, given: Sequence[Mapping[str, Any]], now: int
) -> list[Object]:
    """The items replaced by these prices and quantities, as a schedule's phase does. An item whose price
    stays keeps its id.
    """
    old = {item["price"]["id"]: item for item in subscription["items"]["data"]}
    found = []
    for row in given:
        price = store.get("price", row["price"])
        base = old.get(price["id"]) or _new_item(store, subscription["id"], period_of(subscription), now)
        found.append(_priced(base, price, row["quantity"]))
    interval_of(found)
    return found


def renewed_items(items: Sequence[Object], anchor: int, start: int) -> list[Object]:
    """The items in the period that begins at `start`, where periods are counted from `anchor`."""
    interval, count = interval_of(items)
    period = (start, boundary_after(anchor, interval, count, start))
    return [_in_period(item, period) for item in items]


def one_interval(prices: Iterable[Object]) -> tuple[str, int]:
    """The interval that these prices have in common, such as ("month", 1). Raises ApiError where they
    differ.
    """
    found = {(price["recurring"]["interval"], price["recurring"]["interval_count"]) for price in prices}
    if len(found) != 1:
        raise ApiError(
            "All prices on a subscription must have the same `recurring.interval` and"
            " `recurring.interval_count`."
        )
    return found.pop()


def interval_of(items: Sequence[Object]) -> tuple[str, int]:
    return one_interval(item["price"] for item in items)


def period_of(subscription: Object) -> Period:
    """The current period; all items have the same."""
    first = subscription["items"]["data"][0]
    return first["current_period_start"], first["current_period_end"]


def item_list(subscription_id: str, items: Sequence[Object]) -> Object:
    return {
        "object": "list",
        "data": list(items),
        "has_more": False,
        "url": f"/v1/subscription_items?subscription={subscription_id}",
    }


def _refuse_too_many(items: Sequence[Any]) -> None:
    if len(items) > MOST_ITEMS:
        raise ApiError(f"A subscription can have up to {MOST_ITEMS} items.", param="items")


def _new_item(store: Store, subscription_id: str, period: Period, now: int) -> Object:
    """An item of no price yet."""
    item = blank("subscription_item", id=store.new_id("si"), created=now, subscription=subscription_id)
    return _in_period(item, period)


def _filled(item: Object, price: Object, row: Mapping[str, Any]) -> Object:
    """A new item with its price, and with the quantity and metadata that a call gives it."""
    metadata = dict(row.get("metadata") or {})
    return _priced({**item, "metadata": metadata}, price, _quantity(row.get("quantity", 1)))


def _priced(item: Object, price: Object, quantity: int) -> Object:
    return {**item, "price": price, "plan": _plan(price), "quantity": quantity}


def _in_period(item: Object, period: Period) -> Object:
    start, end = period
    return {**item, "billed_until": end, "current_period_start": start, "current_period_end": end}


def _quantity(given: int) -> int:
    if given < 0:
        raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param="quantity")
    return given


def _plan(price: Object) -> Object:
    """A recurring price under its older name."""
    recurring = price["recurring"]
    same = ("id", "active", "created", "currency", "metadata", "nickname", "product")
    return blank(
        "plan",
        amount=price["unit_amount"],
        amount_decimal=str(price["unit_amount"]),
        interval=recurring["interval"],
        interval_count=recurring["interval_count"],
        **{name: price[name] for name in same},
    )
