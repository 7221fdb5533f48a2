"""What the account sells: products, prices, promotions; its portal and its webhook endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.errors import StripeMissing
from billing.money import cents_from_nanousd
from billing.stripe_api.client import api, asked, listed, once, seconds, version
from billing.stripe_api.reading import Listed
from billing.stripe_api.snapshots import PromotionSnapshot, promotion_snapshot


@dataclass(frozen=True, slots=True)
class PriceSnapshot:
    """`interval` is empty for what is paid once."""

    id: str
    cents: int
    interval: str
    currency: str = "usd"


def upsert_product(id: str, *, name: str) -> None:
    """Makes the product, or gives it this name."""
    try:
        if asked(api().products.retrieve, id)["name"] != name:
            asked(api().products.update, id, {"name": name})
    except StripeMissing:
        asked(api().products.create, {"id": id, "name": name})


def price_by_lookup_key(lookup_key: str) -> PriceSnapshot | None:
    found = next(listed(api().prices.list, {"lookup_keys": [lookup_key], "active": True}), None)
    return _price(found) if found else None


def create_price(
    *,
    request: object,
    lookup_key: str,
    product_id: str,
    cents: int,
    interval: str | None,
    transfer: bool = False,
) -> PriceSnapshot:
    """One price for a request. With `transfer`, the lookup key is taken from the price that has it."""
    params: dict[str, Any] = {
        "product": product_id,
        "currency": "usd",
        "unit_amount": cents,
        "lookup_key": lookup_key,
        "tax_behavior": "exclusive",
    }
    if interval:
        params["recurring"] = {"interval": interval}
    if transfer:
        params["transfer_lookup_key"] = True
    return _price(asked(api().prices.create, params, once(str(request))))


def _price(price: Mapping[str, Any]) -> PriceSnapshot:
    interval = (price["recurring"] or {}).get("interval", "")
    return PriceSnapshot(price["id"], price["unit_amount"], interval, price["currency"])


def portal_configuration() -> str | None:
    """The one that is ours."""
    for configuration in listed(api().billing_portal.configurations.list, {"active": True}):
        if configuration["metadata"].get("tokenplan") == "portal":
            return str(configuration["id"])
    return None


def create_portal_configuration(*, return_url: str) -> str:
    features = {
        "customer_update": {"enabled": True, "allowed_updates": ["address", "tax_id", "name"]},
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True},
        "subscription_cancel": {"enabled": False},
    }
    params = {"features": features, "default_return_url": return_url, "metadata": {"tokenplan": "portal"}}
    return str(asked(api().billing_portal.configurations.create, params)["id"])


def endpoints_at(url: str) -> list[str]:
    return [row["id"] for row in listed(api().webhook_endpoints.list, {}) if row["url"] == url]


def delete_endpoint(id: str) -> None:
    asked(api().webhook_endpoints.delete, id)


def subscribe_endpoint(id: str, *, events: list[str]) -> None:
    """It gets these events from now on, under the secret that it has."""
    params = {"enabled_events": events, "disabled": False}
    asked(api().webhook_endpoints.update, id, params)


def create_endpoint(url: str, *, events: list[str]) -> tuple[str, str]:
    """Its id and its secret, which is not shown again."""
    made = asked(
        api().webhook_endpoints.create,
        {"url": url, "enabled_events": events, "api_version": version(), "description": "Token Plan"},
    )
    return made["id"], made["secret"]


def promotion(id: str) -> PromotionSnapshot:
    parts = {"expand": ["promotion.coupon"]}
    return promotion_snapshot(asked(api().promotion_codes.retrieve, id, parts))


def promotions() -> Iterator[Listed[PromotionSnapshot]]:
    parts = {"expand": ["data.promotion.coupon"]}
    return Listed.each(listed(api().promotion_codes.list, parts), promotion_snapshot)


def create_coupon(
    *,
    request: object,
    name: str,
    duration: str,
    percent_hundredths: int | None = None,
    amount_nanousd: int | None = None,
    months: int | None = None,
    product_ids: Sequence[str] = (),
) -> str:
    """A share or an amount off, of these products alone if there are any; returns its id. `duration` is
    Stripe's word; `months` are of a repeating one.
    """
    coupon: dict[str, Any] = {"name": name, "duration": duration}
    if percent_hundredths is not None:
        coupon["percent_off"] = f"{percent_hundredths // 100}.{percent_hundredths % 100:02d}"
    else:
        coupon |= {"amount_off": cents_from_nanousd(amount_nanousd or 0), "currency": "usd"}
    if months is not None:
        coupon["duration_in_months"] = months
    if product_ids:
        coupon["applies_to"] = {"products": list(product_ids)}
    return str(asked(api().coupons.create, coupon, once(f"{request}-coupon"))["id"])


def create_promotion(
    *,
    request: object,
    code: str,
    coupon_id: str,
    max_redemptions: int | None = None,
    expires_at: datetime | None = None,
    first_purchase: bool = False,
) -> PromotionSnapshot:
    """The code by which a coupon is used; `first_purchase`: only by who has paid for nothing yet."""
    params: dict[str, Any] = {"code": code, "promotion": {"type": "coupon", "coupon": coupon_id}}
    if max_redemptions is not None:
        params["max_redemptions"] = max_redemptions
    if expires_at is not None:
        params["expires_at"] = seconds(expires_at)
    if first_purchase:
        params["restrictions"] = {"first_time_transaction": True}
    return promotion(asked(api().promotion_codes.create, params, once(f"{request}-code"))["id"])


def set_promotion_active(id: str, *, active: bool) -> PromotionSnapshot:
    asked(api().promotion_codes.update, id, {"active": active})
    return promotion(id)
