"""What a Checkout Session sells: its lines, the promotion code that was typed, and what they come to.

An order is stored beside its session and has what Stripe does not show: prices and quantities, the
discounts, and what is to be made when it is paid.
"""

from __future__ import annotations

from collections.abc import Mapping

from tokenplan.local_stripe.billing import promotions, taxes
from tokenplan.local_stripe.billing.discounts import draft_discounts, take_off
from tokenplan.local_stripe.hosted.customer_details import keep_details
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store

NOT_FOR_THIS = "This code is not for what you buy here."


def order_of(store: Store, session: Object) -> Object:
    return store.get("local.order", session["id"])


def discounts_of(store: Store, session: Object, order: Object, now: int) -> list[Object]:
    """The discounts of the order as of now, not stored. Raises ApiError for a code that can no longer be
    used.
    """
    made = draft_discounts(
        store,
        order["discounts"],
        customer_id=session["customer"],
        amount=_subtotal(store, order["rows"]),
        now=now,
    )
    return [{**discount, "checkout_session": session["id"]} for discount in made]


def _subtotal(store: Store, rows: list[Object]) -> int:
    return sum(store.get("price", row["price"])["unit_amount"] * row["quantity"] for row in rows)


def _shown_discounts(store: Store, order: Object) -> list[Object]:
    """As much of the discounts as it takes to calculate. Whether they can be used is checked at payment."""
    found = []
    for entry in order["discounts"]:
        coupon = entry.get("coupon")
        if "promotion_code" in entry:
            coupon = store.get("promotion_code", entry["promotion_code"])["promotion"]["coupon"]
        found.append({"id": coupon, "source": {"coupon": coupon, "type": "coupon"}})
    return found


def line_items(store: Store, order: Object) -> list[Object]:
    """What is sold, each line with what the discounts take off it."""
    prices = [store.get("price", row["price"]) for row in order["rows"]]
    pairs = list(zip(order["rows"], prices, strict=True))
    lines = [
        {
            "amount": price["unit_amount"] * row["quantity"],
            "discountable": True,
            "pricing": {"price_details": {"price": price["id"], "product": price["product"]}},
        }
        for row, price in pairs
    ]
    address = store.get("customer", order["customer"])["address"]
    tax = taxes.automatic_tax(order["tax"], address)
    found = []
    for (row, price), line in zip(pairs, take_off(store, lines, _shown_discounts(store, order)), strict=True):
        off = sum(entry["amount"] for entry in line["discount_amounts"])
        own = taxes.tax_on(line["amount"] - off, price, tax)
        own_taxes = [own] if own else []
        found.append(
            blank(
                "item",
                id=row["id"],
                amount_discount=off,
                currency=price["currency"],
                amount_subtotal=line["amount"],
                amount_tax=sum(one["amount"] for one in own_taxes),
                amount_total=line["amount"] - off + taxes.added(own_taxes),
                description=store.get("product", price["product"])["name"],
                price=price,
                quantity=row["quantity"],
            )
        )
    return found


def amounts(store: Store, order: Object) -> Object:
    """The fields of a session that say what it comes to."""
    rows = line_items(store, order)
    total = sum(row["amount_total"] for row in rows)
    return {
        "amount_subtotal": sum(row["amount_subtotal"] for row in rows),
        "amount_total": total,
        "total_details": {
            "amount_discount": sum(row["amount_discount"] for row in rows),
            "amount_shipping": 0,
            "amount_tax": sum(row["amount_tax"] for row in rows),
        },
        "discounts": [
            {"coupon": entry.get("coupon"), "promotion_code": entry.get("promotion_code")}
            for entry in order["discounts"]
        ],
    }


def _is_for_any(store: Store, promotion: Object, order: Object) -> bool:
    """Whether the code takes something off what is sold here."""
    products = promotions.products_of(store, promotion["promotion"]["coupon"])
    sold = {store.get("price", row["price"])["product"] for row in order["rows"]}
    return not products or bool(sold & set(products))


def take_details(store: Store, session: Object, form: Mapping[str, str], now: int) -> Object:
    """The customer typed who and where they are: name, address and tax id, as far as the session asks for
    them. Returns the session, with the tax that follows from it. Raises ApiError for a tax id that is none.
    """
    order = order_of(store, session)
    customer = store.get("customer", session["customer"])
    allowed = [name for name, how in order["customer_update"].items() if how == "auto"]
    if (session.get("tax_id_collection") or {}).get("enabled"):
        allowed.append("tax_id")
    after = keep_details(store, customer, form, allowed, now)
    tax = taxes.automatic_tax(order["tax"], after["address"])
    return store.save({**session, **amounts(store, order), "automatic_tax": tax})


def use_code(store: Store, session: Object, code: str, now: int) -> str:
    """The customer typed a promotion code; an empty one removes the code that is used. Returns why it is
    refused; empty where it is not.
    """
    order = order_of(store, session)
    entries: list[Object] = []
    if code.strip():
        promotion = promotions.promotion_by_code(store, code) if session["allow_promotion_codes"] else None
        if promotion is None:
            return promotions.INVALID
        amount = session["amount_subtotal"]
        why = promotions.refusal(store, promotion, customer_id=session["customer"], amount=amount, now=now)
        if why or not _is_for_any(store, promotion, order):
            return why or NOT_FOR_THIS
        entries = [{"promotion_code": promotion["id"]}]
    order = store.save({**order, "discounts": entries})
    store.save({**session, **amounts(store, order)})
    return ""


def drop_unusable_code(store: Store, session: Object, now: int) -> str:
    """Removes a promotion code that was typed and can no longer be used. Returns why; empty where none was
    removed.
    """
    try:
        discounts_of(store, session, order_of(store, session), now)
    except ApiError as error:
        use_code(store, session, "", now)
        return str(error)
    return ""
