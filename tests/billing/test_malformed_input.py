"""Malformed input to every page and address that buys, in a Team that has bought: never a 500, always a
sentence, and neither we nor Stripe have anything new afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from billing.models import AutoTopUp, Change, Checkout, CreditPurchase, Customer, PurchasedSeat, StripeEvent
from billing.sync.inbox import work_inbox
from teams.models import AuditEntry, Mail
from tests.helpers.buyer import Buyer
from tests.helpers.signed import deliver_event, event
from tests.helpers.stripe_account import StripeAccount

MALFORMED: list[Any] = [
    "",
    " ",
    "-1",
    "0",
    "1.5",
    "1e9",
    "nan",
    "١٢",
    "9" * 30,
    "9" * 5_000,
    "x" * 10_000,
    "a\x00b",
    "💥' OR 1=1 --",
    "../../etc/passwd",
    "{{ 7 }}",
    "0001-01-01T00:00:00+2359",
    "9999-12-31T23:59:59-2359",
]
KINDS = (Checkout, Change, CreditPurchase, Customer, AutoTopUp, AuditEntry, Mail)
CHANGE = {"kind": "add", "plan": "max", "count": "1", "seats": "1", "interval": "year"}
CONFIRM = CHANGE | {"amount_nanousd": "1", "proration_at": "2026-06-03T10:02:00+0000"}


class Shop:
    """An Owner whose Team has a seat of Plus, and another who has nothing yet."""

    def __init__(self, account: StripeAccount) -> None:
        self.account = account
        self.paying, self.new = Buyer(account), Buyer(account)
        self.paying.subscribe({"plus": 1})
        account.deliver()
        self.before = self.written()

    def written(self) -> tuple[Any, ...]:
        """What there is, here and at Stripe, which notes what it was asked."""
        rows: list[type[Model]] = [*KINDS]
        planned = PurchasedSeat.objects.values_list("seat", "plan", "next_plan", "leaves").order_by("seat")
        store = self.account.stripe.store
        at_stripe = [(kind, len(store.all(kind))) for kind in store.kinds() if kind != "idempotency_key"]
        return [row._default_manager.count() for row in rows], list(planned), at_stripe

    def unchanged(self, after: object = "") -> None:
        assert self.written() == self.before, after

    def page(self, name: str, buyer: Buyer, *args: Any) -> tuple[Client, str]:
        client = Client(raise_request_exception=True)
        client.force_login(buyer.user)
        return client, reverse(name, args=[buyer.team.slug, *args])


@pytest.fixture
def shop(stripe_account: StripeAccount) -> Iterator[Shop]:
    with time_machine.travel(stripe_account.at, tick=False):
        yield Shop(stripe_account)


def bodies(good: dict[str, str]) -> Iterator[dict[str, str]]:
    """Each field wrong in every way, the others right; then all of them missing."""
    for name in good:
        for value in MALFORMED:
            yield good | {name: value}
    yield {}


def answered(answer: Any, what: object) -> None:
    """A page or a redirect to one; nothing that a person cannot read."""
    assert answer.status_code in (200, 302, 404, 409, 422), (what, answer)


@pytest.mark.slow
def test_a_change_that_cannot_be_read_is_not_made(shop: Shop) -> None:
    client, url = shop.page("team-change", shop.paying)

    for body in bodies(CHANGE):
        answered(client.get(url, body), body)
    for body in bodies(CONFIRM):
        answered(client.post(url, body), body)

    shop.unchanged()


@pytest.mark.slow
def test_a_change_of_any_kind_survives_malformed_input(shop: Shop) -> None:
    client, url = shop.page("team-change", shop.paying)

    for kind in ("move", "give_up", "keep", "interval", "cancel", "resume", "sell", "add\x00"):
        for name in ("plan", "count", "seats", "interval"):
            for value in MALFORMED[::4]:
                answered(client.get(url, {"kind": kind, "plan": "max", name: value}), (kind, name, value))
        for seats in (["1"] * 1_500, [str(10**18)], ["-5"]):
            answered(client.get(url, {"kind": kind, "plan": "max", "seats": seats}), (kind, seats[0]))
        shop.unchanged(kind)


@pytest.mark.slow
def test_seats_are_not_bought_by_malformed_input(shop: Shop) -> None:
    client, url = shop.page("team-subscribe", shop.new)

    for name in ("interval", "plan", "seats_plus", "seats_max"):
        for value in MALFORMED:
            answered(client.get(url, {"plan": "max", name: value}), (name, value))
            if value not in ("", "0", " ") or name.startswith("seats"):
                wrong = {"interval": "month", "seats_plus": "0", "seats_max": "0", name: value}
                answer = client.post(url, wrong)
                assert answer.status_code == 422 or value == "١٢", (name, value, answer)
                Checkout.objects.filter(team=shop.new.team).delete() if value == "١٢" else None


@pytest.mark.slow
def test_credits_are_not_bought_by_malformed_input(shop: Shop) -> None:
    client, url = shop.page("team-credits-buy", shop.paying)
    for value in [*MALFORMED, "4999", "5000.5", "-5000", "10" * 10]:
        answer = client.post(url, {"credits": value})
        assert answer.status_code == 422, value
        assert answer.context["form"].errors, value

    client, url = shop.page("team-credits-auto-top-up", shop.paying)
    good = {"enabled": "on", "threshold": "1000", "target": "5000", "month_cap": "10000"}
    for name in ("threshold", "target", "month_cap"):
        for value in MALFORMED:
            if (name, value) not in (("threshold", "0"), ("threshold", "1.5")):
                answer = client.post(url, good | {name: value})
                assert answer.status_code == 422, (name, value)

    shop.unchanged()


@pytest.mark.slow
def test_pages_are_turned_by_malformed_input_to_the_first_one(shop: Shop) -> None:
    for name in ("team-billing", "team-credits-purchases"):
        client, url = shop.page(name, shop.paying)
        for value in [*MALFORMED, "2026-06-03T10:02:00+00:00~" + "9" * 30, "0001-01-01T00:00:00+23:59~1"]:
            assert client.get(url, {"before": value}).status_code == 200, value


def test_a_checkout_of_another_team_is_not_there(shop: Shop) -> None:
    checkout = Checkout.objects.get(team=shop.paying.team)
    client, page = shop.page("team-checkout", shop.new, checkout.pk)
    _, leave = shop.page("team-checkout-leave", shop.new, checkout.pk)

    assert client.get(page).status_code == 404
    assert client.post(leave).status_code == 404
    shop.unchanged()


API: list[tuple[str, dict[str, Any]]] = [
    ("preview", {"kind": "move", "plan": "max", "seats": [1]}),
    ("change", {"kind": "move", "plan": "max", "seats": [1], "amount_nanousd": 1, "proration_at": None}),
    ("checkout", {"seats": {"max": 1}, "interval": "month"}),
]
WRONG: list[Any] = [
    *MALFORMED,
    None,
    True,
    -1,
    1.5,
    2**63,
    10**400,
    [],
    [[]],
    [None],
    [0],
    [2**63],
    [1, 1, 1],
    list(range(1, 2_000)),
    {},
    {"max": -1},
    {"max": 10**9},
    {"max": None},
    {"": 1},
    {"gold": 1},
    {"m\x00": 1},
    {"max": 1, "plus": 1_000},
]


@pytest.mark.slow
def test_the_api_names_what_is_wrong(shop: Shop) -> None:
    client = Client(raise_request_exception=True)
    client.force_login(shop.paying.user)

    for path, good in API:
        url = f"/api/v1/teams/{shop.paying.team.slug}/subscription/{path}"
        for name in good:
            for value in WRONG:
                answer = client.post(url, json.dumps(good | {name: value}), content_type="application/json")
                assert answer.status_code in (400, 404, 409, 413, 422), (path, name, value, answer)
                assert answer.json()["code"] and answer.json()["detail"], (path, name, value)
        shop.unchanged(path)


OBJECTS: list[Any] = [
    {},
    {"object": "invoice"},
    {"object": "invoice", "id": None},
    {"object": "invoice", "id": "in_nowhere"},
    {"object": "invoice", "id": "../customers"},
    {"object": "invoice", "id": "in_" + "x" * 10_000},
    {"object": "customer", "id": ["cus_1"]},
    {"object": "subscription", "id": {"a": 1}},
    {"object": "subscription_schedule", "id": "sub_sched_1"},
    {"object": "charge", "id": "ch_1", "payment_intent": 7},
    {"object": "checkout.session", "id": "💥"},
    {"object": "unheard_of", "id": "x"},
    {"object": 7, "id": 7},
    {"object": ["invoice"], "id": "in_1"},
]


def test_a_malformed_event_is_kept_and_changes_nothing(shop: Shop, client: Client) -> None:
    for about in OBJECTS:
        kept = StripeEvent.objects.count()

        answer = deliver_event(client, event("invoice.paid", about, at=shop.account.at), at=shop.account.at)

        assert answer.status_code == 200, str(about)[:60]
        for hour in range(3):
            work_inbox(at=shop.account.at + timedelta(hours=hour))
        assert StripeEvent.objects.count() == kept + 1, str(about)[:60]
        shop.unchanged(str(about)[:60])


BROKEN: list[Callable[[dict[str, Any]], Any]] = [
    lambda whole: [],
    lambda whole: 7,
    lambda whole: whole | {"data": None},
    lambda whole: whole | {"data": {"object": None}},
    lambda whole: whole | {"data": {"object": "in_1"}},
    lambda whole: whole | {"created": "yesterday"},
    lambda whole: whole | {"created": 10**18},
    lambda whole: whole | {"id": None},
    lambda whole: whole | {"id": "evt_" + "x" * 300},
    lambda whole: whole | {"type": None},
    lambda whole: whole | {"type": "x" * 10_000},
    lambda whole: whole | {"data": {"object": {"object": "invoice", "id": "a\x00b"}}},
    lambda whole: {name: value for name, value in whole.items() if name != "type"},
]


def test_what_is_signed_and_no_event_is_refused(shop: Shop, client: Client) -> None:
    kept = StripeEvent.objects.count()

    for number, broken in enumerate(BROKEN):
        whole = broken(event("invoice.paid", {"object": "invoice", "id": "in_1"}, at=shop.account.at))
        answer = deliver_event(client, json.dumps(whole).encode(), at=shop.account.at)

        refused = (answer.status_code, answer.json()["code"])
        # The latter by the database.
        assert refused in ((400, "webhook_invalid"), (422, "invalid")), number
        assert StripeEvent.objects.count() == kept, number
        shop.unchanged(number)
