"""The front page: what the account has, and switches that make things happen: time passes, a payment settles,
a charge is disputed, events are delivered late."""

from __future__ import annotations

from datetime import UTC, datetime

from tokenplan.local_stripe.billing import test_clocks
from tokenplan.local_stripe.hosted import page_payments
from tokenplan.local_stripe.hosted.card_form import method_name
from tokenplan.local_stripe.hosted.pages import Page, PageRouter, Request, redirect
from tokenplan.local_stripe.http.routing import Call
from tokenplan.local_stripe.objects import webhooks
from tokenplan.local_stripe.objects.amounts import dollars
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.dates import DAY, HOUR
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments import disputes, payment_methods, refunds

pages = PageRouter()
# How many of the latest objects of each kind are shown.
SHOWN = 30
# Seconds by which a clock can be advanced.
MOVES = {"hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 31 * DAY}


@pages.get("/")
def front(request: Request) -> Page:
    store = request.store
    context = {
        "customers": [_customer(store, row) for row in store.all("customer")[:SHOWN]],
        "subscriptions": [_subscription(store, row) for row in store.all("subscription")[:SHOWN]],
        "clocks": [
            {**row, "at": _date(row["frozen_time"])} for row in store.all("test_helpers.test_clock")[:SHOWN]
        ],
        "moves": MOVES,
        "payments": [
            {**row, "money": dollars(row["amount"])}
            for row in store.all("payment_intent", status="processing")[:SHOWN]
        ],
        "disputes": [
            {**row, "money": dollars(row["amount"]), "is_open": row["status"] in disputes.OPEN}
            for row in store.all("dispute")[:SHOWN]
        ],
        "charges": [
            {**row, "money": dollars(row["amount"])}
            for row in store.all("charge", status="succeeded", disputed=False)[:SHOWN]
        ],
        "refunds": [
            {**row, "money": dollars(row["amount"])}
            for row in store.all("refund", status="succeeded")[:SHOWN]
        ],
        "cards": [
            {**row, "name": method_name(row)}
            for row in store.all("payment_method", type="card")
            if row["customer"] is not None
        ][:SHOWN],
        "events": [_event(store, row) for row in store.all("event")[:SHOWN]],
        "endpoints": store.all("webhook_endpoint"),
        "modes": webhooks.MODES,
        "mode": webhooks.mode(store),
    }
    return Page("front_page", context)


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


@pages.post("/_local/deliveries")
def set_mode(request: Request) -> Page:
    webhooks.set_mode(request.store, request.form.get("mode", ""))
    return redirect("/#events")


@pages.post("/_local/events/{}/resend")
def resend(request: Request) -> Page:
    webhooks.resend(request.store, request.id)
    return redirect("/#events")


@pages.post("/_local/clocks/{}/advance")
def advance(request: Request) -> Page:
    """Advances a test clock; what falls due on the way is done in the order of time."""
    by = MOVES.get(request.form.get("by", ""))
    if by is None:
        raise ApiError(f"Invalid by: must be one of {', '.join(MOVES)}", param="by")
    clock = request.store.get("test_helpers.test_clock", request.id)
    params = {"frozen_time": clock["frozen_time"] + by}
    test_clocks.advance(Call(request.store, request.now, params, request.ids, request.due))
    return redirect("/#clocks")


@pages.post("/_local/payments/{}/settle")
def settle(request: Request) -> Page:
    """Settles a delayed payment now: it comes, or fails."""
    intent = request.store.get("payment_intent", request.id)
    page_payments.settle(request.store, intent, ok=_answer(request, "succeed", "fail"), now=request.now)
    return redirect("/#payments")


@pages.post("/_local/charges/{}/dispute")
def dispute(request: Request) -> Page:
    """The card's holder asks the bank for the money back."""
    charge = request.store.get("charge", request.id)
    disputes.dispute(request.store, charge, now_of(request.store, charge["customer"], request.now))
    return redirect("/#disputes")


@pages.post("/_local/refunds/{}/fail")
def fail_refund(request: Request) -> Page:
    """The money that was paid back comes back."""
    row = request.store.get("refund", request.id)
    refunds.fail(request.store, row, now_of(request.store, row["customer"], request.now))
    return redirect("/#refunds")


@pages.post("/_local/payment_methods/{}/replace")
def replace_card(request: Request) -> Page:
    """The bank replaces a card by another."""
    method = request.store.get("payment_method", request.id)
    replaced = now_of(request.store, method["customer"], request.now)
    payment_methods.replace_card(request.store, method, replaced)
    return redirect("/#cards")


@pages.post("/_local/disputes/{}/close")
def close_dispute(request: Request) -> Page:
    row = request.store.get("dispute", request.id)
    charge = request.store.get("charge", row["charge"])
    now = now_of(request.store, charge["customer"], request.now)
    disputes.close_dispute(request.store, row, won=_answer(request, "won", "lost"), now=now)
    return redirect("/#disputes")


def _answer(request: Request, yes: str, no: str) -> bool:
    answer = request.form.get("outcome")
    if answer not in (yes, no):
        raise ApiError(f"Invalid outcome: must be {yes} or {no}", param="outcome")
    return answer == yes
