"""The calls about subscription schedules."""

from __future__ import annotations

from tokenplan.local_stripe.billing import schedules
from tokenplan.local_stripe.billing.subscription_routes import PRORATION
from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import flag, integer, mapping, merged, moment, one_of, text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import Object

router = Router()


@router.post("/subscription_schedules", {"from_subscription": text}, required=["from_subscription"])
def create(call: Call) -> Object:
    store = call.store
    subscription = store.get("subscription", call.params["from_subscription"], "from_subscription")
    return schedules.from_subscription(store, subscription, now_of(store, subscription["customer"], call.now))


@router.get("/subscription_schedules/{}")
def retrieve(call: Call) -> Object:
    return call.store.get("subscription_schedule", call.id)


@router.list("/subscription_schedules", {"customer": text})
def list_all(call: Call) -> Object:
    rows = call.store.all("subscription_schedule", **call.given("customer"))
    return listing(rows, call.params, "/v1/subscription_schedules")


@router.post(
    "/subscription_schedules/{}",
    {
        "phases": [
            {
                "items": [{"price": text, "quantity": integer, "metadata": mapping}],
                "start_date": moment,
                "end_date": moment,
                "discounts": [{"discount": text}],
                "duration": {"interval": one_of("day", "week", "month", "year"), "interval_count": integer},
                "proration_behavior": PRORATION,
                "billing_cycle_anchor": one_of("automatic", "phase_start"),
                "metadata": mapping,
            }
        ],
        "end_behavior": one_of("cancel", "release"),
        "proration_behavior": PRORATION,
        "metadata": mapping,
    },
)
def update(call: Call) -> Object:
    schedule, now = _found(call)
    given = dict(call.params)
    if "metadata" in given:
        given["metadata"] = merged(schedule["metadata"], given["metadata"])
    return schedules.update(call.store, schedule, given, now)


@router.post("/subscription_schedules/{}/release")
def release(call: Call) -> Object:
    schedule, now = _found(call)
    return schedules.release(call.store, schedule, now)


@router.post("/subscription_schedules/{}/cancel", {"invoice_now": flag, "prorate": flag})
def cancel(call: Call) -> Object:
    schedule, now = _found(call)
    return schedules.cancel(
        call.store,
        schedule,
        invoice_now=call.params.get("invoice_now", True),
        prorate=call.params.get("prorate", True),
        now=now,
    )


def _found(call: Call) -> tuple[Object, int]:
    schedule = call.store.get("subscription_schedule", call.id)
    return schedule, now_of(call.store, schedule["customer"], call.now)
