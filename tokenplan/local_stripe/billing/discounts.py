"""Discounts: a coupon applied to a customer or a subscription, and what it takes off an invoice's lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tokenplan.local_stripe.billing.promotions import products_of, redeem, refusal
from tokenplan.local_stripe.http.params import Spec, text
from tokenplan.local_stripe.objects import amounts
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.dates import later
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store

# How a call names a discount, in a list of them.
GIVEN: Spec = {"coupon": text, "promotion_code": text, "discount": text}


def draft_discounts(
    store: Store,
    given: Iterable[Mapping[str, Any]],
    *,
    customer_id: str | None,
    amount: int,
    now: int,
) -> list[Object]:
    """The discounts that a call names, for an order of so many cents. New ones are not stored yet, see
    `begin`. Raises ApiError for an expired coupon, and for a promotion code that this customer cannot use.
    """
    found = []
    for index, entry in enumerate(given):
        at = f"discounts[{index}]"
        if "discount" in entry:
            found.append(store.get("discount", entry["discount"], f"{at}[discount]"))
            continue
        code = None
        coupon = entry.get("coupon", "")
        if "promotion_code" in entry:
            code = store.get("promotion_code", entry["promotion_code"], f"{at}[promotion_code]")
            why = refusal(store, code, customer_id=customer_id, amount=amount, now=now)
            if why:
                raise ApiError(why, param=f"{at}[promotion_code]")
            coupon = code["promotion"]["coupon"]
        kind = store.get("coupon", coupon, f"{at}[coupon]")
        if not kind["valid"]:
            raise ApiError(f"Coupon {coupon} is expired.", code="coupon_expired", param="coupon")
        repeats = kind["duration"] == "repeating"
        found.append(
            blank(
                "discount",
                id=store.new_id("di"),
                customer=customer_id,
                end=later(now, "month", kind["duration_in_months"]) if repeats else None,
                promotion_code=code["id"] if code else None,
                source={"coupon": kind["id"]},
                start=now,
            )
        )
    return found


def begin(store: Store, discounts: Iterable[Object], **owner: str) -> list[Object]:
    """Stores them. `owner`: what they apply to, such as `subscription=id`."""
    return [store.save({**discount, **owner}) for discount in discounts]


def redeem_all(store: Store, discounts: Iterable[Object], now: int) -> None:
    """Counts each new one, not stored yet, as a use of its coupon and of its promotion code."""
    for discount in discounts:
        if store.find("discount", discount["id"]) is None:
            redeem(store, discount["source"]["coupon"], discount["promotion_code"], now)


def in_force(store: Store, ids: Iterable[str], now: int) -> list[Object]:
    """The discounts with these ids that have not ended."""
    found = [store.get("discount", id) for id in ids]
    return [discount for discount in found if discount["end"] is None or now < discount["end"]]


def still_given(store: Store, ids: Iterable[str], now: int) -> list[str]:
    """The ids of a subscription's discounts that remain after an invoice: not those that are given once."""
    return [
        discount["id"]
        for discount in in_force(store, ids, now)
        if _coupon(store, discount)["duration"] != "once"
    ]


def take_off(store: Store, lines: Sequence[Object], discounts: Sequence[Object]) -> list[Object]:
    """The lines, each with its `discount_amounts`. A discount applies to what the ones before it have left
    of a line, and not to lines that are not `discountable`.
    """
    left = [max(0, line["amount"]) if line["discountable"] else 0 for line in lines]
    taken: list[list[Object]] = [[] for _ in lines]
    for discount in discounts:
        coupon = _coupon(store, discount)
        products = products_of(store, coupon["id"])
        open_to = [
            amount if not products or _product(line) in products else 0
            for line, amount in zip(lines, left, strict=True)
        ]
        for index, amount in enumerate(amounts.shares(_off(coupon, sum(open_to)), open_to)):
            left[index] -= amount
            if lines[index]["discountable"]:
                taken[index].append({"amount": amount, "discount": discount["id"]})
    return [
        {**line, "discount_amounts": off, "discounts": [row["discount"] for row in off]}
        for line, off in zip(lines, taken, strict=True)
    ]


def net(line: Object) -> int:
    """What a line comes to in cents, after its discounts."""
    return int(line["amount"] - sum(row["amount"] for row in line["discount_amounts"]))


def _product(line: Object) -> str:
    return str(line["pricing"]["price_details"]["product"])


def _off(coupon: Object, base: int) -> int:
    if coupon["percent_off"] is not None:
        return amounts.percent(base, Decimal(str(coupon["percent_off"])))
    return min(base, int(coupon["amount_off"]))


def _coupon(store: Store, discount: Object) -> Object:
    return store.get("coupon", discount["source"]["coupon"])
