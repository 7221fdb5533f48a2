"""Events: what happened, kept for whoever asks, and told to the webhook endpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    return store.save(
        {
            "id": store.new_id("evt"),
            "object": "event",
            "api_version": VERSION,
            "created": now,
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
    )
