"""The calls about webhook endpoints and events."""

from __future__ import annotations

from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import Spec, flag, mapping, merged, one_of, text, url
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.objects.events import EVENT_TYPES, SILENT_TYPES, VERSION
from tokenplan.local_stripe.objects.webhooks import new_endpoint

router = Router()
ENDPOINT: Spec = {
    "enabled_events": [one_of("*", *EVENT_TYPES, *SILENT_TYPES)],
    "description": text,
    "metadata": mapping,
    "url": url,
}


@router.post(
    "/webhook_endpoints",
    {**ENDPOINT, "api_version": one_of(VERSION)},
    required=["url", "enabled_events"],
)
def create(call: Call) -> Object:
    row = new_endpoint(call.store, call.params["url"], call.now)
    row |= call.given("api_version", "description", "enabled_events")
    row["metadata"] = merged({}, call.params.get("metadata"))
    secret = call.store.new_id("whsec")
    call.store.save({"object": "local.secret", "id": row["id"], "secret": secret})
    return {**call.store.save(row), "secret": secret}


@router.get("/webhook_endpoints/{}")
def retrieve(call: Call) -> Object:
    return call.store.get("webhook_endpoint", call.id)


@router.post("/webhook_endpoints/{}", {**ENDPOINT, "disabled": flag})
def update(call: Call) -> Object:
    row = call.store.get("webhook_endpoint", call.id)
    row = {**row, **call.given("description", "enabled_events", "url")}
    if "disabled" in call.params:
        row["status"] = "disabled" if call.params["disabled"] else "enabled"
    row["metadata"] = merged(row["metadata"], call.params.get("metadata"))
    return call.store.save(row)


@router.delete("/webhook_endpoints/{}")
def delete(call: Call) -> Object:
    row = call.store.get("webhook_endpoint", call.id)
    call.store.remove("webhook_endpoint", row["id"])
    call.store.remove("local.secret", row["id"])
    return {"id": row["id"], "object": "webhook_endpoint", "deleted": True}


@router.list("/webhook_endpoints")
def list_all(call: Call) -> Object:
    return listing(call.store.all("webhook_endpoint"), call.params, "/v1/webhook_endpoints")


@router.get("/events/{}")
def retrieve_event(call: Call) -> Object:
    return call.store.get("event", call.id)


@router.list("/events", {"type": text, "types": [text]})
def list_events(call: Call) -> Object:
    rows = call.store.all("event", **call.given("type"))
    if "types" in call.params:
        rows = [row for row in rows if row["type"] in call.params["types"]]
    return listing(rows, call.params, "/v1/events")
