"""What a subscription bills: its items, their periods, and what a change of them credits and debits.

A change within a period is prorated by the second. The credit is a part of what the item was last billed,
after its discounts; the debit a part of what it costs now, after the discounts in force (both net, so no
discount counts on them again). A change of the interval, or of the anchor, begins a period: old items are
credited, new ones billed in full. One subscription has one interval: mixed ones, which Stripe knows, are
refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenplan.local_stripe.billing import invoice_lines as lines_of
from tokenplan.local_stripe.billing.discounts import in_force, net, take_off
from tokenplan.local_stripe.http.params import one_of
from tokenplan.local_stripe.objects.amounts import part
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.dates import boundary_after, day_text, later
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store

Period = tuple[int, int]
# How a call says whether periods are counted anew.
ANCHOR = {"type": one_of("now", "unchanged")}
NOW = {"type": "now"}


@dataclass(frozen=True, slots=True)
class Planned:
    """A subscription's items after a change. `prorations` are invoice items, not kept yet; `lines` the new
    period's, where one begins (`resets`). `nets`: what each item is then billed for a whole period.
    """

    items: list[Object]
    anchor: int
    resets: bool
    prorations: list[Object]
    lines: list[Object]
    nets: dict[str, int]


def new_item(
    store: Store,
    *,
    price: Object,
    quantity: int,
    subscription: str,
    period: Period,
    now: int,
    metadata: Mapping[str, str] | None = None,
) -> Object:
    item: Object = blank(
        "subscription_item",
        id=store.new_id("si"),
        created=now,
        metadata=dict(metadata or {}),
        subscription=subscription,
    )
    return _for(_priced(item, price, quantity), period)


def wanted(store: Store, given: Sequence[Mapping[str, Any]], *, subscription: str, now: int) -> list[Object]:
    """A new subscription's items, whose first period begins now."""
    if not given:
        raise ApiError("A subscription must have at least one item.", code="parameter_missing", param="items")
    prices = [
        lines_of.price_of(store, row.get("price", ""), f"items[{index}][price]", recurring=True)
        for index, row in enumerate(given)
    ]
    interval, count = one_interval(prices)
    period = (now, later(now, interval, count))
    return [
        new_item(
            store,
            price=price,
            quantity=_quantity(row.get("quantity", 1)),
            subscription=subscription,
            period=period,
            now=now,
            metadata=row.get("metadata"),
        )
        for price, row in zip(prices, given, strict=True)
    ]


def one_interval(prices: Iterable[Object]) -> tuple[str, int]:
    found = {(price["recurring"]["interval"], price["recurring"]["interval_count"]) for price in prices}
    if len(found) != 1:
        raise ApiError(
            "All prices on a subscription must have the same `recurring.interval` and"
            " `recurring.interval_count`."
        )
    return found.pop()


def interval_of(items: Sequence[Object]) -> tuple[str, int]:
    return one_interval(item["price"] for item in items)


def full_lines(
    store: Store, items: Sequence[Object], discounts: Sequence[Object]
) -> tuple[list[Object], dict[str, int]]:
    """Their period in full, and what each comes to after these discounts."""
    rows = [
        lines_of.of_item(
            store, item, item["subscription"], (item["current_period_start"], item["current_period_end"])
        )
        for item in items
    ]
    taken = take_off(store, rows, discounts)
    return rows, {item["id"]: net(line) for item, line in zip(items, taken, strict=True)}


def renewed(items: Sequence[Object], anchor: int, start: int) -> list[Object]:
    """The items in the period that begins then."""
    interval, count = interval_of(items)
    period = (start, boundary_after(anchor, interval, count, start))
    return [_for(item, period) for item in items]


def swapped(store: Store, subscription: Object, given: Sequence[Mapping[str, Any]], now: int) -> list[Object]:
    """The items replaced by these prices and quantities, as a schedule's phase does; an item whose price
    stays keeps its id.
    """
    old = {item["price"]["id"]: item for item in subscription["items"]["data"]}
    period = period_of(subscription)
    found = []
    for row in given:
        price = store.get("price", row["price"])
        kept = old.get(price["id"])
        if kept:
            found.append(_priced(kept, price, row["quantity"]))
        else:
            found.append(
                new_item(
                    store,
                    price=price,
                    quantity=row["quantity"],
                    subscription=subscription["id"],
                    period=period,
                    now=now,
                )
            )
    one_interval(item["price"] for item in found)
    return found


def period_of(subscription: Object) -> Period:
    first = subscription["items"]["data"][0]
    return first["current_period_start"], first["current_period_end"]


def listed(subscription: str, items: Sequence[Object]) -> Object:
    return {
        "object": "list",
        "data": list(items),
        "has_more": False,
        "url": f"/v1/subscription_items?subscription={subscription}",
    }


def changed(
    store: Store, subscription: Object, changes: Sequence[Mapping[str, Any]], now: int
) -> list[Object]:
    """The items after `changes`: by `id` changed or `deleted`, else added."""
    found = {item["id"]: item for item in subscription["items"]["data"]}
    for index, row in enumerate(changes):
        price = None
        if "price" in row:
            price = lines_of.price_of(store, row["price"], f"items[{index}][price]", recurring=True)
        if "id" in row:
            kept = found.get(row["id"])
            if kept is None:
                raise ApiError(
                    f"No such subscription_item: '{row['id']}'",
                    code="resource_missing",
                    param=f"items[{index}][id]",
                )
            if row.get("deleted"):
                del found[kept["id"]]
                continue
            quantity = _quantity(row.get("quantity", kept["quantity"]))
            kept = {**kept, "metadata": {**kept["metadata"], **row.get("metadata", {})}}
            found[kept["id"]] = _priced(kept, price or kept["price"], quantity)
        else:
            if price is None:
                raise ApiError(
                    f"Missing required param: items[{index}][price].",
                    code="parameter_missing",
                    param=f"items[{index}][price]",
                )
            new = new_item(
                store,
                price=price,
                quantity=_quantity(row.get("quantity", 1)),
                subscription=subscription["id"],
                period=period_of(subscription),
                now=now,
                metadata=row.get("metadata"),
            )
            found[new["id"]] = new
    items = list(found.values())
    if not items:
        raise ApiError(
            "A subscription must have at least one active plan. In order to cancel a subscription, please use"
            " the cancel API endpoint.",
        )
    if len({item["price"]["id"] for item in items}) < len(items):
        raise ApiError("Cannot add multiple subscription items with the same plan.")
    return items


def plan_change(
    store: Store,
    subscription: Object,
    items: Sequence[Object],
    *,
    nets: Mapping[str, int],
    prorate: bool,
    at: int,
    now: int,
    anchor_now: bool = False,
    discounts: Sequence[str] | None = None,
) -> Planned:
    """A change to these items. Prorations are counted from `at`; a period that begins, begins now."""
    old = subscription["items"]["data"]
    own = subscription["discounts"] if discounts is None else discounts
    active = in_force(store, own, now)
    resets = anchor_now or interval_of(items) != interval_of(old)
    start, end = period_of(subscription)
    if prorate and not start <= at <= end:
        raise ApiError(
            "Cannot calculate a proration outside of the current subscription period.", param="proration_date"
        )
    row = _Prorations(store, subscription, (at, end), (end - at, end - start), now)
    if resets:
        credits = [row.credit(item, nets.get(item["id"], 0)) for item in old if nets.get(item["id"])]
        fresh = renewed(items, now, now)
        lines, new_nets = full_lines(store, fresh, active)
        return Planned(fresh, now, True, credits if prorate else [], lines, new_nets)
    _, full = full_lines(store, items, active)
    before, after = {item["id"]: item for item in old}, {item["id"]: item for item in items}
    found, new_nets = [], {id: nets.get(id, 0) for id in after}
    for id in dict.fromkeys([*before, *after]):
        was, will = before.get(id), after.get(id)
        if not prorate or (was and will and _same(was, will)):
            continue
        if was and nets.get(id):
            found.append(row.credit(was, nets[id]))
        if will:
            found.append(row.debit(will, full[id]))
            new_nets[id] = full[id]
    return Planned(list(items), subscription["billing_cycle_anchor"], False, found, [], new_nets)


def unused(store: Store, subscription: Object, nets: Mapping[str, int], now: int) -> list[Object]:
    """Credits for all that is left of the period."""
    start, end = period_of(subscription)
    row = _Prorations(store, subscription, (now, end), (max(0, end - now), end - start), now)
    owner = subscription["items"]["data"]
    return [row.credit(item, nets[item["id"]]) for item in owner if nets.get(item["id"])]


@dataclass(frozen=True, slots=True)
class _Prorations:
    """`share`: the seconds that are left, of how many."""

    store: Store
    subscription: Object
    period: Period
    share: tuple[int, int]
    now: int

    def credit(self, item: Object, net: int) -> Object:
        return self._row(item, -part(net, *self.share), "Unused time on")

    def debit(self, item: Object, net: int) -> Object:
        return self._row(item, part(net, *self.share), "Remaining time on")

    def _row(self, item: Object, amount: int, words: str) -> Object:
        count = f"{item['quantity']} × " if item["quantity"] != 1 else ""
        name = lines_of.product_name(self.store, item["price"])
        return lines_of.invoice_item(
            self.store,
            customer=self.subscription["customer"],
            price=item["price"],
            quantity=item["quantity"],
            amount=amount,
            text=f"{words} {count}{name} after {day_text(self.period[0])}",
            period=self.period,
            now=self.now,
            clock=self.subscription["test_clock"],
            proration_of=(self.subscription["id"], item["id"]),
        )


def _same(one: Object, other: Object) -> bool:
    return bool(one["price"]["id"] == other["price"]["id"] and one["quantity"] == other["quantity"])


def _priced(item: Object, price: Object, quantity: int) -> Object:
    return {**item, "price": price, "plan": _plan(price), "quantity": quantity}


def _for(item: Object, period: Period) -> Object:
    start, end = period
    return {**item, "billed_until": end, "current_period_start": start, "current_period_end": end}


def _quantity(given: int) -> int:
    if given < 0:
        raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param="quantity")
    return given


def _plan(price: Object) -> Object:
    """The older name of a recurring price."""
    recurring = price["recurring"]
    return blank(
        "plan",
        id=price["id"],
        active=price["active"],
        amount=price["unit_amount"],
        amount_decimal=str(price["unit_amount"]),
        created=price["created"],
        currency=price["currency"],
        interval=recurring["interval"],
        interval_count=recurring["interval_count"],
        metadata=price["metadata"],
        nickname=price["nickname"],
        product=price["product"],
    )
