"""Delivers events to webhook endpoints: signed, at least once, again after a failure.

It can also deliver them as badly as a network may, to test that the receiver does not mind: see MODES.
"""

from __future__ import annotations

import hmac
import http.client
import json
import random
from dataclasses import dataclass
from urllib.parse import urlsplit

from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import deliver, wants
from tokenplan.local_stripe.objects.store import Store

# How events are delivered, and what the front page calls it.
MODES = {
    "in_order": "once, in order",
    "twice": "twice, in order",
    "shuffled": "out of order",
    "held": "later: hold them until another mode is set",
    "lost": "never: lose them",
}
# Seconds that an endpoint may take to answer.
TIMEOUT = 20
# Seconds to the next attempt: each time twice as long, up to the longest.
FIRST_RETRY, LONGEST_RETRY, MOST_ATTEMPTS = 2, 3600, 16


@dataclass(frozen=True, slots=True)
class Message:
    """An event as an endpoint receives it."""

    event: str
    kind: str
    payload: bytes
    signature: str


def message(event: Object, secret: str, at: int) -> Message:
    """The event, signed at this moment. Receivers refuse one that was signed long ago."""
    payload = json.dumps(event).encode()
    digest = hmac.digest(secret.encode(), b"%d." % at + payload, "sha256").hex()
    return Message(event["id"], event["type"], payload, f"t={at},v1={digest}")


def mode(store: Store) -> str:
    found = store.find("local.setting", "deliveries")
    return found["mode"] if found else "in_order"


def set_mode(store: Store, mode: str) -> None:
    if mode not in MODES:
        raise ApiError(f"Invalid mode: must be one of {', '.join(MODES)}", param="mode")
    store.save({"object": "local.setting", "id": "deliveries", "mode": mode})


def resend(store: Store, event_id: str) -> None:
    """Queues the event once more for every endpoint that wants it."""
    row = store.get("event", event_id)
    for endpoint in store.all("webhook_endpoint", status="enabled"):
        if wants(endpoint, row["type"]):
            deliver(store, row["id"], endpoint["id"])


def send_due(store: Store, at: int) -> int:
    """Sends the queued events that are due, in the mode that is set. Returns how many were taken up. The
    store is not locked while an endpoint is waited for.
    """
    how = mode(store)
    if how == "held":
        return 0
    waiting = [row for row in reversed(store.all("local.delivery", state="waiting")) if row["due"] <= at]
    if how == "shuffled":
        # Some wait for the next round, so that what comes later may overtake them.
        waiting = random.sample(waiting, (len(waiting) + 1) // 2)
    for delivery in waiting:
        if how == "lost":
            _close(store, delivery, "lost", "")
            continue
        _send(store, delivery, at)
        if how == "twice":
            _send(store, store.get("local.delivery", delivery["id"]), at)
    return len(waiting)


def _send(store: Store, delivery: Object, at: int) -> None:
    endpoint = store.find("webhook_endpoint", delivery["endpoint"])
    if endpoint is None:
        _close(store, delivery, "gone", "The endpoint was deleted.")
        return
    secret = store.get("local.secret", endpoint["id"])["secret"]
    answer, fine = _post(endpoint["url"], message(store.get("event", delivery["event"]), secret, at))
    attempts = delivery["attempts"] + 1
    delivery = {**delivery, "attempts": attempts}
    if fine:
        _close(store, delivery, "delivered", answer)
    elif attempts >= MOST_ATTEMPTS:
        _close(store, delivery, "given up", answer)
    elif delivery["state"] == "waiting":
        wait = min(FIRST_RETRY << (attempts - 1), LONGEST_RETRY)
        store.save({**delivery, "due": at + wait, "answer": answer})


def _close(store: Store, delivery: Object, state: str, answer: str) -> None:
    with store.transaction():
        store.save({**delivery, "state": state, "answer": answer})
        event = store.get("event", delivery["event"])
        left = store.all("local.delivery", event=event["id"], state="waiting")
        store.save({**event, "pending_webhooks": len(left)})


def _post(url: str, sent: Message) -> tuple[str, bool]:
    """What the endpoint answered, and whether that was a 2xx."""
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = make(parts.netloc, timeout=TIMEOUT)
        headers = {"Content-Type": "application/json", "Stripe-Signature": sent.signature}
        connection.request(
            "POST", parts._replace(scheme="", netloc="").geturl() or "/", sent.payload, headers
        )
        response = connection.getresponse()
        text = response.read(200).decode(errors="replace")
        connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"no answer: {error}", False
    return f"{response.status} {text}".strip(), 200 <= response.status < 300


def register(store: Store, url: str, secret: str, events: list[str], now: int) -> Object:
    """Adds the endpoint of the program that runs the local Stripe, which knows its secret already. One
    that was registered before, perhaps at another address, is changed instead.
    """
    found = store.all("webhook_endpoint", metadata__local="true")
    row = found[0] if found else {**new_endpoint(store, url, now), "metadata": {"local": "true"}}
    store.save({"object": "local.secret", "id": row["id"], "secret": secret})
    return store.save({**row, "url": url, "enabled_events": events, "status": "enabled"})


def new_endpoint(store: Store, url: str, now: int) -> Object:
    return blank(
        "webhook_endpoint",
        id=store.new_id("we"),
        created=now,
        url=url,
    )
