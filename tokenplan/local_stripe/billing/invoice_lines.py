"""The lines of an invoice, and the invoice items that wait to become some."""

from __future__ import annotations

from typing import Any

from tokenplan.local_stripe.objects.amounts import dollars
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store


def price_of(store: Store, id: str, param: str, *, recurring: bool) -> Object:
    """Raises ApiError for none, one that is not sold any more, and one of the other kind."""
    price = store.get("price", id, param)
    if not price["active"]:
        raise ApiError("The price specified is inactive. This field only accepts active prices.", param=param)
    if recurring and price["type"] != "recurring":
        raise ApiError(
            f"The price specified is set to `type={price['type']}` but this field only accepts prices with"
            " `type=recurring`.",
            param=param,
        )
    if not recurring and price["type"] != "one_time":
        raise ApiError(
            f"The price specified is set to `type={price['type']}` but this field only accepts prices with"
            " `type=one_time`.",
            param=param,
        )
    return price


def line(
    store: Store,
    *,
    price: Object,
    quantity: int,
    amount: int,
    text: str,
    period: tuple[int, int],
    parent: Object,
    discountable: bool = True,
    metadata: dict[str, str] | None = None,
) -> Object:
    details = parent[parent["type"]]
    return blank(
        "line_item",
        id=store.new_id("il"),
        amount=amount,
        description=text,
        discountable=discountable,
        metadata=metadata or {},
        parent=parent,
        period={"start": period[0], "end": period[1]},
        pricing=pricing(price),
        quantity=quantity,
        quantity_decimal=str(quantity),
        subscription=details["subscription"],
        subtotal=amount,
    )


def pricing(price: Object) -> Object:
    return {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": str(price["unit_amount"]),
    }


def of_item(store: Store, item: Object, subscription: str, period: tuple[int, int]) -> Object:
    """A period of a subscription's item, in full."""
    price, quantity = item["price"], item["quantity"]
    each = f"{dollars(price['unit_amount'])} / {_per(price['recurring'])}"
    return line(
        store,
        price=price,
        quantity=quantity,
        amount=price["unit_amount"] * quantity,
        text=f"{quantity} × {product_name(store, price)} (at {each})",
        period=period,
        parent=_of_subscription(subscription, item["id"]),
        metadata=item["metadata"],
    )


def of_invoice_item(store: Store, row: Object) -> Object:
    """The line that an invoice item becomes."""
    kind = {
        "invoice_item": row["id"],
        "proration": row["proration"],
        "proration_details": {"credited_items": None},
        "subscription": None,
    }
    parent: Object = {
        "type": "invoice_item_details",
        "invoice_item_details": kind,
        "subscription_item_details": None,
    }
    if row["parent"]:
        owner = row["parent"]["subscription_details"]
        parent = _of_subscription(
            owner["subscription"], owner["subscription_item"], row["id"], proration=True
        )
    price = store.get("price", row["pricing"]["price_details"]["price"])
    return line(
        store,
        price=price,
        quantity=row["quantity"],
        amount=row["amount"],
        text=row["description"],
        period=(row["period"]["start"], row["period"]["end"]),
        parent=parent,
        discountable=row["discountable"],
        metadata=row["metadata"],
    )


def invoice_item(
    store: Store,
    *,
    customer: str | None,
    price: Object,
    quantity: int,
    amount: int,
    text: str,
    period: tuple[int, int],
    now: int,
    clock: str | None,
    metadata: dict[str, str] | None = None,
    proration_of: tuple[str, str] | None = None,
    invoice: str | None = None,
) -> Object:
    """Not kept yet. `proration_of`: a subscription and its item."""
    details: Any = None
    if proration_of:
        names = ("subscription", "subscription_item")
        details = {
            "type": "subscription_details",
            "subscription_details": dict(zip(names, proration_of, strict=True)),
        }
    return blank(
        "invoiceitem",
        id=store.new_id("ii"),
        amount=amount,
        customer=customer,
        date=now,
        description=text,
        discountable=proration_of is None,
        invoice=invoice,
        metadata=metadata or {},
        net_amount=amount,
        parent=details,
        period={"start": period[0], "end": period[1]},
        pricing=pricing(price),
        proration=proration_of is not None,
        proration_details={"credited_items": None, "discount_amounts": []} if proration_of else None,
        quantity=quantity,
        quantity_decimal=str(quantity),
        test_clock=clock,
    )


def product_name(store: Store, price: Object) -> str:
    return str(store.get("product", price["product"])["name"])


def _per(recurring: Object) -> str:
    count = recurring["interval_count"]
    return recurring["interval"] if count == 1 else f"{count} {recurring['interval']}s"


def _of_subscription(
    subscription: str, item: str, invoice_item: str | None = None, *, proration: bool = False
) -> Object:
    return {
        "type": "subscription_item_details",
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": invoice_item,
            "proration": proration,
            "proration_details": {"credited_items": None},
            "subscription": subscription,
            "subscription_item": item,
        },
    }
