"""Test clocks: customers can be put on one, and their time passes only when the clock is advanced."""

from __future__ import annotations

from tokenplan.local_stripe.billing import subscription_status
from tokenplan.local_stripe.billing.customers import delete_customer
from tokenplan.local_stripe.billing.subscription_items import interval_of
from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import moment, text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.dates import DAY, later
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store

router = Router()
KIND = "test_helpers.test_clock"
# Seconds that a clock exists.
LASTS = 30 * DAY
# The kinds of objects that are deleted with a customer's clock.
OWNED = (
    "subscription",
    "subscription_schedule",
    "invoice",
    "invoiceitem",
    "payment_intent",
    "charge",
    "payment_method",
    "refund",
    "tax_id",
    "checkout.session",
)


@router.post("/test_helpers/test_clocks", {"frozen_time": moment, "name": text}, required=["frozen_time"])
def create(call: Call) -> Object:
    clock: Object = blank(
        "test_helpers.test_clock",
        id=call.store.new_id("clock"),
        created=call.now,
        deletes_after=call.now + LASTS,
        frozen_time=call.params["frozen_time"],
        name=call.params.get("name"),
    )
    emit(call.store, f"{KIND}.created", call.store.save(clock), call.now)
    return clock


@router.get("/test_helpers/test_clocks/{}")
def retrieve(call: Call) -> Object:
    return call.store.get(KIND, call.id)


@router.list("/test_helpers/test_clocks")
def list_all(call: Call) -> Object:
    return listing(call.store.all(KIND), call.params, "/v1/test_helpers/test_clocks")


@router.post("/test_helpers/test_clocks/{}/advance", {"frozen_time": moment}, required=["frozen_time"])
def advance(call: Call) -> Object:
    """Does all that falls due on the way, in the order of time, before it answers. Stripe answers first,
    with a clock that is `advancing`.
    """
    store, until = call.store, call.params["frozen_time"]
    clock = store.get(KIND, call.id)
    if until <= clock["frozen_time"]:
        raise ApiError("The frozen time must be after the clock's current one.", param="frozen_time")
    if until > _latest_allowed(store, clock):
        raise ApiError(
            "You can only advance a test clock by up to two intervals of its shortest subscription, and by"
            " two years where it has none.",
            param="frozen_time",
        )
    details = {"advancing": {"target_frozen_time": until}}
    clock = store.save({**clock, "status": "advancing", "status_details": details})
    emit(store, f"{KIND}.advancing", clock, call.now)
    call.due.run_until(store, call.id, until)
    clock = {**clock, "frozen_time": until, "status": "ready", "status_details": {}}
    emit(store, f"{KIND}.ready", store.save(clock), call.now)
    return clock


@router.delete("/test_helpers/test_clocks/{}")
def delete(call: Call) -> Object:
    """Deletes the clock and its customers with everything of theirs; their subscriptions end."""
    store = call.store
    clock = store.get(KIND, call.id)
    for customer in store.all("customer", test_clock=call.id):
        delete_customer(store, customer, clock["frozen_time"])
        for kind in OWNED:
            for row in store.all(kind, customer=customer["id"]):
                store.remove(kind, row["id"])
        store.remove(
            "local.deleted", customer["id"]
        )  # no trace is left, unlike after a customer's own deletion
    store.remove(KIND, call.id)
    emit(store, f"{KIND}.deleted", clock, call.now)
    return {"id": call.id, "object": KIND, "deleted": True}


def _latest_allowed(store: Store, clock: Object) -> int:
    now = clock["frozen_time"]
    live = [
        row
        for row in store.all("subscription", test_clock=clock["id"])
        if row["status"] not in subscription_status.OVER
    ]
    intervals = [interval_of(row["items"]["data"]) for row in live]
    return min(
        (later(now, interval, 2 * count) for interval, count in intervals), default=later(now, "year", 2)
    )
