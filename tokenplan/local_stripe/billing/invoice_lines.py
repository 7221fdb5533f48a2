"""The lines of an invoice, and the invoice items that become lines of the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tokenplan.local_stripe.objects.amounts import dollars
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.dates import Period
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """So many units of a price for a period, which a line bills or credits. `amount` is in cents before
    discounts, below zero for a credit.
    """

    price: Object
    quantity: int
    amount: int
    description: str
    period: Period
    metadata: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> Object:
        """The fields that lines and invoice items have in common."""
        return {
            "amount": self.amount,
            "currency": self.price["currency"],
            "description": self.description,
            "metadata": dict(self.metadata),
            "period": {"start": self.period[0], "end": self.period[1]},
            "pricing": {
                "type": "price_details",
                "price_details": {"price": self.price["id"], "product": self.price["product"]},
                "unit_amount_decimal": str(self.price["unit_amount"]),
            },
            "quantity": self.quantity,
            "quantity_decimal": str(self.quantity),
        }


def active_price(store: Store, id: str, param: str, *, recurring: bool) -> Object:
    """The price with this id. Raises ApiError, which names `param`, for none, for an inactive one, and for
    one that is recurring where a one-time price is wanted or the other way round.
    """
    price = store.get("price", id, param)
    if not price["active"]:
        raise ApiError("The price specified is inactive. This field only accepts active prices.", param=param)
    wanted = "recurring" if recurring else "one_time"
    if price["type"] != wanted:
        raise ApiError(
            f"The price specified is set to `type={price['type']}` but this field only accepts prices with"
            f" `type={wanted}`.",
            param=param,
        )
    return price


def product_name(store: Store, price: Object) -> str:
    return str(store.get("product", price["product"])["name"])


def subscription_line(store: Store, item: Object) -> Object:
    """A subscription item's current period, billed in full."""
    price, quantity = item["price"], item["quantity"]
    unit = f"{dollars(price['unit_amount'])} / {_interval_text(price['recurring'])}"
    sale = Sale(
        price=price,
        quantity=quantity,
        amount=price["unit_amount"] * quantity,
        description=f"{quantity} × {product_name(store, price)} (at {unit})",
        period=(item["current_period_start"], item["current_period_end"]),
        metadata=item["metadata"],
    )
    return _line(store, sale, _subscription_parent(item["subscription"], item["id"]))


def one_time_line(store: Store, price: Object, quantity: int, now: int) -> Object:
    """A line of what is bought once, with no invoice item behind it."""
    return _line(store, one_time_sale(store, price, quantity, now), _invoice_item_parent(store.new_id("ii")))


def one_time_sale(store: Store, price: Object, quantity: int, now: int, description: str = "") -> Sale:
    """Described as the product is called, unless otherwise given."""
    return Sale(
        price=price,
        quantity=quantity,
        amount=price["unit_amount"] * quantity,
        description=description or product_name(store, price),
        period=(now, now),
    )


def invoice_item_line(store: Store, row: Object) -> Object:
    """The line that an invoice item becomes."""
    parent = _invoice_item_parent(row["id"], proration=row["proration"])
    owner = row["parent"]["subscription_details"] if row["parent"] else {}
    if owner and not owner["subscription_item"]:
        parent["invoice_item_details"]["subscription"] = owner["subscription"]
    elif owner:
        parent = _subscription_parent(owner["subscription"], owner["subscription_item"], row["id"])
    sale = Sale(
        price=store.get("price", row["pricing"]["price_details"]["price"]),
        quantity=row["quantity"],
        amount=row["amount"],
        description=row["description"],
        period=(row["period"]["start"], row["period"]["end"]),
        metadata=row["metadata"],
    )
    return _line(store, sale, parent, discountable=row["discountable"])


def invoice_item(
    store: Store, sale: Sale, *, customer_id: str, clock_id: str | None, invoice_id: str | None, now: int
) -> Object:
    """An invoice item, not stored yet. Without an invoice it waits for the customer's next one."""
    return blank(
        "invoiceitem",
        id=store.new_id("ii"),
        customer=customer_id,
        date=now,
        invoice=invoice_id,
        net_amount=sale.amount,
        test_clock=clock_id,
        **sale.fields(),
    )


def proration(store: Store, sale: Sale, *, subscription: Object, item: Object, now: int) -> Object:
    """An invoice item, not stored yet, that credits or debits a part of a subscription item's period. No
    further discount counts on it.
    """
    row = invoice_item(
        store,
        sale,
        customer_id=subscription["customer"],
        clock_id=subscription["test_clock"],
        invoice_id=None,
        now=now,
    )
    details = {"subscription": subscription["id"], "subscription_item": item["id"]}
    return row | {
        "discountable": False,
        "parent": {"type": "subscription_details", "subscription_details": details},
        "proration": True,
        "proration_details": {"credited_items": None, "discount_amounts": []},
    }


def _line(store: Store, sale: Sale, parent: Object, *, discountable: bool = True) -> Object:
    return blank(
        "line_item",
        id=store.new_id("il"),
        discountable=discountable,
        parent=parent,
        subscription=parent[parent["type"]]["subscription"],
        subtotal=sale.amount,
        **sale.fields(),
    )


def _interval_text(recurring: Object) -> str:
    count = recurring["interval_count"]
    return recurring["interval"] if count == 1 else f"{count} {recurring['interval']}s"


def _invoice_item_parent(invoice_item_id: str, *, proration: bool = False) -> Object:
    return {
        "type": "invoice_item_details",
        "invoice_item_details": {
            "invoice_item": invoice_item_id,
            "proration": proration,
            "proration_details": {"credited_items": None},
            "subscription": None,
        },
        "subscription_item_details": None,
    }


def _subscription_parent(subscription_id: str, item_id: str, proration_id: str | None = None) -> Object:
    """`proration_id`: the invoice item of a proration; None where the item's period is billed in full."""
    return {
        "type": "subscription_item_details",
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": proration_id,
            "proration": proration_id is not None,
            "proration_details": {"credited_items": None},
            "subscription": subscription_id,
            "subscription_item": item_id,
        },
    }
