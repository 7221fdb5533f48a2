"""Coupons, and the promotion codes by which customers use them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import decimal, flag, integer, mapping, merged, moment, one_of, text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.clocks import Task
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit, emit_updated
from tokenplan.local_stripe.objects.store import Store

router = Router()
INVALID = "This code is invalid."
# What a coupon is for, which Stripe shows only on demand.
SCOPE = "local.coupon_scope"


def promotion_by_code(store: Store, code: str) -> Object | None:
    """The active promotion code with this text, in upper or lower case."""
    rows = store.all("promotion_code", active=True)
    return next((row for row in rows if row["code"].lower() == code.strip().lower()), None)


def coupon_of(store: Store, promotion: Object) -> Object:
    return store.get("coupon", promotion["promotion"]["coupon"])


def products_of(store: Store, coupon_id: str) -> list[str]:
    """The products that a coupon is for; none stands for all."""
    scope = store.find(SCOPE, coupon_id)
    return list(scope["products"]) if scope else []


@router.expands("coupon", "applies_to")
def applies_to(store: Store, coupon: Object) -> Object | None:
    products = products_of(store, coupon["id"])
    return {"products": products} if products else None


def refusal(store: Store, promotion: Object, *, customer_id: str | None, amount: int, now: int) -> str:
    """Why this customer cannot use it now for an order of so many cents; empty where they can."""
    coupon, limits = coupon_of(store, promotion), promotion["restrictions"]
    if not promotion["active"] or not coupon["valid"]:
        return INVALID
    if promotion["expires_at"] is not None and promotion["expires_at"] <= now:
        return "This code has expired."
    if _used_up(promotion) or promotion["customer"] not in (None, customer_id):
        return INVALID
    if limits["minimum_amount"] is not None and amount < limits["minimum_amount"]:
        return "This code can't be used: the order does not reach its minimum amount."
    if limits["first_time_transaction"] and customer_id and _has_paid(store, customer_id):
        return "This code can't be redeemed because its associated customer has prior transactions."
    return ""


def _has_paid(store: Store, customer_id: str) -> bool:
    """Whether they ever bought: a payment that came, or an invoice, if only one of nothing."""
    invoices = store.all("invoice", customer=customer_id)
    bought = any(row["status"] in ("open", "paid", "uncollectible") for row in invoices)
    return bought or bool(store.all("charge", customer=customer_id, paid=True))


def redeem(store: Store, coupon_id: str, promotion_code_id: str | None, now: int) -> None:
    """Counts a use. A coupon that was used as often as it may be is no longer valid, a code no longer
    active.
    """
    if promotion_code_id:
        code = store.get("promotion_code", promotion_code_id)
        after = {**code, "times_redeemed": code["times_redeemed"] + 1}
        if _used_up(after):
            after["active"] = False
        emit_updated(store, "promotion_code.updated", code, after, now)
    row = store.get("coupon", coupon_id)
    used = {**row, "times_redeemed": row["times_redeemed"] + 1}
    used["valid"] = row["valid"] and not _used_up(used)
    emit_updated(store, "coupon.updated", row, used, now)


def _used_up(row: Object) -> bool:
    return row["max_redemptions"] is not None and row["times_redeemed"] >= row["max_redemptions"]


def expiries_due(store: Store) -> Iterator[Task]:
    """Due work: promotion codes and coupons that expire."""
    for code in store.all("promotion_code", active=True):
        if code["expires_at"] is not None:
            end = partial(_expire, store, "promotion_code", code["id"], "active")
            yield Task(code["expires_at"], 0, None, end)
    for coupon in store.all("coupon", valid=True):
        if coupon["redeem_by"] is not None:
            yield Task(coupon["redeem_by"], 0, None, partial(_expire, store, "coupon", coupon["id"], "valid"))


def _expire(store: Store, kind: str, id: str, flag_name: str, now: int) -> None:
    before = store.get(kind, id)
    emit_updated(store, f"{kind}.updated", before, {**before, flag_name: False}, now)


@router.post(
    "/coupons",
    {
        "id": text,
        "name": text,
        "percent_off": decimal,
        "amount_off": integer,
        "currency": one_of("usd"),
        "duration": one_of("once", "repeating", "forever"),
        "duration_in_months": integer,
        "max_redemptions": integer,
        "redeem_by": moment,
        "applies_to": {"products": [text]},
        "metadata": mapping,
    },
)
def create_coupon(call: Call) -> Object:
    given = call.params
    percent, amount = given.get("percent_off"), given.get("amount_off")
    duration = given.get("duration", "once")
    if (percent is None) == (amount is None):
        raise ApiError("You must pass exactly one of percent_off, amount_off.", param="percent_off")
    if percent is not None and not 0 < percent <= 100:
        raise ApiError("Invalid percent_off: must be greater than 0 and at most 100.", param="percent_off")
    if amount is not None and (amount <= 0 or "currency" not in given):
        raise ApiError("You must pass a currency and a positive amount_off.", param="amount_off")
    if (duration == "repeating") != ("duration_in_months" in given):
        raise ApiError(
            "You must pass duration_in_months when duration is repeating, and only then.",
            param="duration_in_months",
        )
    id = given.get("id") or call.store.new_id("")[1:9]
    if call.store.find("coupon", id):
        raise ApiError("Coupon already exists.", code="resource_already_exists", param="id")
    coupon: Object = blank(
        "coupon",
        id=id,
        amount_off=amount,
        created=call.now,
        currency=given.get("currency") if amount is not None else None,
        duration=duration,
        duration_in_months=given.get("duration_in_months"),
        max_redemptions=given.get("max_redemptions"),
        metadata=merged({}, given.get("metadata", {})),
        name=given.get("name"),
        percent_off=None if percent is None else float(percent),
        redeem_by=given.get("redeem_by"),
    )
    products = given.get("applies_to", {}).get("products", [])
    for index, product in enumerate(products):
        call.store.get("product", product, f"applies_to[products][{index}]")
    if products:
        call.store.save({"object": SCOPE, "id": id, "products": products})
    emit(call.store, "coupon.created", call.store.save(coupon), call.now)
    return coupon


@router.get("/coupons/{}")
def retrieve_coupon(call: Call) -> Object:
    return call.store.get("coupon", call.id, "coupon")


@router.list("/coupons")
def list_coupons(call: Call) -> Object:
    return listing(call.store.all("coupon"), call.params, "/v1/coupons")


@router.post(
    "/promotion_codes",
    {
        "promotion": {"type": one_of("coupon"), "coupon": text},
        "code": text,
        "active": flag,
        "customer": text,
        "expires_at": moment,
        "max_redemptions": integer,
        "restrictions": {
            "first_time_transaction": flag,
            "minimum_amount": integer,
            "minimum_amount_currency": one_of("usd"),
        },
        "metadata": mapping,
    },
    required=["promotion"],
)
def create_promotion(call: Call) -> Object:
    given = call.params
    if "coupon" not in given["promotion"]:
        raise ApiError(
            "Missing required param: promotion[coupon].",
            code="parameter_missing",
            param="promotion[coupon]",
        )
    coupon = call.store.get("coupon", given["promotion"]["coupon"], "promotion[coupon]")
    if given.get("customer"):
        call.store.get("customer", given["customer"], "customer")
    code = given.get("code") or call.store.new_id("")[1:9].upper()
    if not code.replace("-", "").isalnum() or not code.isascii():
        raise ApiError("Promotion codes can only have letters, digits and dashes.", param="code")
    if promotion_by_code(call.store, code):
        raise ApiError(
            f"An active promotion code with `code: {code}` already exists.",
            code="resource_already_exists",
            param="code",
        )
    if given.get("expires_at") is not None and given["expires_at"] <= call.now:
        raise ApiError("The expiration timestamp must be in the future.", param="expires_at")
    most, coupons_most = given.get("max_redemptions"), coupon["max_redemptions"]
    if most is not None and coupons_most is not None and most > coupons_most:
        raise ApiError(
            "Promotion code max_redemptions may not exceed those of its coupon.", param="max_redemptions"
        )
    limits = given.get("restrictions", {})
    promotion: Object = blank(
        "promotion_code",
        id=call.store.new_id("promo"),
        active=given.get("active", True),
        code=code,
        created=call.now,
        customer=given.get("customer"),
        expires_at=given.get("expires_at"),
        max_redemptions=most,
        metadata=merged({}, given.get("metadata", {})),
        promotion={"coupon": coupon["id"]},
        restrictions={
            "first_time_transaction": limits.get("first_time_transaction", False),
            "minimum_amount": limits.get("minimum_amount"),
            "minimum_amount_currency": limits.get("minimum_amount_currency"),
        },
    )
    emit(call.store, "promotion_code.created", call.store.save(promotion), call.now)
    return promotion


@router.get("/promotion_codes/{}")
def retrieve_promotion(call: Call) -> Object:
    return call.store.get("promotion_code", call.id, "promotion_code")


@router.post("/promotion_codes/{}", {"active": flag, "metadata": mapping})
def update_promotion(call: Call) -> Object:
    before = call.store.get("promotion_code", call.id, "promotion_code")
    after = {**before, **call.given("active")}
    after["metadata"] = merged(before["metadata"], call.params.get("metadata"))
    if after["active"] and not before["active"]:
        _refuse_to_revive(call, after)
    return emit_updated(call.store, "promotion_code.updated", before, after, call.now)


def _refuse_to_revive(call: Call, promotion: Object) -> None:
    over = promotion["expires_at"] is not None and promotion["expires_at"] <= call.now
    coupon = call.store.find("coupon", promotion["promotion"]["coupon"])
    if over or _used_up(promotion) or coupon is None or not coupon["valid"]:
        raise ApiError("This promotion code cannot be activated: it is over.", param="active")
    if promotion_by_code(call.store, promotion["code"]):
        raise ApiError("Another active promotion code has this code.", param="active")


@router.list("/promotion_codes", {"active": flag, "code": text, "coupon": text, "customer": text})
def list_promotions(call: Call) -> Object:
    given = call.given("active", "code", "customer")
    if "coupon" in call.params:
        given["promotion__coupon"] = call.params["coupon"]
    return listing(call.store.all("promotion_code", **given), call.params, "/v1/promotion_codes")
