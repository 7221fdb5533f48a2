"""What a change of a subscription's items credits and debits.

A change within a period is prorated by the second. The credit is a part of what the item was last billed,
after its discounts; the debit is a part of what it costs now, after the discounts in force. Both are net, so
no discount counts on them again. A change of the interval, or of the anchor, begins a new period: the old
items are credited, the new ones billed in full.

What an item is billed for a whole period, after discounts and in cents, is its *net*; `nets` maps item ids to
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokenplan.local_stripe.billing.discounts import in_force, net, take_off
from tokenplan.local_stripe.billing.invoice_lines import Sale, product_name, proration, subscription_line
from tokenplan.local_stripe.billing.subscription_items import interval_of, period_of, renewed_items
from tokenplan.local_stripe.objects.amounts import part
from tokenplan.local_stripe.objects.dates import day_text
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChange:
    """The items that a subscription is to have. `prorate`: what is left of the period is credited and
    debited, counted from `prorate_from`. `anchor_now`: a new period begins, even where the interval stays.
    `discount_ids` are those in force afterwards.
    """

    items: Sequence[Object]
    discount_ids: Sequence[str]
    prorate: bool
    prorate_from: int
    anchor_now: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItems:
    """A subscription's items after a change, and what each is then billed (`nets`). `prorations` are invoice
    items, not stored yet. `new_period`: one begins now, billed by `lines`.
    """

    items: list[Object]
    anchor: int
    nets: dict[str, int]
    prorations: list[Object]
    new_period: bool = False
    lines: Sequence[Object] = ()


def full_period_lines(
    store: Store, items: Sequence[Object], discounts: Sequence[Object]
) -> tuple[list[Object], dict[str, int]]:
    """The lines of these items' period in full, and each item's net after these discounts."""
    rows = [subscription_line(store, item) for item in items]
    taken = take_off(store, rows, discounts)
    return rows, {item["id"]: net(line) for item, line in zip(items, taken, strict=True)}


def plan_change(
    store: Store, subscription: Object, change: ItemChange, *, nets: Mapping[str, int], now: int
) -> PlannedItems:
    """What a change comes to, where `nets` is what the items were last billed. A new period begins now.
    Raises ApiError where the proration would begin outside of the current period.
    """
    start, end = period_of(subscription)
    at = change.prorate_from
    if change.prorate and not start <= at <= end:
        raise ApiError(
            "Cannot calculate a proration outside of the current subscription period.", param="proration_date"
        )
    prorations = _Prorations(store, subscription, (at, end), (end - at, end - start), now)
    active = in_force(store, change.discount_ids, now)
    old = subscription["items"]["data"]
    if change.anchor_now or interval_of(change.items) != interval_of(old):
        fresh = renewed_items(change.items, now, now)
        lines, fresh_nets = full_period_lines(store, fresh, active)
        credited = prorations.credits(old, nets) if change.prorate else []
        return PlannedItems(
            items=fresh, anchor=now, nets=fresh_nets, prorations=credited, new_period=True, lines=lines
        )
    _, full = full_period_lines(store, change.items, active)
    before, after = {item["id"]: item for item in old}, {item["id"]: item for item in change.items}
    rows, new_nets = [], {id: nets.get(id, 0) for id in after}
    for id in dict.fromkeys([*before, *after]):
        was, will = before.get(id), after.get(id)
        if not change.prorate or (was and will and _same(was, will)):
            continue
        if was and nets.get(id):
            rows.append(prorations.credit(was, nets[id]))
        if will:
            rows.append(prorations.debit(will, full[id]))
            new_nets[id] = full[id]
    anchor = subscription["billing_cycle_anchor"]
    return PlannedItems(items=list(change.items), anchor=anchor, nets=new_nets, prorations=rows)


def unused_time(store: Store, subscription: Object, nets: Mapping[str, int], now: int) -> list[Object]:
    """Credits, not stored yet, for what is left of the period."""
    start, end = period_of(subscription)
    rows = _Prorations(store, subscription, (now, end), (max(0, end - now), end - start), now)
    return rows.credits(subscription["items"]["data"], nets)


@dataclass(frozen=True, slots=True)
class _Prorations:
    """`share`: so many seconds are left, of so many."""

    store: Store
    subscription: Object
    period: tuple[int, int]
    share: tuple[int, int]
    now: int

    def credits(self, items: Sequence[Object], nets: Mapping[str, int]) -> list[Object]:
        return [self.credit(item, nets[item["id"]]) for item in items if nets.get(item["id"])]

    def credit(self, item: Object, net: int) -> Object:
        return self._row(item, -part(net, *self.share), "Unused time on")

    def debit(self, item: Object, net: int) -> Object:
        return self._row(item, part(net, *self.share), "Remaining time on")

    def _row(self, item: Object, amount: int, words: str) -> Object:
        count = f"{item['quantity']} × " if item["quantity"] != 1 else ""
        name = product_name(self.store, item["price"])
        sale = Sale(
            price=item["price"],
            quantity=item["quantity"],
            amount=amount,
            description=f"{words} {count}{name} after {day_text(self.period[0])}",
            period=self.period,
        )
        return proration(self.store, sale, subscription=self.subscription, item=item, now=self.now)


def _same(one: Object, other: Object) -> bool:
    return bool(one["price"]["id"] == other["price"]["id"] and one["quantity"] == other["quantity"])
