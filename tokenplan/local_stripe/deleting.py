"""Customers deleted: their subscriptions end at once, and nothing of theirs can be used any more."""

from __future__ import annotations

from tokenplan.local_stripe import standing
from tokenplan.local_stripe.app import Call, route
from tokenplan.local_stripe.clocks import now_of
from tokenplan.local_stripe.errors import Object
from tokenplan.local_stripe.events import emit
from tokenplan.local_stripe.store import Store


def delete_customer(store: Store, customer: Object, now: int) -> None:
    for row in store.all("subscription", customer=customer["id"]):
        if row["status"] not in standing.OVER:
            standing.end(store, row, now, reason="cancellation_requested")
    store.remove("customer", customer["id"])
    store.save({"object": "local.deleted", "id": customer["id"]})
    emit(store, "customer.deleted", customer, now)


@route("DELETE", "/customers/{}")
def delete(call: Call) -> Object:
    customer = call.store.get("customer", call.id, "id")
    delete_customer(call.store, customer, now_of(call.store, customer["id"], call.now))
    return {"id": call.id, "object": "customer", "deleted": True}
