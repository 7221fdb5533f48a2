"""Events: what happened, kept for whoever asks, and for each webhook endpoint that wants to be told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from tokenplan.local_stripe.errors import Object
from tokenplan.local_stripe.store import Store

VERSION = "2026-10-28.endive"


def emit(
    store: Store, kind: str, subject: Object, now: int, previous: Mapping[str, Any] | None = None
) -> Object:
    """Notes that this happened to the object, which is kept as it is now. `previous`: what was before, of
    the fields that changed.
    """
    data: Object = {"object": json.loads(json.dumps(subject))}
    if previous:
        data["previous_attributes"] = dict(previous)
    endpoints = [row for row in store.all("webhook_endpoint", status="enabled") if wants(row, kind)]
    event = store.save(
        {
            "id": store.new_id("evt"),
            "object": "event",
            "api_version": VERSION,
            "created": now,
            "data": data,
            "livemode": False,
            "pending_webhooks": len(endpoints),
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
    )
    for endpoint in endpoints:
        deliver(store, event["id"], endpoint["id"])
    return event


def emit_updated(store: Store, kind: str, before: Object, after: Object, now: int) -> Object:
    """Keeps the object as it is now and notes what changed; nothing where nothing did."""
    changed = {name: before.get(name) for name in after if after[name] != before.get(name)}
    if changed:
        store.save(after)
        emit(store, kind, after, now, changed)
    return after


def wants(endpoint: Object, kind: str) -> bool:
    return any(fnmatchcase(kind, pattern) for pattern in endpoint["enabled_events"])


def deliver(store: Store, event: str, endpoint: str) -> Object:
    """The event is to be told to the endpoint; the sender does it."""
    return store.save(
        {
            "id": store.new_id("del"),
            "object": "local.delivery",
            "event": event,
            "endpoint": endpoint,
            "state": "waiting",
            "attempts": 0,
            "due": 0,
            "answer": "",
        }
    )
