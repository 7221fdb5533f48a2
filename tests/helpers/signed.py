"""Events as Stripe sends them: signed over the raw body."""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from typing import Any

import stripe
from django.conf import settings
from django.test import Client

from tests.helpers.factories import T0

URL = "/webhooks/stripe/"
_numbers = itertools.count(1)


def event(kind: str, about: dict[str, Any], *, id: str = "", at: datetime = T0) -> dict[str, Any]:
    """An event about an object, with what we read of one and a little of what we do not."""
    return {
        "id": id or f"evt_{next(_numbers)}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(at.timestamp()),
        "type": kind,
        "livemode": False,
        "data": {"object": about},
    }


def signature(body: bytes, *, at: datetime, secret: str | None = None) -> str:
    """The header, made by Stripe's own SDK."""
    secret = settings.STRIPE_WEBHOOK_SECRET if secret is None else secret
    made: str = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(at.timestamp()))
    return made


def deliver_event(
    client: Client, payload: dict[str, Any] | bytes, *, at: datetime = T0, header: str | None = None
) -> Any:
    """Posts an event, signed unless told otherwise."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    header = signature(body, at=at) if header is None else header
    return client.post(URL, body, content_type="application/json", headers={"Stripe-Signature": header})
