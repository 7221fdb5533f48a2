"""Customers: made, changed and deleted."""

from __future__ import annotations

from collections.abc import Sequence

from tokenplan.local_stripe.billing import subscription_status, taxes
from tokenplan.local_stripe.billing.tax_ids import TAX_ID, add_all
from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import Spec, either, integer, mapping, merged, one_of, text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit, emit_updated
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments.payment_methods import ADDRESS, TYPES, attach, owned, usable

router = Router()
CUSTOMER: Spec = {
    "name": text,
    "email": text,
    "phone": text,
    "description": text,
    "address": dict(ADDRESS),
    "balance": integer,
    "metadata": mapping,
    "invoice_settings": {
        "custom_fields": either(one_of(""), [{"name": text, "value": text}]),
        "default_payment_method": text,
        "footer": text,
    },
}
# Of what every invoice of a customer shows beside its own.
MOST_FIELDS, LONGEST = 4, {"name": 40, "value": 140}
TEXTS = ("name", "email", "phone", "description")


@router.post("/customers", {**CUSTOMER, "payment_method": text, "tax_id_data": [TAX_ID], "test_clock": text})
def create(call: Call) -> Object:
    store, now, clock = call.store, call.now, call.params.get("test_clock")
    if clock:
        now = store.get("test_helpers.test_clock", clock, "test_clock")["frozen_time"]
    id = store.new_id("cus")
    customer: Object = blank(
        "customer",
        id=id,
        created=now,
        invoice_prefix=id[-8:].upper(),
        test_clock=clock,
    )
    store.save(customer)
    if "payment_method" in call.params:
        attach(store, usable(store, call.params["payment_method"], customer_id=id, now=now), id, now)
    customer = store.save(_changed(call, customer, now))
    emit(store, "customer.created", customer, now)
    add_all(store, id, call.params.get("tax_id_data", ()), now)
    return customer


def _changed(call: Call, customer: Object, now: int) -> Object:
    """The customer with what the call gives. An empty text removes a field's value."""
    given = call.params
    after = {**customer, **{name: given[name] or None for name in TEXTS if name in given}}
    if "balance" in given:
        after["balance"] = given["balance"]
    if "address" in given:
        after["address"] = blank(
            "address", **{name: value or None for name, value in given["address"].items()}
        )
    settings = dict(given.get("invoice_settings", {}))
    if settings:
        if settings.get("default_payment_method"):
            _refuse_foreign(call, settings["default_payment_method"], customer["id"], now)
        _refuse_long(settings.get("custom_fields") or ())
        settings = {name: value or None for name, value in settings.items()}
        after["invoice_settings"] = {**customer["invoice_settings"], **settings}
    after["metadata"] = merged(customer["metadata"], given.get("metadata"))
    return after


def _refuse_long(fields: Sequence[Object]) -> None:
    """Raises ApiError for what no invoice shows: more fields, or longer ones, than there is room for."""
    param = "invoice_settings[custom_fields]"
    if len(fields) > MOST_FIELDS:
        raise ApiError(f"Array {param} exceeded maximum {MOST_FIELDS} allowed elements.", param=param)
    for index, field in enumerate(fields):
        for name, longest in LONGEST.items():
            if not 0 < len(field.get(name, "")) <= longest:
                at = f"{param}[{index}][{name}]"
                raise ApiError(f"Invalid string: must be 1 to {longest} characters", param=at)


def _refuse_foreign(call: Call, method_id: str, customer_id: str, now: int) -> None:
    param = "invoice_settings[default_payment_method]"
    usable(call.store, method_id, customer_id=customer_id, now=now, param=param)
    if call.store.get("payment_method", method_id, param)["customer"] != customer_id:
        usable(call.store, method_id, customer_id=None, now=now, param=param)


@router.get("/customers/{}")
def retrieve(call: Call) -> Object:
    """A deleted customer is still answered, as deleted."""
    gone = call.store.find("local.deleted", call.id)
    if gone:
        return {"id": call.id, "object": "customer", "deleted": True}
    return call.store.get("customer", call.id, "id")


@router.post("/customers/{}", CUSTOMER)
def update(call: Call) -> Object:
    customer = call.store.get("customer", call.id, "id")
    now = now_of(call.store, customer["id"], call.now)
    return emit_updated(call.store, "customer.updated", customer, _changed(call, customer, now), now)


@router.list("/customers", {"email": text, "test_clock": text})
def list_all(call: Call) -> Object:
    """Customers on a test clock are listed only for that clock, as at Stripe."""
    fields = {"test_clock": None, **call.given("email", "test_clock")}
    return listing(call.store.all("customer", **fields), call.params, "/v1/customers")


@router.list("/customers/{}/payment_methods", {"type": one_of(*TYPES)})
def list_methods(call: Call) -> Object:
    customer = call.store.get("customer", call.id, "customer")
    rows = owned(call.store, customer["id"], call.params.get("type"))
    return listing(rows, call.params, f"/v1/customers/{call.id}/payment_methods")


@router.get("/customers/{}/payment_methods/{}")
def retrieve_method(call: Call) -> Object:
    customer = call.store.get("customer", call.id, "customer")
    return usable(call.store, call.ids[1], customer_id=customer["id"], now=call.now)


@router.expands("customer", "tax")
def tax_of(_store: Store, customer: Object) -> Object:
    """Whether tax can be calculated where the customer is."""
    found: Object = {"automatic_tax": "unrecognized_location", "ip_address": None, "location": None}
    if taxes.is_known(customer["address"]):
        where = {name: customer["address"][name] for name in ("country", "state")}
        location = {**where, "source": "billing_address"}
        found |= {"automatic_tax": "supported", "location": location}
    return {**found, "provider": "stripe"}


def delete_customer(store: Store, customer: Object, now: int) -> None:
    """Ends the customer's subscriptions at once, and removes the customer."""
    for row in store.all("subscription", customer=customer["id"]):
        if row["status"] not in subscription_status.OVER:
            subscription_status.end(store, row, now, reason="cancellation_requested")
    store.remove("customer", customer["id"])
    store.save({"object": "local.deleted", "id": customer["id"]})
    emit(store, "customer.deleted", customer, now)


@router.delete("/customers/{}")
def delete(call: Call) -> Object:
    customer = call.store.get("customer", call.id, "id")
    delete_customer(call.store, customer, now_of(call.store, customer["id"], call.now))
    return {"id": call.id, "object": "customer", "deleted": True}
