"""The tax ids of customers, which their invoices show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import one_of, text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.clocks import Task, now_of
from tokenplan.local_stripe.objects.errors import ApiError, Missing, Object
from tokenplan.local_stripe.objects.events import emit, emit_updated
from tokenplan.local_stripe.objects.store import Store

router = Router()
# The types that are known here, and how their values look.
TYPES = {
    "ch_vat": r"CHE-?[0-9]{3}\.?[0-9]{3}\.?[0-9]{3} ?(MWST|TVA|IVA)",
    "cn_tin": r"[0-9A-Z]{18}",
    "eu_vat": r"[A-Z]{2}[0-9A-Z]{8,12}",
    "gb_vat": r"GB[0-9]{9,12}",
    "us_ein": r"[0-9]{2}-[0-9]{7}",
}
TAX_ID = {"type": one_of(*TYPES), "value": text}
MOST = 5
# The types that an authority can confirm, and seconds until it has.
VERIFIED, VERIFIED_AFTER = ("eu_vat", "gb_vat"), 60


def add_tax_id(store: Store, customer_id: str, kind: str, value: str, now: int, *, param: str) -> Object:
    """Raises ApiError for a value that is none of this type, and for a sixth one."""
    if not re.fullmatch(TYPES[kind], value):
        raise ApiError(f"Invalid value for {kind}.", code="tax_id_invalid", param=param)
    if len(tax_ids_of(store, customer_id)) >= MOST:
        raise ApiError("You can only have up to 5 tax IDs.", code="customer_max_tax_ids")
    country = {"eu_vat": value[:2], "us_ein": "US", "gb_vat": "GB", "ch_vat": "CH", "cn_tin": "CN"}[kind]
    row = blank(
        "tax_id",
        id=store.new_id("txi"),
        country=country,
        created=now,
        customer=customer_id,
        owner={"type": "customer", "customer": customer_id},
        type=kind,
        value=value,
        verification={"status": "pending" if kind in VERIFIED else "unavailable"},
    )
    emit(store, "customer.tax_id.created", store.save(row), now)
    return row


def add_all(store: Store, customer_id: str, given: Iterable[Mapping[str, str]], now: int) -> None:
    for index, row in enumerate(given):
        param = f"tax_id_data[{index}][value]"
        if "type" not in row or "value" not in row:
            raise ApiError(f"Missing required param: {param}.", code="parameter_missing", param=param)
        add_tax_id(store, customer_id, row["type"], row["value"], now, param=param)


def tax_ids_of(store: Store, customer_id: str) -> list[Object]:
    """The newest first."""
    return store.all("tax_id", customer=customer_id)


def shown(store: Store, customer_id: str | None) -> list[Object]:
    """As an invoice shows them, the oldest first."""
    rows = tax_ids_of(store, customer_id)[::-1] if customer_id else []
    return [{"type": row["type"], "value": row["value"]} for row in rows]


def verifications_due(store: Store) -> Iterator[Task]:
    """Due work: tax ids that the authority confirms."""
    for row in store.all("tax_id", verification__status="pending"):
        yield Task(row["created"] + VERIFIED_AFTER, 9, row["customer"], partial(_verify, store, row["id"]))


def _verify(store: Store, id: str, now: int) -> None:
    row = store.get("tax_id", id)
    confirmed = {**row["verification"], "status": "verified"}
    emit_updated(store, "customer.tax_id.updated", row, {**row, "verification": confirmed}, now)


@router.post("/customers/{}/tax_ids", TAX_ID, required=["type", "value"])
def create(call: Call) -> Object:
    customer = call.store.get("customer", call.id, "customer")
    now = now_of(call.store, customer["id"], call.now)
    given = call.params
    return add_tax_id(call.store, customer["id"], given["type"], given["value"], now, param="value")


@router.get("/customers/{}/tax_ids/{}")
def retrieve(call: Call) -> Object:
    return _found(call)


@router.list("/customers/{}/tax_ids")
def list_all(call: Call) -> Object:
    customer = call.store.get("customer", call.id, "customer")
    rows = tax_ids_of(call.store, customer["id"])
    return listing(rows, call.params, f"/v1/customers/{call.id}/tax_ids")


@router.delete("/customers/{}/tax_ids/{}")
def delete(call: Call) -> Object:
    row = _found(call)
    call.store.remove("tax_id", row["id"])
    emit(call.store, "customer.tax_id.deleted", row, now_of(call.store, call.id, call.now))
    return {"id": row["id"], "object": "tax_id", "deleted": True}


@router.expands("customer", "tax_ids")
def included(store: Store, customer: Object) -> Object:
    rows = tax_ids_of(store, customer["id"])
    return listing(rows, {}, f"/v1/customers/{customer['id']}/tax_ids")


def _found(call: Call) -> Object:
    row = call.store.find("tax_id", call.ids[1])
    if row is None or row["customer"] != call.id:
        raise Missing("tax_id", call.ids[1])
    return row
