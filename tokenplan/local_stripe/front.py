"""The front page: what the account has, and what somebody who tries things out may want to happen."""

from __future__ import annotations

from datetime import UTC, datetime

from tokenplan.local_stripe import disputes, paying, test_clocks, webhooks
from tokenplan.local_stripe.amounts import dollars
from tokenplan.local_stripe.app import Call
from tokenplan.local_stripe.clocks import now_of
from tokenplan.local_stripe.errors import ApiError, Object
from tokenplan.local_stripe.store import Store
from tokenplan.local_stripe.web import Page, Visit, goes_to, page

# How many of the latest are shown.
LATEST = 30
MOVES = {"hour": 3600, "day": 86400, "week": 7 * 86400, "month": 31 * 86400}


@page("GET", "/")
def front(visit: Visit) -> Page:
    store = visit.store
    context = {
        "customers": [_customer(store, row) for row in store.all("customer")[:LATEST]],
        "subscriptions": [_subscription(store, row) for row in store.all("subscription")[:LATEST]],
        "clocks": [
            {**row, "at": _date(row["frozen_time"])} for row in store.all("test_helpers.test_clock")[:LATEST]
        ],
        "moves": MOVES,
        "payments": [
            {**row, "money": dollars(row["amount"])}
            for row in store.all("payment_intent", status="processing")[:LATEST]
        ],
        "disputes": [
            {**row, "money": dollars(row["amount"]), "is_open": row["status"] in disputes.OPEN}
            for row in store.all("dispute")[:LATEST]
        ],
        "charges": [
            {**row, "money": dollars(row["amount"])}
            for row in store.all("charge", status="succeeded", disputed=False)[:LATEST]
        ],
        "events": [_event(store, row) for row in store.all("event")[:LATEST]],
        "endpoints": store.all("webhook_endpoint"),
        "modes": webhooks.MODES,
        "mode": webhooks.mode(store),
    }
    return Page("front", context)


def _date(moment: int) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _customer(store: Store, row: Object) -> Object:
    paid = sum(charge["amount"] for charge in store.all("charge", customer=row["id"], status="succeeded"))
    return {**row, "paid": dollars(paid)}


def _subscription(store: Store, row: Object) -> Object:
    items = row["items"]["data"]
    return {
        **row,
        "contents": ", ".join(
            f"{item['quantity']} × {store.get('product', item['price']['product'])['name']}" for item in items
        ),
        "ends": _date(min(item["current_period_end"] for item in items)) if items else None,
    }


def _event(store: Store, row: Object) -> Object:
    deliveries = [
        {"state": one["state"], "attempts": one["attempts"], "answer": one["answer"]}
        for one in store.all("local.delivery", event=row["id"])
    ]
    about = row["data"]["object"]
    return {**row, "at": _date(row["created"]), "about": about.get("id", ""), "deliveries": deliveries}


@page("POST", "/_local/deliveries")
def set_mode(visit: Visit) -> Page:
    webhooks.set_mode(visit.store, visit.form.get("mode", ""))
    return goes_to("/#events")


@page("POST", "/_local/events/{}/resend")
def resend(visit: Visit) -> Page:
    webhooks.resend(visit.store, visit.id)
    return goes_to("/#events")


@page("POST", "/_local/clocks/{}/advance")
def advance(visit: Visit) -> Page:
    """Moves a test clock on; what becomes due meanwhile happens in order."""
    by = MOVES.get(visit.form.get("by", ""))
    if by is None:
        raise ApiError(f"Invalid by: must be one of {', '.join(MOVES)}", param="by")
    clock = visit.store.get("test_helpers.test_clock", visit.id)
    params = {"frozen_time": clock["frozen_time"] + by}
    test_clocks.advance(Call(visit.store, visit.now, params, visit.ids))
    return goes_to("/#clocks")


@page("POST", "/_local/payments/{}/settle")
def settle(visit: Visit) -> Page:
    """A delayed payment comes now, or fails now."""
    intent = visit.store.get("payment_intent", visit.id)
    paying.settle(visit.store, intent, ok=_answer(visit, "succeed", "fail"), now=visit.now)
    return goes_to("/#payments")


@page("POST", "/_local/charges/{}/dispute")
def dispute(visit: Visit) -> Page:
    """The holder of the card wants the money back."""
    charge = visit.store.get("charge", visit.id)
    disputes.dispute(visit.store, charge, now_of(visit.store, charge["customer"], visit.now))
    return goes_to("/#disputes")


@page("POST", "/_local/disputes/{}/close")
def close_dispute(visit: Visit) -> Page:
    row = visit.store.get("dispute", visit.id)
    charge = visit.store.get("charge", row["charge"])
    now = now_of(visit.store, charge["customer"], visit.now)
    disputes.close_dispute(visit.store, row, won=_answer(visit, "won", "lost"), now=now)
    return goes_to("/#disputes")


def _answer(visit: Visit, yes: str, no: str) -> bool:
    answer = visit.form.get("outcome")
    if answer not in (yes, no):
        raise ApiError(f"Invalid outcome: must be {yes} or {no}", param="outcome")
    return answer == yes
