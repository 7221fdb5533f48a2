"""Products and prices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import (
    decimal,
    flag,
    integer,
    mapping,
    merged,
    one_of,
    text,
)
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit, emit_updated

router = Router()
CURRENCIES = ("usd", "eur")
PRODUCT = {"name": text, "description": text, "active": flag, "metadata": mapping, "tax_code": text}


@router.post("/products", {"id": text, **PRODUCT}, required=["name"])
def create_product(call: Call) -> Object:
    id = call.params.get("id") or call.store.new_id("prod")
    if call.store.find("product", id):
        raise ApiError("Product already exists.", code="resource_already_exists", param="id")
    product: Object = blank(
        "product",
        id=id,
        active=call.params.get("active", True),
        created=call.now,
        description=call.params.get("description"),
        metadata=merged({}, call.params.get("metadata", {})),
        name=call.params["name"],
        tax_code=call.params.get("tax_code"),
        updated=call.now,
    )
    emit(call.store, "product.created", call.store.save(product), call.now)
    return product


@router.get("/products/{}")
def retrieve_product(call: Call) -> Object:
    return call.store.get("product", call.id)


@router.post("/products/{}", PRODUCT)
def update_product(call: Call) -> Object:
    product = call.store.get("product", call.id)
    after = {**product, **call.given("name", "description", "active", "tax_code"), "updated": call.now}
    after["metadata"] = merged(product["metadata"], call.params.get("metadata"))
    return emit_updated(call.store, "product.updated", product, after, call.now)


@router.delete("/products/{}")
def delete_product(call: Call) -> Object:
    product = call.store.get("product", call.id)
    if call.store.all("price", product=product["id"]):
        raise ApiError("This product cannot be deleted because it has one or more user-created prices.")
    call.store.remove("product", product["id"])
    emit(call.store, "product.deleted", product, call.now)
    return {"id": product["id"], "object": "product", "deleted": True}


@router.list("/products", {"active": flag})
def list_products(call: Call) -> Object:
    return listing(call.store.all("product", **call.given("active")), call.params, "/v1/products")


@router.post(
    "/prices",
    {
        "product": text,
        "currency": one_of(*CURRENCIES),
        "unit_amount": integer,
        "unit_amount_decimal": decimal,
        "lookup_key": text,
        "transfer_lookup_key": flag,
        "tax_behavior": one_of("exclusive", "inclusive", "unspecified"),
        "recurring": {
            "interval": one_of("day", "week", "month", "year"),
            "interval_count": integer,
            "usage_type": one_of("licensed"),
        },
        "nickname": text,
        "active": flag,
        "metadata": mapping,
    },
    required=["currency", "product"],
)
def create_price(call: Call) -> Object:
    product = call.store.get("product", call.params["product"], "product")
    amount = _amount(call)
    recurring = call.params.get("recurring")
    if recurring is not None and "interval" not in recurring:
        raise ApiError(
            "Missing required param: recurring[interval].",
            code="parameter_missing",
            param="recurring[interval]",
        )
    id = call.store.new_id("price")
    if "lookup_key" in call.params:
        _take_lookup_key(call, id)
    price: Object = blank(
        "price",
        id=id,
        active=call.params.get("active", True),
        created=call.now,
        currency=call.params["currency"],
        lookup_key=call.params.get("lookup_key"),
        metadata=merged({}, call.params.get("metadata", {})),
        nickname=call.params.get("nickname"),
        product=product["id"],
        tax_behavior=call.params.get("tax_behavior", "unspecified"),
        type="recurring" if recurring else "one_time",
        unit_amount=amount,
        unit_amount_decimal=str(amount),
    )
    if recurring:
        price["recurring"] = {
            "interval": recurring["interval"],
            "interval_count": recurring.get("interval_count", 1),
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        }
    emit(call.store, "price.created", call.store.save(price), call.now)
    return price


def one_currency(prices: Iterable[Object], customer: Object | None) -> str:
    """The currency that these prices have in common, which is also the customer's once they have one. Raises
    ApiError where they differ.
    """
    found = {price["currency"] for price in prices}
    theirs = customer["currency"] if customer else None
    if len(found | ({theirs} - {None})) > 1:
        raise ApiError("You cannot combine currencies on a single customer.", param="currency")
    return str(min(found, default=theirs or CURRENCIES[0]))


def _amount(call: Call) -> int:
    """The price in whole cents: fractions of a cent are not supported."""
    given = [call.params[name] for name in ("unit_amount", "unit_amount_decimal") if name in call.params]
    if len(given) != 1:
        raise ApiError("You must pass exactly one of unit_amount, unit_amount_decimal.", param="unit_amount")
    if not 0 <= given[0] <= 99_999_999 or given[0] != int(given[0]):
        raise ApiError("Invalid amount: whole cents, from 0 to 99999999.", param="unit_amount")
    return int(given[0])


def _take_lookup_key(call: Call, id: str) -> None:
    """Takes the call's lookup key from the price that has it. Raises ApiError unless the call says to."""
    for other in call.store.all("price", lookup_key=call.params["lookup_key"]):
        if other["id"] == id:
            continue
        if not call.params.get("transfer_lookup_key"):
            raise ApiError(
                f"A price ({other['id']}) already uses that lookup key.",
                code="resource_already_exists",
                param="lookup_key",
            )
        emit_updated(call.store, "price.updated", other, {**other, "lookup_key": None}, call.now)


@router.get("/prices/{}")
def retrieve_price(call: Call) -> Object:
    return call.store.get("price", call.id, "price")


@router.post(
    "/prices/{}",
    {
        "active": flag,
        "lookup_key": text,
        "transfer_lookup_key": flag,
        "nickname": text,
        "metadata": mapping,
    },
)
def update_price(call: Call) -> Object:
    price = call.store.get("price", call.id, "price")
    if call.params.get("lookup_key"):
        _take_lookup_key(call, price["id"])
    after = {**price, **call.given("active", "nickname")}
    if "lookup_key" in call.params:
        after["lookup_key"] = call.params["lookup_key"] or None
    after["metadata"] = merged(price["metadata"], call.params.get("metadata"))
    return emit_updated(call.store, "price.updated", price, after, call.now)


@router.list(
    "/prices",
    {
        "active": flag,
        "product": text,
        "currency": text,
        "type": one_of("one_time", "recurring"),
        "lookup_keys": [text],
    },
)
def list_prices(call: Call) -> Object:
    rows = call.store.all("price", **call.given("active", "product", "currency", "type"))
    keys: Any = call.params.get("lookup_keys")
    if keys is not None:
        rows = [row for row in rows if row["lookup_key"] in keys]
    return listing(rows, call.params, "/v1/prices")
